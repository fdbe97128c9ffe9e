"""Actions on processes and on the event stream."""

from __future__ import annotations

from sandbox.base.config import Config, Scaled
from sandbox.base.instances import MOST, SCALABLE, instances, service_of
from sandbox.base.run import PROCESSES
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

_UNSEEN = ("stream", "collector", "events")  # no request waits for these


def _restartable(ops: Operations) -> tuple[str, ...]:
    """Every process; where a service has several instances its name stands for all, and each by its own."""
    replicas = Config.load(ops.run.path).replicas
    several = (name for service, n in replicas.items() if n > 1 for name in instances(service, n))
    return (*PROCESSES, *several)


def _restart(ops: Operations, a: Arguments) -> Plan:
    name = one_of("restart", "service", a["service"], _restartable(ops))
    replicas = Config.load(ops.run.path).replicas.get(service_of(name), 1)
    share = 0.0 if name in _UNSEEN or replicas > 1 else 1.0
    warning = "loses every online feature until they are written anew" if name == "redis" else ""

    def carry_out(actor: str) -> Record:
        ops.platform.restart(name)
        return ops.note(actor=actor, op="restart", arguments=a, target=name, key="process", old="running",
                        new="restarted", effects=[f"restart service={name}"])  # fmt: skip

    summary = f"{name} stops, drains and starts again"
    if name == service_of(name) and replicas > 1:
        summary = f"the {replicas} instances of {name} stop, drain and start again, one after the other"
    return Plan(Preview(summary, [name], share, False, warning), carry_out)


def _scale(ops: Operations, a: Arguments) -> Plan:
    service, n = one_of("scale", "service", a["service"], SCALABLE), number("scale", "n", a["n"])
    document: Scaled = getattr(Config.load(ops.run.path), service)
    if n != int(n):
        raise bad_argument("scale", "n", a["n"], f"a whole number from 1 to {MOST}")
    validated(document, {"replicas": int(n)}, "scale", {"replicas": "n"})
    warning = "they share the machine's cores" if n > document.replicas else "what stays takes all calls"

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {service: {"replicas": int(n)}}, actor=actor, op="scale", arguments=a, target=service, key="replicas",
            new=str(int(n)),
        )  # fmt: skip

    summary = f"{service} has {int(n)} instances in place of {document.replicas}"
    return Plan(Preview(summary, [service], 0.0, True, warning), carry_out)


def _scale_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    now = ", ".join(f"{service} {n}" for service, n in Config.load(ops.run.path).replicas.items())
    return {"service": (", ".join(SCALABLE), ""), "n": (f"a whole number, {bounds(Scaled, 'replicas')}", now)}


def _skip(ops: Operations, a: Arguments) -> Plan:
    n = ops.platform.backlog()

    def carry_out(actor: str) -> Record:
        backlog = ops.platform.skip()
        return ops.note(actor=actor, op="skip-backlog", arguments=a, target="stream", key="backlog",
                        old=f"{backlog} entries", new="skipped", effects=["skip-backlog"])  # fmt: skip

    summary = f"{n} waiting entries will never reach the session features"
    warning = "what users did in that time stays unknown to ranking"
    return Plan(Preview(summary, ["stream"], 0.0, False, warning), carry_out)


def _replay(ops: Operations, a: Arguments) -> Plan:
    minutes = number("replay", "minutes", a["minutes"])
    if minutes < 0:
        raise bad_argument("replay", "minutes", a["minutes"], "0 or more")

    def carry_out(actor: str) -> Record:
        ops.platform.replay(minutes)
        return ops.note(actor=actor, op="replay", arguments=a, target="stream", key="position",
                        old="latest", new=f"{minutes:g} world minutes ago", effects=["replay"])  # fmt: skip

    summary = f"events of the last {minutes:g} world minutes are applied again"
    return Plan(Preview(summary, ["stream"], 0.0, False), carry_out)


def _backlog(ops: Operations) -> dict[str, tuple[str, str]]:
    return {"minutes": ("0 or more; what the stream no longer holds cannot be replayed", "")}


KINDS = (
    Kind("restart", "Stop and start a service or one instance of it", {"service": "name of the process"}, _restart,
         lambda ops: {"service": (", ".join(_restartable(ops)), "")}),
    Kind("scale", "Change how many instances of a service there are", {"service": "which", "n": "instances"},
         _scale, _scale_legal, ranges={"n": (1, MOST)}, settings=tuple((service, "replicas") for service in SCALABLE),
         keys=tuple((service, "replicas") for service in SCALABLE)),
    Kind("skip-backlog", "Have the stream processor go on from now", {}, _skip),
    Kind("replay", "Have the stream processor go over the past again",
         {"minutes": "how far back, world minutes"}, _replay, _backlog, ranges={"minutes": (0, 1e9)}),
)  # fmt: skip
