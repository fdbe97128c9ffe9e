"""Times in the order in which things happen: innocent changes, the fault, the page, the evidence. Pure.

Read from the file as it stands, so that one part that cannot be read hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faults.onset import SETTINGS as ONSET_SETTINGS
from sandbox.base.strict_yaml import Place
from sandbox.drill.authoring.armed import kind_of
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding
from sandbox.drill.scenario.scenario import Step
from sandbox.telemetry.settings import AlertSettings
from services.skeleton.points import STAGES

_NUMERIC = {"at_s", "until_s", "onset_s", "evidence_by_s", "vary_s", "minutes", "stars", "seed", "world_rate",
            "rate_per_s", "to_per_s", "share", "ramp_s", "period_s", "on_s", "half_life_s", "retrain"}  # fmt: skip
NONE = 0.01  # strength at which there is nothing at all
LITTLE = 0.1  # strength of a fault at which a trainee has nothing to find yet


def findings(draft: Draft) -> Iterator[Finding]:
    yield from _truth_values(draft)
    yield from _steps(draft)
    yield from _within(draft)
    yield from _onsets(draft)
    yield from _page(draft)
    for n, step in draft.steps:
        if step.fault is not None:
            yield from _course(draft, n, step)


def _number(value: Any) -> float | None:
    """What the schema takes for a number, None for what it does not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _truth_values(draft: Draft) -> Iterator[Finding]:
    """`yes` where a number is meant: Python counts it as 1."""
    for place in draft.document.lines:
        if place and place[-1] in _NUMERIC and isinstance(draft.raw_at(place), bool):
            yield draft.error("bad-value", place, draft.raw_at(place), "a number", "write the number")


def _steps(draft: Draft) -> Iterator[Finding]:
    latest, before = float("-inf"), 0
    for n, step in enumerate(draft.raw_list("timeline")):
        at_s = _number(step.get("at_s")) if isinstance(step, dict) else None
        if at_s is None:
            continue
        if at_s < latest:
            yield draft.error(
                "order",
                ("timeline", n, "at_s"),
                at_s,
                f"{latest:g} or later, after timeline[{before}]",
                "put the steps in the order of at_s",
            )
        else:
            latest, before = at_s, n


def _within(draft: Draft) -> Iterator[Finding]:
    length = draft.length_s
    if length is None:
        return
    vary = _number(draft.raw_at(("vary_s",))) or 0.0
    later = f" less {vary:g} of vary_s" if vary else ""
    places: list[Place] = [
        ("timeline", n, key) for n in range(len(draft.raw_list("timeline"))) for key in ("at_s", "until_s")
    ]
    places += [("pager", "at_s"), ("evidence_by_s",), ("load", "at_s"), ("load", "until_s")]
    for place in places:
        at_s = _number(draft.raw_at(place))
        if at_s is not None and at_s + vary >= length:
            yield draft.error(
                "order",
                place,
                at_s,
                f"less than {length:g}{later}, the drill's length in world seconds",
                "minutes x 60 x world_rate is the length: make it longer, or this earlier",
            )


def _onsets(draft: Draft) -> Iterator[Finding]:
    at_work = {s.at_s for _, s in draft.steps if _harmful(s)}
    strange = any(s.fault is not None and kind_of(s) is None for _, s in draft.steps)
    if strange or len(draft.steps) < len(draft.raw_list("timeline")):
        return  # what cannot be read may be what it speaks of
    if draft.incident is not None and draft.incident != bool(at_work):
        expected = "a fault that does harm on the timeline" if draft.incident else "no fault that does harm"
        yield draft.error(
            "no-onset", ("truth", "incident"), draft.incident, expected,
            "arm one, or say incident: false" if draft.incident else "say incident: true, or mark the fault anyway: true",
        )  # fmt: skip
    for place, cause in draft.causes():
        onset = _number(cause.get("onset_s"))
        if onset is not None and at_work and onset not in at_work:
            yield draft.error(
                "no-onset",
                (*place, "onset_s"),
                onset,
                f"the at_s of a fault: {_told(at_work)}",
                "give the time at which that fault is armed",
            )
    told = draft.onsets()
    for n, step in draft.steps:
        if _harmful(step) and told and set(told) <= at_work and step.at_s not in told:
            yield draft.warning(
                "no-onset",
                ("timeline", n, "at_s"),
                step.at_s,
                f"the onset of a cause: {_told(told)}",
                "name it among truth.causes, or mark what belongs to the day anyway: true",
            )


