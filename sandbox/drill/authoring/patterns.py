"""Patterns on actions that can mean something: operations, arguments and values that there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.base.config import Config, Document
from sandbox.base.instances import SCALABLE, every_name
from sandbox.base.run import PROCESSES
from sandbox.base.strict_yaml import Place
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess, listed
from sandbox.drill.scenario.globs import overlap
from sandbox.drill.scenario.patterns import CHANGED, OPERATIONS, ActionPattern
from sandbox.runtime.operate.actions import ACTIONS, EDGES
from services.retrieval.core import SOURCES
from services.skeleton.balancer import PICK_FIRST, ROUND_ROBIN

VERSIONED = {
    "ranker": ("model", "ranker"),
    "two_tower": ("model", "two_tower"),
    "index": ("retrieval", "index_version"),
}
_FREE = {setting for kind in ACTIONS.values() for setting in kind.settings}
_WILD = "*?["


@dataclass
class Known:
    """What the actions of a scenario can speak of, once its timeline has been rehearsed.

    versions: by artefact. released: (target, key) of what releases changed. noted: of entries of the change
    log that changed nothing. values: (service, field) -> values it had or got. in_force: its last.
    """

    versions: dict[str, set[str]]
    released: set[tuple[str, str]] = field(default_factory=set)
    noted: set[tuple[str, str]] = field(default_factory=set)
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    in_force: dict[tuple[str, str], str] = field(default_factory=dict)


def parsed(draft: Draft, place: Place, text: Any) -> Iterator[Finding | ActionPattern]:
    """The pattern, or why it is none."""
    if not isinstance(text, str) or not text.strip():
        return  # the schema says so
    try:
        pattern = ActionPattern.parse(text)
    except ValueError as error:
        yield draft.error("bad-action", place, text, "OPERATION name=value ...", str(error))
        return
    ops = [op for op in OPERATIONS if overlap(op, pattern.op)]
    if not ops:
        yield draft.error(
            "bad-action",
            place,
            pattern.op,
            listed(OPERATIONS, 20),
            guess(pattern.op, OPERATIONS, "see `sandbox act --help`"),
        )
        return
    allowed = list(dict.fromkeys([*(a for op in ops for a in OPERATIONS[op]), *CHANGED]))
    strangers = [name for name, _ in pattern.arguments if name not in allowed]
    for name in strangers:
        yield draft.error("bad-action", place, name, f"an argument of {pattern.op}: {', '.join(allowed)}",
                          guess(name, allowed, "see `sandbox act --help`"))  # fmt: skip
    if not strangers:
        yield pattern


def values(draft: Draft, place: Place, pattern: ActionPattern, known: Known, own: bool) -> Iterator[Finding]:
    """Values that nothing can have. own: only what the timeline made can be taken back."""
    given = dict(pattern.arguments)
    for name, there in _plain(given, pattern, known).items():
        if name in given and not any(overlap(given[name], value) for value in there):
            yield draft.error("bad-action", place, f"{name}={given[name]}", listed(sorted(there), 20),
                              guess(given[name], there, "see `sandbox act --help`"))  # fmt: skip
    kind = ACTIONS.get(pattern.op)
    for name, (least, most) in (kind.ranges if kind else {}).items():
        text = given.get(name)
        if text is not None and not any(mark in text for mark in _WILD) and not _within(text, least, most):
            yield draft.error("bad-action", place, f"{name}={text}", f"a number from {least:g} to {most:g}",
                              "choose a value that the action takes")  # fmt: skip
    if kind and {"caller", "callee"} <= kind.arguments.keys():
        yield from _edge(draft, place, given)
    if pattern.op == "revert":
        yield from _revert(draft, place, given, known, own)
    if pattern.op == "set":
        yield from _set(draft, place, given, known)


def meet(one: ActionPattern, other: ActionPattern) -> bool:
    """Whether some action is one of both."""
    mine, theirs = dict(one.arguments), dict(other.arguments)
    return overlap(one.op, other.op) and all(overlap(mine[name], theirs[name]) for name in mine.keys() & theirs.keys())


def complete(pattern: ActionPattern) -> bool:
    """Whether it can be carried out as it stands: no wildcard, and nothing left out."""
    given = {name for name, _ in pattern.arguments}
    if not pattern.concrete or pattern.op == "set":
        return False
    if pattern.op == "revert":
        return bool(given & {"change", *CHANGED})
    kind = ACTIONS.get(pattern.op)
    return kind is not None and set(kind.arguments) - kind.optional <= given and not given & set(CHANGED)


def _plain(given: dict[str, str], pattern: ActionPattern, known: Known) -> dict[str, Iterable[str]]:
    artifact = given.get("artifact", "*")
    versions = {v for a, there in known.versions.items() if overlap(artifact, a) for v in there}
    if overlap(artifact, "index"):
        versions |= {"ix-r1", "ix-r2"}  # what rebuild-index makes
    everywhere: dict[str, Iterable[str]] = {
        "caller": EDGES, "callee": sorted({c for callees in EDGES.values() for c in callees}),
        "path": ("a", "b"), "switch": ("on", "off"), "artifact": VERSIONED, "version": versions,
        "source": SOURCES, "policy": (ROUND_ROBIN, PICK_FIRST),
    }  # fmt: skip
    if pattern.op == "set":
        return {}
    services = {"scale": SCALABLE, "restart": (*PROCESSES, *every_name())}
    return {**everywhere, "service": services.get(pattern.op, PROCESSES)}


def _within(text: str, least: float, most: float) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _edge(draft: Draft, place: Place, given: dict[str, str]) -> Iterator[Finding]:
    caller, callee = given.get("caller", "*"), given.get("callee", "*")
    edges = [(a, b) for a, callees in EDGES.items() for b in callees]
    alone = any(overlap(caller, a) for a, _ in edges) and any(overlap(callee, b) for _, b in edges)
    if alone and not any(overlap(caller, a) and overlap(callee, b) for a, b in edges):
        there = [f"{a}->{b}" for a, b in edges]
        yield draft.error("bad-action", place, f"{caller}->{callee}", listed(there),
                          guess(f"{caller}->{callee}", there, "name an edge that there is"))  # fmt: skip


def _revert(draft: Draft, place: Place, given: dict[str, str], known: Known, own: bool) -> Iterator[Finding]:
    if "change" in given and not any(mark in given["change"] for mark in _WILD):
        yield draft.error("no-such-change", place, f"change={given['change']}", "target=... key=... of a change",
                          "numbers differ from drill to drill: name what was changed")  # fmt: skip
        return
    target, key = given.get("target", "*"), given.get("key", "*")
    made_by_actions = {made for kind in ACTIONS.values() for made in kind.keys}
    there = known.released if own else known.released | made_by_actions
    if any(overlap(target, t) and overlap(key, k) for t, k in there):
        return
    noted = any(overlap(target, t) and overlap(key, k) for t, k in known.noted)
    told = [f"target={t} key={k}" for t, k in sorted(known.released)]
    fix = guess(f"target={target} key={key}", told, "name target and key of a release of the timeline")
    if noted:
        fix = "that change is only an entry of the log, nothing can be put back: make it a release, or name another"
    yield draft.error("no-such-change", place, f"target={target} key={key}", listed(told), fix)


def _set(draft: Draft, place: Place, given: dict[str, str], known: Known) -> Iterator[Finding]:
    services = {name: kind for name, kind in Config() if isinstance(kind, Document)}
    service, name = given.get("service", "*"), given.get("field", "*")
    fields = {(s, f) for s, kind in services.items() for f in type(kind).model_fields}
    if not any(overlap(service, s) for s in services):
        yield draft.error("bad-action", place, f"service={service}", listed(services),
                          guess(service, services, "name a service that has settings"))  # fmt: skip
        return
    matched = {(s, f) for s, f in fields if overlap(service, s) and overlap(name, f)}
    if not matched:
        there = sorted(f for s, f in fields if overlap(service, s))
        yield draft.error("bad-action", place, f"field={name}", listed(there, 20),
                          guess(name, there, "see sandbox scenario show --settings"))  # fmt: skip
        return
    if matched & _FREE:
        return
    by_version = {setting: artefact for artefact, setting in VERSIONED.items()}
    reached = {
        key: known.values.get(key, set()) | known.versions.get(by_version.get(key, ""), set())
        for key in matched
        if key in known.values or key in by_version
    }
    if not reached:
        yield draft.error("bad-action", place, f"{service}.{name}", "a setting that a release or an action changes",
                          "no release of the timeline touches it, so nothing brings it back")  # fmt: skip
        return
    value = given.get("value", "*")
    hits = {(key, v) for key, there in reached.items() for v in there if overlap(value, v)}
    if not hits:
        there = sorted({v for values in reached.values() for v in values})
        yield draft.error("bad-action", place, f"value={value}", listed(there),
                          guess(value, there, "name a value that it had before, or a version"))  # fmt: skip
    elif all(known.in_force.get(key) == v for key, v in hits):
        yield draft.error("no-effect", place, f"value={value}", "another value than is in force anyway",
                          "name the value that puts it right")  # fmt: skip
