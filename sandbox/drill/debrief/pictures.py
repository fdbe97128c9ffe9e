"""Pictures of a debrief as numbers and words, which a template draws: harm per minute, and the timeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from sandbox.drill.debrief.axes import Axis, of_minutes, of_values
from sandbox.drill.debrief.curves import BEST, NOTHING, WENT, Curves
from sandbox.drill.scenario.harms import UNITS

WIDTH = 1040
CLASSES = {WENT: "went", NOTHING: "nothing", BEST: "best"}
_POINTS = 120  # of a curve
_LANES = {  # of the timeline: lane -> kinds of its rows
    "truth": ("armed", "disarmed"),
    "changes": ("step",),
    "page, report": ("page", "report", "abandoned"),
    "looks": ("query", "look"),
    "deeds": ("action", "hint"),
}
_LANE = 34  # height of one
_BAR = 7  # height of a span
_NUMBER = 15  # wide enough for a number above a mark


@dataclass(frozen=True)
class Clock:
    """Names world minutes since the drill began. began: its world time, None to count minutes."""

    began: str | None = None

    @property
    def began_minute(self) -> float:
        """Of the day."""
        if self.began is None:
            return 0.0
        when = datetime.fromisoformat(self.began)
        return when.hour * 60 + when.minute + when.second / 60

    def name(self, minute: float) -> str:
        if self.began is None:
            return f"{minute:g}"
        whole = round(self.began_minute + minute)
        return f"{whole // 60 % 24:02d}:{whole % 60:02d}"

    @property
    def axis(self) -> str:
        return "world minutes since the drill began" if self.began is None else "world time"


@dataclass(frozen=True)
class HarmChart:
    """Curves to draw. lines: (class, name, points of a polyline). zero: where no harm is. marks: (x, name).
    legend: False for one that stands beside another which has it."""

    title: str
    height: int
    x: Axis
    y: Axis
    clock: Clock
    lines: tuple[tuple[str, str, str], ...]
    zero: float
    marks: tuple[tuple[float, str], ...]
    legend: bool = True
    width: int = WIDTH


@dataclass(frozen=True)
class Mark:
    """One row of the timeline. step: its number in the list, from 1. numbered: whether there is room for it."""

    x: float
    y: float
    step: int
    kind: str
    words: str
    numbered: bool


@dataclass(frozen=True)
class TimelinePicture:
    """lanes: (name, y). spans: (x, y, width, words), how long a fault was there."""

    height: int
    x: Axis
    clock: Clock
    lanes: tuple[tuple[str, float], ...]
    spans: tuple[tuple[float, float, float, str], ...] = ()
    marks: tuple[Mark, ...] = field(default=())
    width: int = WIDTH


def harm_chart(found: Curves, clock: Clock, *, small: bool = False) -> HarmChart:
    """found: with a minute at least. small: beside a large one, half as wide and without a legend."""
    width, height, top = (500, 190, 34.0) if small else (WIDTH, 300, 58.0)
    binned = found.binned(_POINTS)
    values = np.concatenate([*binned.lines.values(), [0.0]])
    x = of_minutes(float(binned.minutes[0]), float(found.last), 76.0, width - 16.0, clock.began_minute, width // 100)
    y = of_values(float(values.min()), float(values.max()), height - 44.0, top, about=2 if small else 4)
    each = "minute" if binned.size == 1 else f"{binned.size} minutes"
    return HarmChart(
        f"{found.metric}: {UNITS[found.metric]} per world {each}",
        height,
        x,
        y,
        clock,
        tuple((CLASSES[name], name, _points(x, y, binned.minutes, line)) for name, line in binned.lines.items()),
        y.at(0.0),
        tuple((x.at(minute), name) for minute, name in found.marks if x.low <= minute <= x.high),
        not small,
        width,
    )


def timeline_picture(rows: Sequence[Mapping[str, Any]], length_s: float, clock: Clock) -> TimelinePicture:
    """rows: of a debrief's timeline. length_s: world seconds of the drill."""
    last = max([length_s, *(row["at_s"] for row in rows)], default=0.0) / 60
    x = of_minutes(min([0.0, *(row["at_s"] / 60 for row in rows)]), last, 92.0, WIDTH - 24.0, clock.began_minute)
    lane_of = {kind: lane for lane, kinds in _LANES.items() for kind in kinds}
    there = [lane for lane in _LANES if any(lane_of[row["kind"]] == lane for row in rows)]
    height_of = {lane: 30.0 + _LANE * n for n, lane in enumerate(there)}
    marks: list[Mark] = []
    free = dict.fromkeys(there, -1.0)  # from where on a number has room
    for step, row in enumerate(rows, 1):
        lane, at = lane_of[row["kind"]], x.at(row["at_s"] / 60)
        numbered = at >= free[lane]
        if numbered:
            free[lane] = at + _NUMBER
        words = f"{row['ts'][11:]} {row['what']}: {row['words']}"
        marks.append(Mark(at, height_of[lane], step, row["kind"], words, numbered))
    return TimelinePicture(
        int(30 + _LANE * len(there) + 26), x, clock, tuple(height_of.items()), _spans(rows, x, height_of), tuple(marks)
    )


def _spans(
    rows: Sequence[Mapping[str, Any]], x: Axis, height_of: Mapping[str, float]
) -> tuple[tuple[float, float, float, str], ...]:
    """From each fault's beginning to its end, or to the end of the picture."""
    ends = {row["id"]: row["at_s"] for row in rows if row["kind"] == "disarmed" and "id" in row}
    begun = [row for row in rows if row["kind"] == "armed"]
    found = []
    for n, row in enumerate(begun):
        start, end = x.at(row["at_s"] / 60), x.at(ends.get(row.get("id"), x.high * 60) / 60)
        beside = _BAR * (n - (len(begun) - 1) / 2)  # several at once stand under each other
        found.append((start, height_of["truth"] + beside, round(max(2.0, end - start), 1), str(row["words"])))
    return tuple(found)


def _points(x: Axis, y: Axis, minutes: np.ndarray, line: np.ndarray) -> str:
    return " ".join(f"{x.at(float(m))},{y.at(float(v))}" for m, v in zip(minutes, line, strict=True))
