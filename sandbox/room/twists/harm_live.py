"""How much harm has been done so far, for the instructor: this room's world beside the same day without faults and without
a team, which is the twin's healthy arm.

The room's side is read from its ledger as that stands; nothing is settled or asked of the world for it, so that it goes on
to the byte as if nobody had looked. The healthy day is run once, in a process of its own at the lowest priority, and kept
with the twin's other runs: all rooms of one scenario, world and seed share it. What a hand does in a room is in its side
and not in the other: this is the harm there is, and the grade's is that of the planned incident.

A live room has no ledger. All that can be told are its golden signals beside their own quiet past: what services say of
themselves, which a fault of the telemetry deceives, and no harm.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pydantic import BaseModel

from sandbox.drill.play.drills import Drill
from sandbox.drill.scenario.harms import METRICS, UNITS
from sandbox.drill.twin import arm_runs, cache
from sandbox.drill.twin.arm_runs import _UNREADABLE
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.harm import counts, harm, per_minute, totals, users_of
from sandbox.drill.twin.intervals import Estimate, differences, draws, estimate, valued
from sandbox.room.overview import Overview
from sandbox.room.room import Room
from sandbox.virtual.people.ledger import Ledger

_log = logging.getLogger(__name__)
GOOD_S = 10.0  # wall seconds that a reckoning is good for
LOWEST = 19  # niceness of the process that runs the healthy day
LATELY = 10  # minutes; one is chance
RECENT_S = 300.0  # world seconds of a live room that count as now
_DRAWS = 1  # seed of the resampled users: the same from look to look, or intervals would flicker
_USUAL, _LEAST_QUIET = (0.05, 0.95), 20  # quantiles of quiet minutes, and of how many at least
_turn = threading.Lock()  # one healthy day at a time: teams need the cores


class Sum(BaseModel):
    """healthy: None where that day is not there yet; in a live room, its own quiet past. harm: positive where it is worse
    here. low, high: its 95 % interval, as the twin has it: over the users that there might have been; in a live room what nine
    of ten quiet minutes lie between. lately: the harm of the last LATELY minutes, a minute; of latency and gap, of them all.
    unit: in words."""

    here: float | None
    healthy: float | None
    harm: float | None
    unit: str
    lately: float | None = None
    low: float | None = None
    high: float | None = None


class HarmNow(BaseModel):
    """how: `twin`, or `signals` in a live room. why: what is to be known of the figures, or why there are none yet.
    began_ts: world seconds since the epoch; minutes count from there. since_minute: the first that is told. minutes:
    metric -> a pair [here, healthy] for each minute. sums: from the onset on."""

    how: str
    why: str
    began_ts: float
    until_ts: float
    onset_s: float | None
    touched: bool
    since_minute: int
    sums: dict[str, Sum]
    minutes: dict[str, list[tuple[float | None, float | None]]]


class HarmWatch:
    """One virtual room's, reckoned again once it is old. clock: monotonic seconds."""

    def __init__(
        self, room: Room, clock: Callable[[], float], run: Callable[[Drill, ArmPlan], None] | None = None
    ) -> None:
        self._room, self._clock, self._run = room, clock, run or _in_a_process
        self._plan: ArmPlan | None = None
        self._healthy: Ledger | None = None
        self._failed = ""
        self._began = False
        self._lock, self._at = threading.Lock(), -GOOD_S
        self._seen: tuple[Ledger, float] | None = None

    def seen(self, since_minute: int) -> HarmNow:
        with self._lock:
            if self._clock() - self._at >= GOOD_S:
                found = self._room.at_desk(_ledger)
                self._seen = found or self._seen  # over: what was seen last stands
                self._at = self._clock()
            self._fetch()
            return self._told(since_minute)

    def _fetch(self) -> None:
        if self._healthy is not None or self._failed:
            return
        if self._plan is None:
            self._plan = healthy_plan(self._room.drill)
        with suppress(*_UNREADABLE):  # not there yet, or not whole
            self._healthy = Ledger.load(cache.root() / f"{self._plan.key}.npz")
            return
        if not self._began:
            self._began = True
            threading.Thread(target=self._make, args=(self._plan,), name="healthy-day", daemon=True).start()

    def _make(self, plan: ArmPlan) -> None:
        """On a thread that outlives the process: it dies with the thread that began it."""
        try:
            with _turn:
                self._run(self._room.drill, plan)
        except Exception as error:  # the edge of a thread
            _log.error("room %s: its healthy day cannot be run", self._room.code, exc_info=error)
            self._failed = "the healthy day could not be run: see the server's log"

    def _told(self, since_minute: int) -> HarmNow:
        with self._room.looking() as (shared, aside):
            began_ts, touched = shared.opened.began_ts if shared.opened else 0.0, aside.twists.touched
        why = self._failed or (
            "" if self._healthy else "the healthy day is being run beside; it takes a minute or some"
        )
        if touched:
            why = f"{why}{'; ' if why else ''}what was done by hand is in this room's figures, and not in the healthy day's"
        onset_s = self._room.drill.scenario.truth.onset_s if self._room.drill.plan.faults else None
        ledger, until_ts = self._seen or (None, began_ts)
        told = HarmNow(how="twin", why=why, began_ts=began_ts, until_ts=until_ts, onset_s=onset_s, touched=touched,
                       since_minute=since_minute, sums={}, minutes={})  # fmt: skip
        if ledger is None or until_ts < began_ts + 60.0:
            return told
        return told.model_copy(update=reckoned(ledger, self._healthy, began_ts, until_ts, onset_s, since_minute))


