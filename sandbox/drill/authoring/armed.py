"""Faults that are there, can be armed where the file says, and do something there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from faults import reach
from faults.base import Fault
from faults.catalogue import CATALOGUE, KNOWN
from sandbox.base.config import Config, Edge
from sandbox.base.instances import instances, service_of
from sandbox.base.run import PROCESSES
from sandbox.base.strict_yaml import Place
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.draft import Draft, split
from sandbox.drill.scenario.finding import Finding, guess, listed
from sandbox.drill.scenario.scenario import Step
from services.skeleton.points import POINTS, STAGES

NO_SHARE = 0.001
LEAST_SHARE = 0.01  # of calls: a rarer fault shows nothing in a drill
LEAST = {("rpc-edge-latency", "delay_ms"): 1.0, ("session-stream-lag", "lag_s"): 60.0,
         ("sensitivity-label-lag", "delay_s"): 3_600.0, ("flash-crowd", "multiplier"): 1.05,
         ("benign-mix-shift", "extra_share"): 0.02}  # fmt: skip


def kind_of(step: Step) -> type[Fault] | None:
    """The fault of a step, None for none or one that there is not."""
    return None if step.fault is None else CATALOGUE.get(step.fault.name)


def findings(draft: Draft) -> Iterator[Finding]:
    for n, raw in enumerate(draft.raw_list("timeline")):
        if isinstance(raw, dict):
            yield from _names(draft, ("timeline", n), raw)
    for n, step in draft.steps:
        kind = kind_of(step)
        if kind is not None:
            yield from _use(draft, ("timeline", n), step, kind)
    yield from _same_seam(draft)
    yield from _look_alikes(draft)


def _names(draft: Draft, place: Place, raw: dict[str, Any]) -> Iterator[Finding]:
    """Names of the fault and of the target, whatever else of the step can be read."""
    fault = raw.get("fault")
    name = fault.get("name") if isinstance(fault, dict) else None
    if isinstance(name, str) and name not in CATALOGUE:
        yield draft.error(
            "unknown-name",
            (*place, "fault", "name"),
            name,
            listed(CATALOGUE),
            guess(name, CATALOGUE, "see `sandbox fault list`"),
        )
    target = raw.get("target")
    there = {*PROCESSES, "load", *taxonomy.COMPONENTS} - {taxonomy.NONE}
    if isinstance(target, str) and fault is None and target not in there:
        yield draft.error(
            "unknown-name",
            (*place, "target"),
            target,
            listed(sorted(there), 40),
            guess(target, there, "name a service, an edge caller->callee or a component: sandbox drill words"),
        )


def _use(draft: Draft, place: Place, step: Step, kind: type[Fault]) -> Iterator[Finding]:
    assert step.fault is not None
    for part, seen, expected in reach.unreachable(kind, step.target, step.scope, step.share, step.onset, step.until_s):
        keys = tuple(int(k) if k.isdigit() else k for k in part.split("."))
        names = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else reach.targets(kind)
        fix = guess(seen, names, f"see `sandbox fault show {kind.name}`")
        yield draft.error("unreachable", (*place, *keys), seen, expected, fix)
    if (kind.seam in STAGES) != (step.release is not None):
        stage = kind.seam in STAGES
        yield draft.error(
            "unreachable",
            (*place, "fault"),
            kind.name,
            "the release that it spoils beside it" if stage else "no release beside it",
            f"it acts on {reach.place(kind)}" if stage else "give the release a step of its own",
        )
    params = yield from _params(draft, place, step, kind)
    if params is not None:
        yield from _idle(draft, place, step, kind, params)
    if step.ends_on and kind.seam in STAGES:
        yield draft.error(
            "no-effect",
            (*place, "ends_on"),
            list(step.ends_on),
            "nothing: a release ends when it is taken back",
            "take it out",
        )
    if step.share < LEAST_SHARE:
        yield draft.finding(
            "error" if step.share < NO_SHARE else "warning", "no-effect", (*place, "share"), step.share, f"{LEAST_SHARE:g} or more",
            "a fault that hits so few calls shows nothing",
        )  # fmt: skip
    yield from _empty_path(draft, place, step, kind)
    yield from _absent_instances(draft, place, step)


def _params(draft: Draft, place: Place, step: Step, kind: type[Fault]) -> Any:
    """The typed knobs, None where they are not what they should be: each one is told."""
    assert step.fault is not None
    try:
        return kind.Params(**step.fault.params)
    except (ValidationError, TypeError) as error:
        if not isinstance(error, ValidationError):
            return None
        for told in error.errors():
            at: Place = (*place, "fault", "params", *told["loc"])
            knobs = list(kind.Params.model_fields)
            if told["type"] == "extra_forbidden":
                yield draft.error(
                    "unknown-key",
                    at,
                    told["loc"][0],
                    f"a knob of {kind.name}: {', '.join(knobs) or 'it has none'}",
                    guess(told["loc"][0], knobs, f"see `sandbox fault show {kind.name}`"),
                )
                continue
            at, message = split(draft.document, at, str(told["msg"]).removeprefix("Value error, "))
            yield draft.error("bad-value", at, told.get("input"), message, f"see `sandbox fault show {kind.name}`")
    return None


def _idle(draft: Draft, place: Place, step: Step, kind: type[Fault], params: Any) -> Iterator[Finding]:
    assert step.fault is not None
    patches = step.release.patches if step.release is not None else {}
    if step.release is not None:
        for setting in kind.needs:
            service, name = setting.split(".")
            if name not in patches.get(service, {}):
                yield draft.error(
                    "no-effect",
                    (*place, "release", "patches"),
                    listed([f"{s}.{k}" for s, v in patches.items() for k in v]).removeprefix("one of "),
                    f"a release of {setting}, which {kind.name} spoils",
                    f"release {setting} there, as it should be",
                )
                return
        made_by = POINTS[kind.seam].made_by
        if made_by and getattr(step.release, made_by) is None:
            yield draft.error(
                "no-effect",
                (*place, "release"),
                f"no {made_by}",
                f"a release with {made_by}",
                f"{kind.name} spoils what is made for it",
            )
            return
    try:
        why = kind.idle(params, patches)
    except (AttributeError, TypeError, KeyError):
        why = None  # the patch itself is no setting: told of elsewhere
    built = step.release.inverted_file if step.release is not None else None
    if kind.name == "ann-recall-collapse" and built is not None and params.nprobe >= built.nprobe:
        why = f"nprobe: the index is built to search {built.nprobe} lists"
    if why:
        key, knob, told = why.partition(": ")
        if not knob:
            there = [f"{s}.{k}" for s, v in patches.items() for k in v]
            yield draft.error("no-effect", (*place, "release", "patches"), ", ".join(there), why,
                              f"release what {kind.name} spoils, as it should be")  # fmt: skip
            return
        at: Place = (*place, "fault", "params", key.split(", ")[0])
        yield draft.error("no-effect", at, getattr(params, key.split(", ")[0], None), told,
                          f"choose a value that hurts; see `sandbox fault show {kind.name}`")  # fmt: skip
    for (name, knob), least in LEAST.items():
        if name == kind.name and getattr(params, knob) < least:
            yield draft.error(
                "no-effect",
                (*place, "fault", "params", knob),
                getattr(params, knob),
                f"{least:g} or more",
                "less of it is lost in the noise of a drill",
            )


def _empty_path(draft: Draft, place: Place, step: Step, kind: type[Fault]) -> Iterator[Finding]:
    """A fault on a path that no call takes, until somebody sends them there."""
    caller, _, callee = step.target.partition("->")
    edge = getattr(getattr(Config(), caller, None), callee, None) if callee else None
    if kind.seam != "rpc" or not step.scope.paths or not isinstance(edge, Edge):
        return
    moved = any(
        isinstance(patch := (s.release.patches if s.release else {}).get(caller, {}).get(callee), dict)
        and patch.get("path") in step.scope.paths
        for _, s in draft.steps
    )
    if edge.path not in step.scope.paths and not moved:
        yield draft.warning(
            "no-effect",
            (*place, "scope", "paths"),
            list(step.scope.paths),
            f"{edge.path}, the path that calls of {step.target} take",
            "it does nothing until somebody sends the calls there, which may be the accepted action",
        )


def _absent_instances(draft: Draft, place: Place, step: Step) -> Iterator[Finding]:
    """Instances that neither the beginning nor a release brings."""
    most = dict(draft.config.replicas)
    for _, other in draft.steps:
        for service, settings in (other.release.patches if other.release else {}).items():
            most[service] = max(most.get(service, 1), settings.get("replicas", 1))
    for i, name in enumerate(step.scope.instances):
        service = service_of(name)
        if name not in instances(service, most.get(service, 1)):
            yield draft.error(
                "no-effect",
                (*place, "scope", "instances", i),
                name,
                f"one of {', '.join(instances(service, most.get(service, 1)))}",
                "say in replicas, or in a release, that there is one",
            )


def _same_seam(draft: Draft) -> Iterator[Finding]:
    """Two faults of the incident at one place: one action may not reach both."""
    seen: dict[tuple[str, str], int] = {}
    for n, step in draft.steps:
        kind = kind_of(step)
        if kind is None or step.anyway or kind.control:
            continue
        where = (kind.seam, step.target)
        if where in seen:
            yield draft.warning(
                "two-causes",
                ("timeline", n, "fault"),
                f"{kind.name} at {step.target}",
                f"one fault at a place: timeline[{seen[where]}] acts there already",
                "see with `sandbox scenario prove` whether what is accepted ends both",
            )
        seen.setdefault(where, n)


def _look_alikes(draft: Draft) -> Iterator[Finding]:
    own = {kind.name for _, step in draft.steps if (kind := kind_of(step)) and not kind.control}
    listed_before: set[str] = set()
    for n, name in enumerate(draft.raw_list("look_alikes")):
        place: Place = ("look_alikes", n)
        if not isinstance(name, str):
            continue
        if name not in KNOWN:
            yield draft.error(
                "unknown-name",
                place,
                name,
                "a fault, or a mechanism that is known beside them",
                guess(name, KNOWN, "see `sandbox fault list` and the look-alikes in docs/faults.md"),
            )
        elif name in own:
            yield draft.error("no-effect", place, name, "another fault than the scenario's own", "take it out")
        if name in listed_before:
            yield draft.error("duplicate", place, name, "each look-alike once", "take it out")
        listed_before.add(name)
