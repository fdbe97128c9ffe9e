"""The items of a score with what would have earned them: what was expected, what was said, what was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.drill.play.deeds import Played
from sandbox.drill.play.report import Claim, Report, world_time
from sandbox.drill.scenario import segments
from sandbox.drill.scenario.harms import UNITS
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.scenario.truth import Cause

NOTHING = "-"


@dataclass(frozen=True)
class _Told:
    """What the sides of an item are made from. report: None where none was handed in."""

    result: dict[str, Any]
    scenario: Scenario
    report: Report | None
    played: Played
    causes: Sequence[Cause]
    happened: bool


def explained(
    result: dict[str, Any], scenario: Scenario, report: Report | None, played: Played, causes: Sequence[Cause],
    happened: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """The items of a grade's document, each with `expected`, `said` and `shown` (by the twin and by the queries, asked
    again); `-` where there is nothing to say. causes: of the truth, none where nothing happened."""
    told = _Told(result, scenario, report, played, causes, happened)
    return [{**item, **_sides(item["item"], told)} for item in result["items"]]


def sized(size: dict[str, float], metric: str) -> str:
    """120 clicks (95 %: 80 to 160)."""
    return f"{size['estimate']:.4g} {UNITS[metric]} (95 %: {size['low']:.4g} to {size['high']:.4g})"


def _sides(name: str, told: _Told) -> dict[str, str]:
    expected, said, shown = _SIDES[name](told) if name in _SIDES else ("", "", "")
    if told.report is None and name not in ("mitigation", "side_effects", "hints"):
        said = "no report"
    return {"expected": expected or NOTHING, "said": said or NOTHING, "shown": shown or NOTHING}


_Sides = tuple[str, str, str]


def _detection(told: _Told) -> _Sides:
    report, played = told.report, told.played
    if report is None:
        return _verdict(told.happened), "", ""
    when = report.detected_at if report.detected_at is not None else played.began_ts + played.filed_s
    said = _verdict(report.incident) + (f", seen {_clock(when)}" if report.incident else "")
    began = "" if played.onset_s is None else f"it began {_clock(played.began_ts + played.onset_s)}"
    return _verdict(told.happened), said, began


def _of_causes(was: Callable[[Cause], str], said: Callable[[Any], str]) -> Callable[[_Told], _Sides]:
    def sides(told: _Told) -> _Sides:
        causes = told.report.causes if told.report is not None and told.report.incident else ()
        return "; ".join(map(was, told.causes)), "; ".join(map(said, causes)), ""

    return sides


def _onset(told: _Told) -> _Sides:
    began = [told.played.began_ts + c.onset_s for c in told.causes if c.onset_s is not None]
    causes = told.report.causes if told.report is not None and told.report.incident else ()
    said = [c.started_at for c in causes if c.started_at is not None]
    return "; ".join(map(_clock, began)), "; ".join(map(_clock, said)), ""


def _mitigation(told: _Told) -> _Sides:
    return ", or ".join(told.scenario.helpful) if told.happened else "nothing", _done(told), _averted(told)


def _side_effects(told: _Told) -> _Sides:
    harmful = ", ".join(told.scenario.penalise)
    return f"none of {harmful}" if harmful else "no deed that does harm", _done(told), ""


def _impact(told: _Told) -> _Sides:
    claims = told.report.impact if told.report is not None else {}
    so_far = told.result.get("twin", {}).get("so_far", {})
    shown = [sized(so_far[m], m) for m in claims if m in so_far]
    return (
        "bounds that hold the harm until the report",
        "; ".join(f"{_claimed(claim)} {UNITS.get(m, m)}" for m, claim in claims.items()),
        "; ".join(shown),
    )


def _quoted(part: str, expected: Callable[[_Told], str]) -> Callable[[_Told], _Sides]:
    def sides(told: _Told) -> _Sides:
        said = getattr(told.report, part, None) or ()
        found = (told.result.get("looked") or {}).get(part) or ()
        names = [one.claim if part == "evidence" else one.what for one in said]
        shown = ", ".join(f"{f['value']:.2f}" for f in found)
        return expected(told), "; ".join(names), f"strength {shown}" if shown else ""

    return sides


def _confidence(told: _Told) -> _Sides:
    report = told.report
    if report is None:
        return "", "", ""
    said = NOTHING if report.confidence is None else f"{report.confidence:.0%} sure"
    return "as sure as one is often right", said, f"the verdict is {_right(report.incident == told.happened)}"


def _hints(told: _Told) -> _Sides:
    return "none taken", f"{told.played.hints} taken", ""


def _averted(told: _Told) -> str:
    averted = told.result.get("twin", {}).get("avoided", {})
    sure = [sized(size, m) for m, size in averted.items() if size["low"] > 0]
    return f"averted: {'; '.join(sure)}" if sure else ""


def _done(told: _Told) -> str:
    return "; ".join(f"{a.text} {_clock(told.played.began_ts + a.at_s)}" for a in told.played.actions) or "nothing"


def _claimed(claim: Claim) -> str:
    alone = claim.low == claim.high
    return f"{claim.estimate:.4g}" if alone else f"{claim.estimate:.4g} ({claim.low:.4g} to {claim.high:.4g})"


def _verdict(incident: bool) -> str:
    return "an incident" if incident else "nothing wrong"


def _right(right: bool) -> str:
    return "right" if right else "wrong"


def _clock(ts: float) -> str:
    return world_time(ts)[11:]


_SIDES: dict[str, Callable[[_Told], _Sides]] = {
    "detection": _detection,
    "component": _of_causes(lambda c: c.component, lambda c: str(c.component)),
    "mechanism": _of_causes(lambda c: c.mechanism, lambda c: str(c.mechanism)),
    "onset": _onset,
    "segment": _of_causes(lambda c: segments.told(c.segment), lambda c: segments.told(c.segment)),
    "mitigation": _mitigation,
    "side_effects": _side_effects,
    "impact": _impact,
    "evidence": _quoted("evidence", lambda _: "queries that no healthy day answers alike"),
    "ruled_out": _quoted("ruled_out", lambda told: ", ".join(told.scenario.look_alikes)),
    "confidence": _confidence,
    "hints": _hints,
}
