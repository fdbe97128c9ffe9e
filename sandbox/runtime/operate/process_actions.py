"""Actions on processes and on the event stream."""

from __future__ import annotations

from sandbox.base.run import PROCESSES
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Arguments, Kind, Plan, Preview, bad_argument, number, one_of

_UNSEEN = ("stream", "collector", "events")  # no request waits for these


def _restart(ops: Operations, a: Arguments) -> Plan:
    name = one_of("restart", "service", a["service"], PROCESSES)
    share = 0.0 if name in _UNSEEN else 1.0
    warning = "loses every online feature until they are written anew" if name == "redis" else ""

    def carry_out(actor: str) -> Record:
        ops.platform.restart(name)
        return ops.note(actor=actor, op="restart", arguments=a, target=name, key="process", old="running",
                        new="restarted", effects=[f"restart service={name}"])  # fmt: skip

    return Plan(Preview(f"{name} stops, drains and starts again", [name], share, False, warning), carry_out)


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
    Kind("restart", "Stop and start one process", {"service": "name of the process"}, _restart,
         lambda _: {"service": (", ".join(PROCESSES), "")}),
    Kind("skip-backlog", "Have the stream processor go on from now", {}, _skip),
    Kind("replay", "Have the stream processor go over the past again",
         {"minutes": "how far back, world minutes"}, _replay, _backlog, ranges={"minutes": (0, 1e9)}),
)  # fmt: skip
