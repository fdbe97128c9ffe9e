"""Actions on the feature store: the memory that it has, what it does once that is full, and where it is read."""

from __future__ import annotations

from typing import Any, get_args

from sandbox.base.config import Config, FeaturesConfig, RedisConfig
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import (
    Arguments,
    Kind,
    Plan,
    Preview,
    bad_argument,
    bounds,
    number,
    one_of,
    validated,
)

_POLICIES: tuple[str, ...] = get_args(RedisConfig.model_fields["policy"].annotation)
_PLACES: tuple[str, ...] = get_args(FeaturesConfig.model_fields["reads"].annotation)
_FIELDS = {"maxmemory_mb": "memory_mb", "policy": "policy"}  # setting -> argument
_FULL = {
    "noeviction": "once its memory is full it takes no writes",
    "allkeys-lru": "once its memory is full any key may go, rows of people among them",
    "volatile-lru": "once its memory is full keys that have an end go; without such keys it takes no writes",
}


def _store(ops: Operations, a: Arguments) -> Plan:
    config, change = Config.load(ops.run.path).redis, dict[str, Any]()
    if "memory_mb" in a:
        wanted = number("store", "memory_mb", a["memory_mb"])
        if wanted != int(wanted):
            raise bad_argument("store", "memory_mb", a["memory_mb"], "a whole number")
        change["maxmemory_mb"] = int(wanted)
    if "policy" in a:
        change["policy"] = one_of("store", "policy", a["policy"], _POLICIES)
    if not change:
        raise bad_argument("store", "memory_mb, policy", "nothing", "at least one of them")
    made = validated(config, change, "store", _FIELDS)
    assert isinstance(made, RedisConfig)
    old, new = _told(config), _told(made)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"redis": change}, actor=actor, op="store", arguments=a, target="redis", key="memory", old=old, new=new
        )

    less = "what does not fit goes at once" if made.maxmemory_mb < config.maxmemory_mb else ""
    warning = "; ".join(filter(None, (_FULL[made.policy], less)))
    return Plan(Preview(f"memory of the store: {old} becomes {new}", ["redis"], 0.0, True, warning), carry_out)


def _told(settings: RedisConfig) -> str:
    return f"{settings.maxmemory_mb} MB, {settings.policy}"


def _legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path).redis
    return {
        "memory_mb": (f"a whole number, {bounds(RedisConfig, 'maxmemory_mb')}", str(config.maxmemory_mb)),
        "policy": (", ".join(_POLICIES), config.policy),
    }


def _reads(ops: Operations, a: Arguments) -> Plan:
    config = Config.load(ops.run.path)
    wanted, there = a["from"], _PLACES if config.redis.replica else _PLACES[:1]
    one_of("reads", "from", wanted, there)

    def carry_out(actor: str) -> Record:
        return ops.apply({"features": {"reads": wanted}}, actor=actor, op="reads", arguments=a, target="features",
                         key="reads", new=wanted)  # fmt: skip

    warning = "a replica may be behind" if wanted == "replica" else "the store itself takes all reads"
    summary = f"rows are read from the {wanted} in place of the {config.features.reads}"
    return Plan(Preview(summary, ["features"], 0.0, True, warning), carry_out)


def _reads_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path)
    there = _PLACES if config.redis.replica else _PLACES[:1]
    return {"from": (", ".join(there), config.features.reads)}


KINDS = (
    Kind("store", "Give the feature store other memory, or have it let other keys go once that is full",
         {"memory_mb": "its limit, MiB (optional)", "policy": "noeviction, allkeys-lru or volatile-lru (optional)"},
         _store, _legal, frozenset(("memory_mb", "policy")), ranges={"memory_mb": (8, 8192)},
         settings=(("redis", "maxmemory_mb"), ("redis", "policy")), keys=(("redis", "memory"),)),
    Kind("reads", "Have rows read from the store itself, or from its replica where there is one",
         {"from": "primary or replica"}, _reads, _reads_legal, settings=(("features", "reads"),),
         keys=(("features", "reads"),)),
)  # fmt: skip
