"""What an operator can do, by name: each action checked, previewed with its blast radius, and carried out.

An action is written `NAME argument=value ...`, on the command line, in the drill shell and in the
patterns of scenarios alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sandbox.base.config import Breaker, Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.base.run import PROCESSES
from sandbox.runtime.operations import Operations, Record

EDGES = {  # caller -> callees that have an edge of their own in the caller's configuration
    "gateway": ("features", "retrieval", "ranking", "rules", "events"),
    "retrieval": ("model",),
    "ranking": ("features", "model"),
}


@dataclass(frozen=True)
class Preview:
    """What an action would do. touches: services it reconfigures or stops. reversible: by `revert`."""

    summary: str
    touches: list[str]
    users_share: float  # of requests that would notice, 0..1
    reversible: bool
    warning: str = ""

    def told(self) -> str:
        """Lines for a person."""
        share, undo = f"{self.users_share:.0%}", "can" if self.reversible else "cannot"
        radius = (
            f"  blast radius: {', '.join(self.touches)}; {share} of requests; {undo} be reverted"
        )
        return "\n".join((self.summary, radius, *([f"  {self.warning}"] if self.warning else ())))


@dataclass(frozen=True)
class Kind:
    """One kind of action. arguments: name -> what it is. optional: those of them that may be left out.
    preview and run raise DRILL-007 for a bad value."""

    name: str
    summary: str
    arguments: dict[str, str]
    preview: Callable[[Operations, dict[str, str]], Preview]
    run: Callable[[Operations, dict[str, str], str], Record]
    optional: frozenset[str] = frozenset()


def bad_argument(action: str, name: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "DRILL-007", where=f"act {action}, {name}", seen=seen, expected=expected,
        fix="see `sandbox act --help`",
    )  # fmt: skip


def _edge(ops: Operations, a: dict[str, str], action: str) -> tuple[str, str, Edge]:
    caller, callee = a["caller"], a["callee"]
    if callee not in EDGES.get(caller, ()):
        there = [f"caller={c} callee={e}" for c, es in EDGES.items() for e in es]
        raise bad_argument(action, "caller, callee", f"{caller}->{callee}", f"one of {there}")
    edge: Edge = getattr(getattr(Config.load(ops.run.path), caller), callee)
    return caller, callee, edge


def _number(action: str, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad_argument(action, name, text, "a number")
    return number


def _set_edge(ops: Operations, a: dict[str, str], actor: str, op: str, **change: Any) -> Record:
    caller, callee, edge = _edge(ops, a, op)
    name, value = next(iter(change.items()))
    return ops.apply(
        {caller: {callee: edge.model_copy(update=change).model_dump()}}, actor=actor, op=op, arguments=a,
        target=caller, key=f"{callee}.{name}", old=_text(getattr(edge, name)), new=_text(value),
    )  # fmt: skip


def _text(value: float | str | Breaker | None) -> str:
    """A field of an edge as it stands in the change log: a breaker as its action takes it."""
    if isinstance(value, Breaker):
        return " ".join(f"{name}={number:g}" for name, number in value)
    return "off" if value is None else str(value)


def _preview_edge(ops: Operations, a: dict[str, str], op: str, field: str, warning: str) -> Preview:
    caller, callee, edge = _edge(ops, a, op)
    summary = (
        f"{caller}->{callee}: {field} {getattr(edge, field)} becomes {a.get('path') or a.get('ms')}"
    )
    return Preview(summary, [caller], 1.0, True, warning)


def _path(ops: Operations, a: dict[str, str], actor: str) -> Record:
    if a["path"] not in ("a", "b"):
        raise bad_argument("path", "path", a["path"], "a or b")
    return _set_edge(ops, a, actor, "path", path=a["path"])


def _deadline(ops: Operations, a: dict[str, str], actor: str) -> Record:
    ms = _number("deadline", "ms", a["ms"])
    return _set_edge(ops, a, actor, "deadline", deadline_ms=ms)


_BREAKER = {
    "failed_share": "share of calls that fail, from which on it opens (optional)",
    "least_calls": "calls that must have ended in the window (optional)",
    "window_s": "wall seconds of calls that count (optional)",
    "open_s": "wall seconds that it stays open (optional)",
    "trial_calls": "calls that must then do well for it to close (optional)",
}
assert tuple(_BREAKER) == tuple(Breaker.model_fields)


def _wanted_breaker(ops: Operations, a: dict[str, str]) -> tuple[Edge, Breaker | None]:
    """The edge, and its breaker to be. Settings that are not given are as they were, else the defaults."""
    _, _, edge = _edge(ops, a, "breaker")
    given = {name: _number("breaker", name, text) for name, text in a.items() if name in _BREAKER}
    if a["switch"] not in ("on", "off"):
        raise bad_argument("breaker", "switch", a["switch"], "on or off")
    if a["switch"] == "off":
        if given:
            raise bad_argument("breaker", ", ".join(given), "a setting", "none with switch=off")
        return edge, None
    before = edge.breaker or Breaker()
    try:
        return edge, Breaker.model_validate({**before.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise bad_argument("breaker", name, a[name], first["msg"]) from None


def _breaker(ops: Operations, a: dict[str, str], actor: str) -> Record:
    return _set_edge(ops, a, actor, "breaker", breaker=_wanted_breaker(ops, a)[1])


def _preview_breaker(ops: Operations, a: dict[str, str]) -> Preview:
    edge, wanted = _wanted_breaker(ops, a)
    caller, callee = a["caller"], a["callee"]
    now, then = _text(edge.breaker), _text(wanted)
    warning = (
        "" if wanted is None else "while it is open the callee gets no call and fallbacks answer"
    )
    return Preview(
        f"{caller}->{callee}: breaker {now} becomes {then}", [caller], 1.0, True, warning
    )


_VERSIONED = {  # artefact -> service, field of its configuration
    "ranker": ("model", "ranker"),
    "two_tower": ("model", "two_tower"),
    "index": ("retrieval", "index_version"),
}


def _promote(ops: Operations, a: dict[str, str], actor: str) -> Record:
    if a["artifact"] not in _VERSIONED:
        raise bad_argument("promote", "artifact", a["artifact"], f"one of {list(_VERSIONED)}")
    service, field = _VERSIONED[a["artifact"]]
    return ops.apply(
        {service: {field: a["version"]}}, actor=actor, op="promote", arguments=a,
        target=service, key=a["artifact"], new=a["version"],
    )  # fmt: skip


def _preview_promote(ops: Operations, a: dict[str, str]) -> Preview:
    if a["artifact"] not in _VERSIONED:
        raise bad_argument("promote", "artifact", a["artifact"], f"one of {list(_VERSIONED)}")
    service, field = _VERSIONED[a["artifact"]]
    now = getattr(getattr(Config.load(ops.run.path), service), field)
    warning = "" if a["artifact"] == "ranker" else "user tower and index must be of one generation"
    return Preview(f"{a['artifact']} {now} becomes {a['version']}", [service], 1.0, True, warning)


def _find(ops: Operations, a: dict[str, str]) -> Record:
    number = int(_number("revert", "change", a["change"]))
    found = next((r for r in ops.records() if r.n == number and r.before), None)
    if found is None:
        there = [r.n for r in ops.records() if r.before]
        raise bad_argument(
            "revert", "change", a["change"], f"the number of a change: one of {there}"
        )
    return found


def _preview_revert(ops: Operations, a: dict[str, str]) -> Preview:
    found = _find(ops, a)
    summary = f"{found.target} {found.key}: {found.new} goes back to {found.old}"
    return Preview(summary, sorted(found.before), 1.0, True)


def _restart(ops: Operations, a: dict[str, str], actor: str) -> Record:
    name = _process(a)
    ops.platform.restart(name)
    return ops.note(actor=actor, op="restart", arguments=a, target=name, key="process", old="running",
                    new="restarted", effects=[f"restart service={name}"])  # fmt: skip


def _process(a: dict[str, str]) -> str:
    if a["service"] not in PROCESSES:
        raise bad_argument("restart", "service", a["service"], f"one of {list(PROCESSES)}")
    return a["service"]


def _preview_restart(ops: Operations, a: dict[str, str]) -> Preview:
    name = _process(a)
    share = {"stream": 0.0, "collector": 0.0, "events": 0.0}.get(name, 1.0)
    warning = "loses every online feature until they are written anew" if name == "redis" else ""
    return Preview(f"{name} stops, drains and starts again", [name], share, False, warning)


def _skip(ops: Operations, a: dict[str, str], actor: str) -> Record:
    backlog = ops.platform.skip()
    return ops.note(actor=actor, op="skip-backlog", arguments=a, target="stream", key="backlog",
                    old=f"{backlog} entries", new="skipped", effects=["skip-backlog"])  # fmt: skip


def _replay(ops: Operations, a: dict[str, str], actor: str) -> Record:
    minutes = _number("replay", "minutes", a["minutes"])
    if minutes < 0:
        raise bad_argument("replay", "minutes", a["minutes"], "0 or more")
    ops.platform.replay(minutes)
    return ops.note(actor=actor, op="replay", arguments=a, target="stream", key="position",
                    old="latest", new=f"{minutes:g} world minutes ago", effects=["replay"])  # fmt: skip


def _preview_skip(ops: Operations, a: dict[str, str]) -> Preview:
    n = ops.platform.backlog()
    return Preview(f"{n} waiting entries will never reach the session features", ["stream"], 0.0, False,
                   "what users did in that time stays unknown to ranking")  # fmt: skip


def _rebuild(ops: Operations, a: dict[str, str], actor: str) -> Record:
    from sandbox.pipeline.index import rebuild  # torch: only here

    encoder = Config.load(ops.run.path).model.two_tower
    own, _ = ops.run.registries
    version = f"ix-r{1 + len(list((own / 'index').glob('ix-r*')))}"
    rebuild(ops.run.registries, encoder, version, own)
    return ops.apply(
        {"retrieval": {"index_version": version}}, actor=actor, op="rebuild-index", arguments=a,
        target="retrieval", key="index", new=version, note=f"item vectors of {encoder}",
        effects=["rebuild-index"],
    )  # fmt: skip


def _preview_rebuild(ops: Operations, a: dict[str, str]) -> Preview:
    encoder = Config.load(ops.run.path).model.two_tower
    return Preview(f"a fresh index of {encoder}'s item vectors is built and searched from then on",
                   ["retrieval"], 1.0, True, "some seconds of one core")  # fmt: skip


def _lists(a: dict[str, str]) -> int:
    n = _number("nprobe", "n", a["n"])
    if n != int(n) or n < 1:
        raise bad_argument("nprobe", "n", a["n"], "a whole number, 1 or more")
    return int(n)


def _nprobe(ops: Operations, a: dict[str, str], actor: str) -> Record:
    return ops.apply(
        {"retrieval": {"nprobe": _lists(a)}}, actor=actor, op="nprobe", arguments=a,
        target="retrieval", key="nprobe", new=str(_lists(a)),
    )  # fmt: skip


def _preview_nprobe(ops: Operations, a: dict[str, str]) -> Preview:
    now = Config.load(ops.run.path).retrieval.nprobe
    was = "as many lists as the index was built for" if now is None else f"{now} lists"
    return Preview(f"a search that goes through {was} goes through {_lists(a)}", ["retrieval"], 1.0, True,
                   "fewer lists: neighbours are missed; more: each search takes longer")  # fmt: skip


def _source(ops: Operations, a: dict[str, str], actor: str, op: str) -> Record:
    config = Config.load(ops.run.path).retrieval
    if a["source"] not in config.quotas:
        raise bad_argument(op, "source", a["source"], f"one of {list(config.quotas)}")
    disabled = set(config.disabled) | {a["source"]}
    if op == "enable-source":
        disabled.discard(a["source"])
    return ops.apply(
        {"retrieval": {"disabled": sorted(disabled)}}, actor=actor, op=op, arguments=a,
        target="retrieval", key=f"source.{a['source']}", new=op.removesuffix("-source") + "d",
    )  # fmt: skip


_ALL = (
    Kind("path", "Send an edge's calls over its other network path",
         {"caller": "service that calls", "callee": "service that is called", "path": "a or b"},
         lambda o, a: _preview_edge(o, a, "path", "path", ""), _path),
    Kind("deadline", "Change how long a caller waits for a callee",
         {"caller": "service that calls", "callee": "service that is called", "ms": "milliseconds"},
         lambda o, a: _preview_edge(o, a, "deadline", "deadline_ms",
                                    "too short: fallbacks answer; too long: the budget burns"), _deadline),
    Kind("breaker", "Put a circuit breaker on an edge, change it or take it off",
         {"caller": "service that calls", "callee": "service that is called", "switch": "on or off", **_BREAKER},
         _preview_breaker, _breaker, frozenset(_BREAKER)),
    Kind("promote", "Make a version of a model or index the active one (a rollback names an older one)",
         {"artifact": "ranker, two_tower or index", "version": "version"}, _preview_promote, _promote),
    Kind("rebuild-index", "Build an index from the active two-tower version and search it",
         {}, _preview_rebuild, _rebuild),
    Kind("nprobe", "Search so many lists of an index that is an inverted file",
         {"n": "lists"}, _preview_nprobe, _nprobe),
    Kind("revert", "Put back what a change changed", {"change": "number of the change"},
         _preview_revert, lambda o, a, actor: o.revert(_find(o, a).n, actor)),
    Kind("restart", "Stop and start one process", {"service": "name of the process"},
         _preview_restart, _restart),
    Kind("skip-backlog", "Have the stream processor go on from now", {}, _preview_skip, _skip),
    Kind("replay", "Have the stream processor go over the past again",
         {"minutes": "how far back, world minutes"},
         lambda o, a: Preview(f"events of the last {a['minutes']} world minutes are applied again",
                              ["stream"], 0.0, False), _replay),
    Kind("disable-source", "Switch a candidate source off", {"source": "ann, covisit, followed, popular, fresh"},
         lambda o, a: Preview(f"{a['source']} gives no candidates", ["retrieval"], 1.0, True),
         lambda o, a, actor: _source(o, a, actor, "disable-source")),
    Kind("enable-source", "Switch a candidate source on", {"source": "ann, covisit, followed, popular, fresh"},
         lambda o, a: Preview(f"{a['source']} gives candidates again", ["retrieval"], 1.0, True),
         lambda o, a, actor: _source(o, a, actor, "enable-source")),
)  # fmt: skip
ACTIONS = {kind.name: kind for kind in _ALL}


@dataclass(frozen=True)
class Action:
    """One action, its arguments known to be those of its kind."""

    kind: Kind
    arguments: dict[str, str]

    @classmethod
    def parse(cls, words: list[str]) -> Action:
        """From `NAME argument=value ...`. Raises DRILL-005 for the name, DRILL-007 for an argument."""
        name, *rest = words or [""]
        if name not in ACTIONS:
            raise SandboxError(
                "DRILL-005", where="act", seen=name, expected=f"one of {list(ACTIONS)}",
                fix="see `sandbox act --help`",
            )  # fmt: skip
        kind, given = ACTIONS[name], {}
        for word in rest:
            key, equals, value = word.partition("=")
            if not equals or key not in kind.arguments:
                raise bad_argument(name, key, word, f"argument=value of {list(kind.arguments)}")
            given[key] = value
        needed = [key for key in kind.arguments if key not in kind.optional]
        if missing := [key for key in needed if key not in given]:
            example = " ".join(f"{key}=..." for key in needed)
            raise bad_argument(name, ", ".join(missing), "nothing", f"{name} {example}")
        return cls(kind, given)

    def preview(self, operations: Operations) -> Preview:
        return self.kind.preview(operations, self.arguments)

    def run(self, operations: Operations, actor: str) -> Record:
        return self.kind.run(operations, self.arguments, actor)
