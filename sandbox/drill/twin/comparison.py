"""What the arms of a drill come to beside each other: harm, what was avoided, and regret. Pure.

harm: what happened beside a day without the faults (and without actions). avoided: how much worse it
would have been had the trainee done nothing. regret: how much worse it was than with the first accepted
action against each cause at its onset. All from onset (without a fault: from the beginning) to the horizon.
Where the truth names a slice of the users, what is graded is counted on them alone: what happens to others
is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.drill.scenario.harms import ALL, METRICS, SEGMENT_EXPOSURE
from sandbox.drill.twin.arms import ARMS, step_arm
from sandbox.drill.twin.harm import (
    affected_users,
    by_segment,
    counts,
    harm,
    minutes_of,
    of_slice,
    per_minute,
    totals,
    users_of,
)
from sandbox.drill.twin.intervals import (
    Difference,
    Estimate,
    Runs,
    differences,
    draws,
    estimate,
    valued,
    variance_ratio,
)
from sandbox.virtual.people.ledger import Ledger

Arms = Mapping[str, Ledger]  # of one seed, as arms_of names them
Harm = dict[str, Estimate]  # by metric of ALL

_PAIRS = {  # name -> the worse run of the two, and the one it is held against
    "harm": ("incident", "without_faults"),
    "avoided": ("without_actions", "incident"),
    "regret": ("incident", "best_response"),
}
_AT_STAKE = {"unmitigated": ("without_actions", "without_faults")}
_LATE = {"saved": ("without_actions", "incident"), "reachable": ("without_actions", "best_response")}
_SO_FAR = {"so_far": ("incident", "without_faults")}
_Window = tuple[Mapping[Any, tuple[str, str]], float, float]  # pairs, and from when to when


@dataclass(frozen=True)
class StepHarm:
    """What some actions in a row came to. n_before, n_after: actions done before and after them. saved: how
    much worse it would have been to do nothing more from there on, on the slice; cost: how much worse it
    made things for everyone."""

    n_before: int
    n_after: int
    saved: Harm
    cost: Harm


@dataclass(frozen=True)
class TwinResult:
    """The comparison, over all seeds. Times are world seconds since the drill began.

    onset_s: None without a fault. filed_s: when the report came. unmitigated: harm had nothing been done.
    steps: the actions one after the other. saved, reachable: what was averted, and what the best response
    averts, from prompt_s on, by when the evidence is there. so_far: harm until filed_s. These four are
    those of the slice of users that the truth names, healthy_slice too. healthy: totals of a day without faults.
    per_minute: rows {minute, METRIC...}, minute of world time since the drill began; with_nothing_done,
    with_best_response: the same had nothing been done, and with the best response. by_segment: rows {segment, METRIC...}. affected: users until filed_s.
    """

    seeds: tuple[int, ...]
    onset_s: float | None
    horizon_s: float
    filed_s: float
    prompt_s: float
    harm: Harm
    avoided: Harm
    regret: Harm
    unmitigated: Harm
    steps: tuple[StepHarm, ...]
    saved: Harm
    reachable: Harm
    so_far: Harm
    healthy: dict[str, float]
    healthy_slice: dict[str, float]
    affected: float
    pairing: dict[str, float]
    per_minute: list[dict[str, Any]] = field(repr=False)
    with_nothing_done: list[dict[str, Any]] = field(repr=False)
    with_best_response: list[dict[str, Any]] = field(repr=False)
    by_segment: list[dict[str, Any]] = field(repr=False)

    def document(self, run: str) -> dict[str, Any]:
        """The document of `sandbox twin --json`. run: the run directory."""

        def told(harm: Harm) -> dict[str, dict[str, float]]:
            return {
                m: {"estimate": e.estimate, "low": e.low, "high": e.high}
                for m, e in harm.items()
                if m in METRICS or (m == SEGMENT_EXPOSURE and e.estimate)
            }

        return {
            "run": run, "arms": list(ARMS), "seeds": list(self.seeds), "onset_s": self.onset_s,
            "horizon_s": self.horizon_s, "filed_s": self.filed_s, "prompt_s": self.prompt_s,
            "harm": told(self.harm), "avoided": told(self.avoided), "regret": told(self.regret),
            "unmitigated": told(self.unmitigated), "so_far": told(self.so_far), "affected_users": self.affected,
            "healthy": {m: self.healthy[m] for m in METRICS},
            "per_minute": self.per_minute, "with_nothing_done": self.with_nothing_done,
            "with_best_response": self.with_best_response, "by_segment": self.by_segment,
            "pairing": {m: self.pairing[m] for m in METRICS},
        }  # fmt: skip


def compared(
    arms: Sequence[Arms], seeds: Sequence[int], *, onset_s: float | None, prompt_s: float,
    filed_s: float, horizon_s: float, step_ends: Sequence[int] = (),
) -> TwinResult:  # fmt: skip
    """The arms of every seed, compared. prompt_s and filed_s are at most horizon_s. step_ends: as of
    sandbox.drill.twin.arms."""
    start_s = onset_s or 0.0
    steps = list(zip((0, *step_ends), step_ends, strict=False))
    pairs = {("step", n): (step_arm(a), step_arm(b)) for n, (a, b) in enumerate(steps)}
    whole: list[_Window] = [(_PAIRS, start_s, horizon_s), (pairs, start_s, horizon_s)]
    late: list[_Window] = [(_AT_STAKE, start_s, horizon_s), (_LATE, prompt_s, horizon_s), (_SO_FAR, start_s, filed_s),
            (pairs, start_s, horizon_s)]  # fmt: skip
    everyone = _differences(arms, seeds, whole)
    cut = [_cut(ledgers) for ledgers in arms]
    of_them = _differences(cut, seeds, late)
    return TwinResult(
        tuple(seeds), onset_s, horizon_s, filed_s, prompt_s,
        **{name: _estimates(everyone[name]) for name in _PAIRS},
        **{name: _estimates(of_them[name]) for name in (*_AT_STAKE, *_LATE, *_SO_FAR)},
        steps=tuple(
            StepHarm(a, b, _estimates(of_them["step", n]), _negative(_estimates(everyone["step", n])))
            for n, (a, b) in enumerate(steps)
        ),
        healthy=_healthy(everyone["harm"]), healthy_slice=_healthy(of_them["so_far"]),
        affected=float(np.mean([
            affected_users(a["incident"], a["without_faults"], *_window(a["incident"], start_s, filed_s))
            for a in arms
        ])),
        pairing={m: variance_ratio([d[m] for d in everyone["harm"]]) for m in ALL},
        per_minute=_by_minute(arms, "incident", start_s, horizon_s),
        with_nothing_done=_by_minute(arms, "without_actions", start_s, horizon_s),
        with_best_response=_by_minute(arms, "best_response", start_s, horizon_s),
        by_segment=_by_segment(arms, start_s, horizon_s),
    )  # fmt: skip


def _cut(ledgers: Arms) -> Arms:
    """Cut to the slice of users that was watched, all of them where that is everyone. One ledger stays one."""
    unique = {id(ledger): ledger for ledger in ledgers.values()}
    found = of_slice(list(unique.values()))
    if found is None:
        return ledgers
    by_id = dict(zip(unique, found, strict=True))
    return {name: by_id[id(ledger)] for name, ledger in ledgers.items()}


def _differences(
    arms: Sequence[Arms], seeds: Sequence[int], windows: Sequence[_Window]
) -> dict[Any, list[dict[str, Difference]]]:
    """By pair, one for each seed."""
    found: dict[Any, list[dict[str, Difference]]] = {}
    for ledgers, seed in zip(arms, seeds, strict=True):
        for pairs, from_s, to_s in windows:
            for name, differences_ in _one_seed(ledgers, seed, pairs, from_s, to_s).items():
                found.setdefault(name, []).append(differences_)
    return found


def _healthy(seeds: Sequence[Mapping[str, Difference]]) -> dict[str, float]:
    return {m: float(np.mean([d[m].other for d in seeds])) for m in ALL}


def _negative(harm: Harm) -> Harm:
    return {m: Estimate(-e.estimate, -e.high, -e.low, e.se) for m, e in harm.items()}


def _one_seed(
    ledgers: Arms, seed: int, pairs: Mapping[Any, tuple[str, str]], from_s: float, to_s: float
) -> dict[Any, dict[str, Difference]]:
    """Of pairs of arms in one window. Slow is what 1 % of the healthy day's requests are."""
    cut = {
        name: ledgers[name].between(*_window(ledgers[name], from_s, to_s))
        for name in {"without_faults", *(arm for pair in pairs.values() for arm in pair)}
    }
    users = users_of(*cut.values())
    weights = draws(seed, users)
    slow_ms = totals(cut["without_faults"], -np.inf, np.inf)["p99_ms"]
    known: dict[int, Runs] = {}  # arms of equal plans are one ledger, which is counted once
    for name, window in cut.items():
        if id(ledgers[name]) not in known:
            known[id(ledgers[name])] = valued(counts(window, users, slow_ms), weights)
    runs = {name: known[id(ledgers[name])] for name in cut}
    return {name: differences(runs[a], runs[b]) for name, (a, b) in pairs.items()}