def reckoned(
    here: Ledger, healthy: Ledger | None, began_ts: float, until_ts: float, onset_s: float | None, since_minute: int
) -> dict[str, Any]:
    """The fields `sums` and `minutes`. Whole minutes alone: of the one that goes on, one side has less."""
    until_ts = began_ts + (until_ts - began_ts) // 60.0 * 60.0
    start_ts = min(began_ts + (onset_s or 0.0), until_ts)
    first_ts = min(began_ts + 60.0 * since_minute, until_ts)
    pair = (here, healthy) if healthy is not None else (here,)
    sums = [totals(ledger, start_ts, until_ts) for ledger in pair]
    sure = intervals(here, healthy, start_ts, until_ts) if healthy is not None else {}
    last = [totals(ledger, max(began_ts, until_ts - 60.0 * LATELY), until_ts) for ledger in pair]
    rows = [per_minute(ledger, first_ts, until_ts) for ledger in pair] if first_ts < until_ts else []
    return {
        "sums": {m: _sum(m, [of[m] for of in sums], [of[m] for of in last], sure.get(m)) for m in METRICS},
        "minutes": {
            m: [(_finite(row), _finite(rows[1][m][n]) if healthy is not None else None) for n, row in enumerate(rows[0][m])]
            for m in METRICS
        } if rows else {},
    }  # fmt: skip


def intervals(here: Ledger, healthy: Ledger, start_ts: float, until_ts: float) -> dict[str, Estimate]:
    """The harm of each metric between two world times, by one seed's pair, as the twin estimates it."""
    windows = [ledger.between(start_ts, until_ts) for ledger in (here, healthy)]
    users = users_of(*windows)
    weights = draws(_DRAWS, users)
    run, other = (valued(counts(window, users), weights) for window in windows)
    return {metric: estimate([one]) for metric, one in differences(run, other).items()}


def of_signals(
    seen: Overview, began_ts: float, onset_s: float | None, paged_ts: float | None, touched: bool
) -> HarmNow:
    """A live room's. Its quiet past ends with the onset, or with the page where there is none."""
    quiet_ts = began_ts + onset_s if onset_s is not None else paged_ts
    sums = {}
    for name, points in seen.signals.items():
        past = [v for ts, v in points if v is not None and (quiet_ts is None or ts < quiet_ts)]
        now = [v for ts, v in points if v is not None and ts >= seen.world_ts - RECENT_S]
        here, usual = median(now) if now else None, median(past) if past else None
        low, high = np.quantile(past, _USUAL) if len(past) >= _LEAST_QUIET else (None, None)
        sums[name] = Sum(
            here=here, healthy=usual, harm=None, unit="median of minutes", low=_finite(low), high=_finite(high)
        )
    why = (
        "a live room has no ledger: these are its golden signals, the last five minutes beside the quiet part of this drill. "
        "They are what services say of themselves, and no harm"
    )
    why += "; what a hand did in the quiet part is in it" * touched
    return HarmNow(how="signals", why=why, began_ts=began_ts, until_ts=seen.world_ts, onset_s=onset_s, touched=touched,
                   since_minute=0, sums=sums, minutes={})  # fmt: skip


def in_a_live_room(room: Room, seen: Overview) -> HarmNow:
    """As `of_signals`."""
    with room.looking() as (shared, aside):
        began_ts = shared.opened.began_ts if shared.opened else seen.world_ts
        paged_ts, touched = shared.page[0] if shared.page else None, aside.twists.touched
    onset_s = room.drill.scenario.truth.onset_s if room.drill.plan.faults else None
    return of_signals(seen, began_ts, onset_s, paged_ts, touched)


def healthy_plan(drill: Drill) -> ArmPlan:
    """The same day without faults and without a team, as long as the drill may last."""
    plan, scenario = drill.plan, drill.scenario
    return ArmPlan(scenario, plan.world, plan.seed, faults=False, actions=(), until_s=scenario.length_s)


def _ledger(desk: Any) -> tuple[Ledger, float] | None:
    found: tuple[Ledger, float] | None = desk.came_to()
    return found


def _sum(metric: str, whole: list[float], last: list[float], sure: Estimate | None) -> Sum:
    """whole, last: here, and on the healthy day where that is there; then sure is, too."""
    if sure is None:
        return Sum(here=_finite(whole[0]), healthy=None, harm=None, unit=UNITS[metric])
    worse, lately = (float(harm(metric, np.asarray(of[0]), np.asarray(of[1]))) for of in (whole, last))
    a_minute = lately if metric in ("p99_ms", "exposure_gap") else lately / LATELY
    return Sum(here=_finite(whole[0]), healthy=_finite(whole[1]), harm=_finite(worse), unit=UNITS[metric],
               lately=_finite(a_minute), low=_finite(sure.low), high=_finite(sure.high))  # fmt: skip


def _finite(value: Any) -> float | None:
    return round(float(value), 4) if value is not None and np.isfinite(value) else None


def _in_a_process(drill: Drill, plan: ArmPlan) -> None:
    """Returns when it is kept. Raises CalledProcessError."""
    command = [sys.executable, "-m", __name__, str(drill.directory), str(os.getpid())]
    with (drill.directory / "healthy.log").open("ab") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=True)


def _main(directory: str, parent: str) -> None:
    from sandbox.runtime.tether import tether

    tether(int(parent))
    os.nice(LOWEST)
    arm_runs.run_all([healthy_plan(Drill(Path(directory)))], workers=1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
