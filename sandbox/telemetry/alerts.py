"""SLO alerts: a budget that burns too fast, or a rate that left its healthy band. Pure.

An objective allows a share of bad events. Burn is the bad share over that budget: at 1 the budget
is used up exactly, at 6 six times too fast. An alert fires when both a long window (it matters) and
a short one (it is going on now) burn at its factor, and resolves when the short window has stayed
below half of it for a while. Source: multi-window, multi-burn-rate alerts, Beyer et al., "The Site
Reliability Workbook", O'Reilly 2018, chapter 5; the windows here are scaled to world time.

Rates without a promise (clicks per impression, conversions per click) are held against what the run
itself showed while it was healthy: they fire when both windows lie below the tolerated fall, and the
long one below the healthy rate by z_fire standard errors.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sandbox.base.rows import Row, row_of
from sandbox.telemetry.settings import AlertSettings, BaselineObjective, BurnWindow, Objective


@dataclass(frozen=True)
class Tick:
    """What passed since the tick before. ts: world seconds at its end.

    counts: SLI -> (bad, all), or (hits, all) for rates. latency_ms: of every request answered.
    """

    ts: float
    counts: Mapping[str, tuple[float, float]]
    latency_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Event:
    """An alert that changed its state: a row of `alerts`. severity: page or ticket."""

    ts: float
    rule: str
    state: str  # firing or resolved
    value: float
    threshold: float
    severity: str
    summary: str

    def row(self) -> Row:
        return row_of.alerts(
            ts=self.ts, rule=self.rule, state=self.state, value=self.value,
            threshold=self.threshold, severity=self.severity, summary=self.summary,
        )  # fmt: skip


@dataclass(frozen=True)
class State:
    """Everything alerting remembers.

    ticks: those of the longest window, oldest first. firing: rule -> since when. calm: rule -> since
    when its short window is below the resolving level. learned: SLI -> (hits, all) of the healthy
    minutes. slow_ms, tail_ms: latencies from which a request counts as slow for the typical and for
    the tail objective, from the healthy minutes; None until known.
    """

    ticks: tuple[Tick, ...] = ()
    firing: Mapping[str, float] = field(default_factory=dict)
    calm: Mapping[str, float] = field(default_factory=dict)
    learned: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    learned_until: Mapping[str, float] = field(default_factory=dict)
    first_ts: float | None = None  # of the first request
    latencies: tuple[float, ...] = ()
    slow_ms: float | None = None
    tail_ms: float | None = None


@dataclass(frozen=True)
class _Verdict:
    """burning: fires. calm: may resolve. Neither: no verdict, the state stays."""

    burning: bool
    calm: bool
    value: float
    threshold: float


def step(state: State, tick: Tick, settings: AlertSettings) -> tuple[State, list[Event]]:
    """The state after one more tick, and the alerts that it fired or resolved.

    Ticks come in order of time. O(ticks x rules) for a tick.
    """
    if state.first_ts is None and tick.counts.get("errors", (0, 0))[1] > 0:
        state = replace(state, first_ts=tick.ts)
    state = _calibrate(state, tick, settings)
    state = replace(state, ticks=_kept(state, _judged(tick, state), settings))
    events: list[Event] = []
    firing, calm = dict(state.firing), dict(state.calm)
    for rule, severity, summary, verdict in _verdicts(state, settings):
        if rule not in firing:
            if verdict.burning:
                firing[rule] = tick.ts
                calm.pop(rule, None)
                events.append(_event(tick.ts, rule, "firing", severity, summary, verdict))
        elif not verdict.calm:
            calm.pop(rule, None)
        elif tick.ts - calm.setdefault(rule, tick.ts) >= settings.calm_s:
            del firing[rule], calm[rule]
            events.append(_event(tick.ts, rule, "resolved", severity, summary, verdict))
    return _learn(replace(state, firing=firing, calm=calm), tick, settings), events


def _verdicts(state: State, settings: AlertSettings) -> Iterable[tuple[str, str, str, _Verdict]]:
    sums = _Sums(state.ticks)
    for objective in settings.objectives:
        for window in settings.windows:
            if window.suffix not in objective.windows:
                continue
            verdict = _burn(sums, objective, window, settings)
            if verdict:
                yield (f"{objective.name}-{window.suffix}", window.severity, objective.summary, verdict)
    for baseline in settings.baselines:
        verdict = _below(sums, baseline, state, settings)
        if verdict:
            yield f"{baseline.name}-low", "page", baseline.summary, verdict


def _burn(sums: _Sums, objective: Objective, window: BurnWindow, settings: AlertSettings) -> _Verdict | None:
    bad, n = sums.over(objective.sli, window.short_s)
    if n < objective.min_events:
        return None
    bad_long, n_long = sums.over(objective.sli, window.long_s)
    limit = min(0.95, window.factor * objective.budget_share)
    share = bad / n
    return _Verdict(
        burning=share >= limit and bad_long / n_long >= limit,
        calm=share < limit * settings.resolve_factor,
        value=share,
        threshold=limit,
    )


def _below(sums: _Sums, objective: BaselineObjective, state: State, settings: AlertSettings) -> _Verdict | None:
    hits0, n0 = state.learned.get(objective.sli, (0.0, 0.0))
    rate0, spread0 = objective.baseline_rate, 0.0
    if rate0 is None:
        if n0 < objective.learn_events or hits0 == 0:
            return None
        if objective.sli not in state.learned_until:
            return None
        rate0, spread0 = hits0 / n0, 1 / n0
    hits, n = sums.over(objective.sli, objective.short_s)
    hits_long, n_long = sums.over(objective.sli, objective.long_s)
    if n < objective.min_events:
        return None
    limit = rate0 * (1 - objective.tolerance_share)
    standard_error = math.sqrt(rate0 * (1 - rate0) * (1 / n_long + spread0))
    certain = rate0 - settings.z_fire * standard_error
    return _Verdict(
        burning=hits / n < limit and hits_long / n_long < min(limit, certain),
        calm=hits / n > rate0 * (1 - settings.resolve_factor * objective.tolerance_share),
        value=hits / n,
        threshold=limit,
    )


def _calibrate(state: State, tick: Tick, settings: AlertSettings) -> State:
    """Learn what is slow here, once, from the first requests after the warm-up."""
    if state.slow_ms is not None or state.first_ts is None:
        return state
    if tick.ts < state.first_ts + settings.warmup_s:
        return state
    latencies = state.latencies + tick.latency_ms
    known = len(latencies) >= settings.calibrate_requests
    old_enough = tick.ts >= state.first_ts + settings.warmup_s + settings.baseline_s / 2
    if not (known and old_enough):
        return replace(state, latencies=latencies[-10 * settings.calibrate_requests :])
    cuts = statistics.quantiles(latencies, n=20)
    return replace(
        state,
        latencies=(),
        slow_ms=max(settings.median_factor * cuts[9], cuts[17]),
        tail_ms=max(settings.latency_ms, settings.tail_factor * cuts[18]),
    )


def _judged(tick: Tick, state: State) -> Tick:
    """The tick with its latencies counted against the objectives; the single values are let go."""
    counts = dict(tick.counts)
    n = float(len(tick.latency_ms))
    for sli, limit in (("latency", state.tail_ms), ("latency_typical", state.slow_ms)):
        if limit is not None:
            counts[sli] = (float(sum(ms > limit for ms in tick.latency_ms)), n)
    return Tick(tick.ts, counts)


def _learn(state: State, tick: Tick, settings: AlertSettings) -> State:
    """Count healthy minutes into the baselines, until each has events and time enough."""
    if state.first_ts is None or state.firing or tick.ts < state.first_ts + settings.warmup_s:
        return state
    learned, until = dict(state.learned), dict(state.learned_until)
    for objective in settings.baselines:
        if objective.sli in until:
            continue
        hits, n = tick.counts.get(objective.sli, (0.0, 0.0))
        had = learned.get(objective.sli, (0.0, 0.0))
        learned[objective.sli] = (had[0] + hits, had[1] + n)
        old_enough = tick.ts >= state.first_ts + settings.warmup_s + settings.baseline_s
        if learned[objective.sli][1] >= objective.learn_events and old_enough:
            until[objective.sli] = tick.ts
    return replace(state, learned=learned, learned_until=until)


def _kept(state: State, tick: Tick, settings: AlertSettings) -> tuple[Tick, ...]:
    longest = max(*(w.long_s for w in settings.windows), *(b.long_s for b in settings.baselines))
    ticks = state.ticks
    first = next((i for i, t in enumerate(ticks) if t.ts > tick.ts - longest), len(ticks))
    return (*ticks[first:], tick)


class _Sums:
    """Counts over the last so many world seconds, each window summed once."""

    def __init__(self, ticks: tuple[Tick, ...]) -> None:
        self._ticks = ticks
        self._known: dict[tuple[str, float], tuple[float, float]] = {}

    def over(self, sli: str, seconds: float) -> tuple[float, float]:
        key = (sli, seconds)
        if key not in self._known:
            hits = n = 0.0
            after = self._ticks[-1].ts - seconds
            for tick in reversed(self._ticks):
                if tick.ts <= after and tick is not self._ticks[-1]:
                    break
                part = tick.counts.get(sli)
                if part is not None:
                    hits, n = hits + part[0], n + part[1]
            self._known[key] = (hits, n)
        return self._known[key]


def _event(ts: float, rule: str, state: str, severity: str, summary: str, verdict: _Verdict) -> Event:
    words = f"{summary}: {verdict.value:.3%}, limit {verdict.threshold:.3%}"
    return Event(ts, rule, state, verdict.value, verdict.threshold, severity, words)