def _page(draft: Draft) -> Iterator[Finding]:
    paged, by = _number(draft.raw_at(("pager", "at_s"))), _number(draft.raw_at(("evidence_by_s",)))
    vary = _number(draft.raw_at(("pager", "vary_s"))) or 0.0
    if vary and paged is not None and by is not None and paged <= by < paged + vary:
        yield draft.error(
            "order",
            ("pager", "vary_s"),
            vary,
            f"{max(0.0, by - paged):g} at most, up to evidence_by_s",
            "who is paged later than that has no time to look: vary it less, or move evidence_by_s",
        )
    first = min(draft.onsets(), default=None)
    if draft.incident and first is not None:
        if paged is not None and paged <= first:
            yield draft.error(
                "order",
                ("pager", "at_s"),
                paged,
                f"later than {first:g}, when the fault begins",
                "nobody can complain of what has not begun: page later, or begin earlier",
            )
        if draft.raw_at(("pager", "kind")) == "alert" and first < AlertSettings().baseline_s:
            yield draft.warning(
                "order",
                ("truth", "onset_s"),
                first,
                f"{AlertSettings().baseline_s:g} or later",
                "alerts learn what is healthy until then; what is broken before counts as healthy",
            )
    for place, cause in draft.causes():
        onset = _number(cause.get("onset_s"))
        if onset is not None and by is not None and onset >= by:
            yield draft.error(
                "order",
                (*place, "onset_s"),
                onset,
                f"earlier than evidence_by_s, {by:g}",
                "what has not begun cannot be seen: begin earlier, or give more time",
            )
    if paged is not None and by is not None and by <= paged:
        yield draft.error(
            "order",
            ("evidence_by_s",),
            by,
            f"later than the page at {paged:g}",
            "leave time to look between the page and evidence_by_s",
        )


def _course(draft: Draft, n: int, step: Step) -> Iterator[Finding]:
    place: Place = ("timeline", n)
    given = draft.raw_at((*place, "onset"))
    if isinstance(given, dict):
        for key in given:
            if key != "shape" and key not in ONSET_SETTINGS[step.onset.shape]:
                yield draft.error(
                    "no-effect",
                    (*place, "onset", key),
                    given[key],
                    f"nothing: {step.onset.shape} has no use for it",
                    "take it out, or choose the shape that has",
                )
    if step.until_s is not None and step.until_s <= step.at_s:
        yield draft.error(
            "order",
            (*place, "until_s"),
            step.until_s,
            f"after its at_s, {step.at_s:g}",
            "until_s counts from the beginning of the drill, as at_s does",
        )
    by = _number(draft.raw_at(("evidence_by_s",)))
    if by is None or not _harmful(step) or by <= step.at_s or _at_a_stage(step):
        return
    paged = _number(draft.raw_at(("pager", "at_s")))
    if step.until_s is not None and paged is not None and step.at_s < step.until_s <= paged:
        yield draft.warning(
            "order",
            (*place, "until_s"),
            step.until_s,
            f"after the page at {paged:g}",
            "it is over before anybody is called: let it last, or page earlier",
        )
    best = max(step.onset.strength(s) for s in (by - step.at_s, *_samples(by - step.at_s)))
    if best < LITTLE:
        yield draft.finding(
            "error" if best < NONE else "warning", "no-effect", (*place, "onset"), f"strength {best:.2f} at evidence_by_s",
            f"at least {LITTLE:g} while there is time to look", "let it come quicker",
        )  # fmt: skip


def _samples(length_s: float) -> list[float]:
    return [length_s * part / 200 for part in range(200)]


def _harmful(step: Step) -> bool:
    kind = kind_of(step)
    return kind is not None and not step.anyway and not kind.control


def _at_a_stage(step: Step) -> bool:
    kind = kind_of(step)
    return kind is not None and kind.seam in STAGES


def _told(times: Any) -> str:
    return ", ".join(f"{t:g}" for t in sorted(times))
