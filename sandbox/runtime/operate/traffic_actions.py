"""Actions on who is let in."""

from __future__ import annotations

from sandbox.base.config import Config
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Arguments, Kind, Plan, Preview, bad_argument, bounds, number, validated

_OFF = "off"


def _limit(ops: Operations, a: Arguments) -> Plan:
    config = Config.load(ops.run.path).gateway
    most = None if a["per_minute"] == _OFF else number("limit", "per_minute", a["per_minute"])
    if most is not None and most != int(most):
        raise bad_argument("limit", "per_minute", a["per_minute"], "a whole number, or off")
    wanted = None if most is None else int(most)
    validated(config, {"max_per_minute": wanted}, "limit", {"max_per_minute": "per_minute"})
    old, new = _told(config.max_per_minute), _told(wanted)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"gateway": {"max_per_minute": wanted}}, actor=actor, op="limit", arguments=a, target="gateway",
            key="max_per_minute", old=old, new=new,
        )  # fmt: skip

    summary = f"requests of one user within 60 world seconds: {old} becomes {new}"
    warning = "" if wanted is None else "who asks oftener is refused, person or not"
    return Plan(Preview(summary, ["gateway"], 0.0, True, warning), carry_out)


def _told(most: int | None) -> str:
    return _OFF if most is None else str(most)


def _legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path).gateway
    return {"per_minute": (f"{bounds(type(config), 'max_per_minute')}, or {_OFF}", _told(config.max_per_minute))}


KINDS = (
    Kind("limit", "Let in so many requests of one user a minute, and refuse the others",
         {"per_minute": "requests within 60 world seconds, or off"}, _limit, _legal,
         settings=(("gateway", "max_per_minute"),), keys=(("gateway", "max_per_minute"),)),
)  # fmt: skip
