"""Accepted, penalised and ending actions: known, possible, previewed and carried out on a still stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.strict_yaml import Place
from sandbox.drill.authoring import patterns
from sandbox.drill.authoring.patterns import Known
from sandbox.drill.authoring.rehearsal import BEGAN_TS, Rehearsal
from sandbox.drill.play import rollout, typed
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import shown

_MOVES_NOTHING = ("restart", "skip-backlog", "replay", "rebuild-index")  # in the documents
_FAR_S = 1e6  # after every step


def findings(draft: Draft, stack: Rehearsal) -> Iterator[Finding]:
    known = _known(draft, stack)
    whole = all(
        n in stack.rolled
        for n, step in enumerate(draft.raw_list("timeline"))
        if isinstance(step, dict) and step.get("release") is not None
    )
    read: dict[Place, ActionPattern] = {}
    for place, texts, own in _lists(draft):
        before: dict[str, int] = {}
        for n, text in enumerate(texts):
            at = (*place, n)
            for found in patterns.parsed(draft, at, text):
                if not isinstance(found, ActionPattern):
                    yield found
                    continue
                told = list(patterns.values(draft, at, found, known, own))
                yield from told
                if not any(f.severity == "error" for f in told):
                    read[at] = found
            if isinstance(text, str) and before.setdefault(" ".join(text.split()), n) != n:
                yield draft.error("duplicate", at, text, "each action once", "take it out")
    penalised = {at: p for at, p in read.items() if at[0] == "penalise"}
    accepted = {at: p for at, p in read.items() if "accept" in at}
    yield from _both_ways(draft, accepted, penalised)
    if draft.incident is False and accepted:
        yield draft.warning("no-effect", ("accept",), f"{len(accepted)} actions", "none in a false alarm",
                            "nothing is wrong, so nothing helps")  # fmt: skip
    yield from _first_ones(draft, accepted)
    for at, pattern in read.items():
        if patterns.complete(pattern):
            tried = _tried(draft, at, pattern, stack, penalised if at in accepted else {})
            # Where a release could not go out, what is in force is not what would be.
            yield from (f for f in tried if whole or f.code == "both-ways")


def _lists(draft: Draft) -> Iterator[tuple[Place, list[Any], bool]]:
    """Place, texts, and whether only the timeline's own changes can be meant."""
    for place, texts in draft.accepted():
        yield place, texts, True
    yield ("penalise",), draft.raw_list("penalise"), False
    yield ("probes",), draft.raw_list("probes"), False
    for n, step in enumerate(draft.raw_list("timeline")):
        if isinstance(step, dict) and isinstance(step.get("ends_on"), list):
            yield ("timeline", n, "ends_on"), step["ends_on"], True


def _known(draft: Draft, stack: Rehearsal) -> Known:
    found = Known(stack.platform.versions)
    for record in stack.operations.records():
        where = (record.target, record.key)
        (found.released if record.before else found.noted).add(where)
        for service, fields in record.before.items():
            for name, old in fields.items():
                found.values.setdefault((service, name), set()).add(shown(old))
    config = stack.config
    for service, name in found.values:
        now = shown(_plain(getattr(getattr(config, service), name)))
        found.values[service, name].add(now)
    for service, name in [*found.values, *patterns.VERSIONED.values()]:
        found.in_force[service, name] = shown(_plain(getattr(getattr(config, service), name)))
    for n, raw in enumerate(draft.raw_list("timeline")):  # of steps that cannot be read otherwise
        release = raw.get("release") if isinstance(raw, dict) else None
        if n not in stack.rolled and isinstance(release, dict):
            found.released.add((str(raw.get("target")), str(release.get("key"))))
            patches = release.get("patches")
            for service, fields in (patches if isinstance(patches, dict) else {}).items():
                for name in fields if isinstance(fields, dict) else ():
                    found.values.setdefault((str(service), str(name)), {"*"})
    return found


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _both_ways(
    draft: Draft, accepted: dict[Place, ActionPattern], penalised: dict[Place, ActionPattern]
) -> Iterator[Finding]:
    for at, mine in accepted.items():
        for other, theirs in penalised.items():
            if patterns.meet(mine, theirs):
                yield draft.error("both-ways", at, str(mine), f"none that penalise[{other[-1]}] means: {theirs}",
                                  "narrow one of the two")  # fmt: skip


def _first_ones(draft: Draft, accepted: dict[Place, ActionPattern]) -> Iterator[Finding]:
    """The first action of each list is the one that the scripted responder carries out."""
    for at, pattern in accepted.items():
        if at[-1] == 0 and not patterns.complete(pattern):
            why = "says what an action came to, and is none itself" if pattern.op == "set" else "leaves something open"
            yield draft.error("not-carried-out", at, str(pattern), "an action as `sandbox act` takes it, without wildcards",
                              f"the first one {why}: put one that can be carried out before it")  # fmt: skip


def _tried(
    draft: Draft, at: Place, pattern: ActionPattern, stack: Rehearsal, penalised: dict[Place, ActionPattern]
) -> Iterator[Finding]:
    text = str(pattern)
    if pattern.op == "revert" and not _takes_back(pattern, stack):
        return  # told of already, or made by a step that could not be rehearsed
    aside = stack.aside(Path(f"{stack.run.run_dir}-{'-'.join(map(str, at))}"))
    aside.platform.ts = BEGAN_TS + _FAR_S
    before = aside.config
    try:
        if pattern.op == "rebuild-index":
            Action.parse([pattern.op]).preview(aside.operations)
            return
        typed.act(text, aside.operations)
    except SandboxError as error:
        code = "not-carried-out" if at[-1] == 0 and "accept" in at else "bad-action"
        yield draft.error(code, at, error.seen, error.expected, f"{error.where}: {error.fix}")
        return
    if pattern.op == "nprobe" and aside.config.retrieval.index_version not in aside.lists:
        yield draft.error("no-effect", at, text, "an index that is an inverted file",
                          "an exact index searches everything, whatever nprobe says")  # fmt: skip
        return
    moved = before.model_copy(update={"version": 0}) != aside.config.model_copy(update={"version": 0})
    if not moved and pattern.op not in _MOVES_NOTHING and at[0] in ("accept", "truth"):
        yield draft.error("no-effect", at, text, "an action after which something is otherwise",
                          "it is so already; name the value that puts it right")  # fmt: skip
    done = rollout.actions_of(aside.operations, BEGAN_TS + _FAR_S)[-1]
    for other, theirs in penalised.items():
        if done.is_one_of([str(theirs)]) and not patterns.meet(pattern, theirs):
            yield draft.error(
                "both-ways", at, text, f"none that comes to penalise[{other[-1]}]: {theirs}", "narrow one of the two"
            )


def _takes_back(pattern: ActionPattern, stack: Rehearsal) -> bool:
    wanted = dict(pattern.arguments)
    return any(
        r.before and all(getattr(r, name, None) == value for name, value in wanted.items())
        for r in stack.operations.records()
    )