def _window(ledger: Ledger, start_s: float, end_s: float) -> tuple[float, float]:
    return ledger.began_ts + start_s, ledger.began_ts + end_s


def _estimates(seeds: Sequence[Mapping[str, Difference]]) -> Harm:
    return {metric: estimate([found[metric] for found in seeds]) for metric in ALL}


def _by_minute(arms: Sequence[Arms], name: str, start_s: float, end_s: float) -> list[dict[str, Any]]:
    """Harm of an arm beside the one without faults, mean over seeds, None where nobody asked."""
    parts: dict[str, list[np.ndarray]] = {metric: [] for metric in METRICS}
    for ledgers in arms:
        run, other = ledgers[name], ledgers["without_faults"]
        a = per_minute(run, *_window(run, start_s, end_s))
        b = per_minute(other, *_window(other, start_s, end_s))
        for metric in METRICS:
            parts[metric].append(harm(metric, a[metric], b[metric]))
    mean = {metric: np.mean(values, axis=0) for metric, values in parts.items()}
    return [
        {"minute": int(minute), **{m: _plain(mean[m][row]) for m in METRICS}}
        for row, minute in enumerate(minutes_of(0.0, start_s, end_s))
    ]


def _by_segment(arms: Sequence[Arms], start_s: float, end_s: float) -> list[dict[str, Any]]:
    found: dict[str, dict[str, list[float]]] = {}
    for ledgers in arms:
        pair = (ledgers["incident"], ledgers["without_faults"])
        for segment, cut in by_segment(pair).items():
            a, b = (totals(one, *_window(one, start_s, end_s)) for one in cut)
            row = found.setdefault(segment, {metric: [] for metric in METRICS})
            for metric in METRICS:
                row[metric].append(float(harm(metric, np.array(a[metric]), np.array(b[metric]))))
    return [
        {"segment": segment, **{m: _plain(np.mean(values)) for m, values in row.items()}}
        for segment, row in sorted(found.items())
    ]


def _plain(value: Any) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
