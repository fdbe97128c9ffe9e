"""A search for the knee on a running stack, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.lab import fitted, knee
from loadtest.lab.knee import Search, Trial
from loadtest.lab.outcome import Run, fullest
from loadtest.lab.plan import Plan
from loadtest.lab.slo import Slo
from loadtest.lab.turns import WARM_SHARE
from loadtest.lab.usl import LEAST, fit
from sandbox.base.progress import ProgressFn, quiet


@dataclass(frozen=True)
class Found:
    """trials: in the order in which they were made. saturated: by the trial that shows the knee best. stopped: why it
    ended before it was done, None where it was."""

    trials: list[Trial]
    saturated: dict[str, Any]
    stopped: str | None = None


def search(
    measured: Callable[[Plan, ProgressFn], Run], slo: Slo, plan: Plan, rates: Search, progress: ProgressFn = quiet
) -> Found:
    """Trials until there is nothing more to learn. measured: one load. plan: its shape and seconds; each trial has a
    seed of its own. A Ctrl-C ends the search, and what was tried until then counts."""
    trials: list[Trial] = []
    runs: list[tuple[float, dict[str, Any]]] = []
    stopped = None
    while (rate := rates.next(trials)) is not None:
        progress(f"trial {len(trials) + 1}: {rate:.3g} requests/s", None)
        try:
            run = measured(plan.at(rate, plan.seconds, plan.seed + len(trials)), quiet)
        except KeyboardInterrupt:
            stopped = "interrupted"
            break
        if run.interrupted:
            stopped = "interrupted"
            break
        trials.append(judged(run, slo, rate))
        runs.append((rate, fullest(run)))
    if stopped is None and len(trials) >= 2 and not any(t.ok for t in trials[-2:]):
        stopped = "the target answers nothing"
    return Found(trials, _telling(trials, runs), stopped)


def judged(run: Run, slo: Slo, rate: float) -> Trial:
    """What one run says, without its beginning."""
    warm = run.seconds * WARM_SHARE
    mine = run.requests.between(warm, run.seconds)
    value = slo.value_ms(mine)
    length = run.seconds - warm
    late = float(np.quantile(mine.lateness_ms, 0.99)) if len(mine) else 0.0
    busy_s = float((mine.done_s - mine.started_s).sum()) if len(mine) else 0.0
    ok = int(mine.ok.sum())
    return Trial(rate, value, value <= slo.limit_ms, len(mine), ok, ok / length, busy_s / length, late)


def told(found: Found, slo: Slo, seed: int) -> dict[str, Any]:
    """The whole as one document."""
    points = [t.document() for t in sorted(found.trials, key=lambda t: t.rate)]
    said = knee.knee(found.trials, slo, seed)
    few = [t for t in found.trials if t.n < slo.least_requests()]
    late = [t for t in found.trials if t.late_ms > slo.limit_ms / 4]
    notes = []
    if few:
        notes.append(
            f"{len(few)} trials had fewer than the {slo.least_requests()} requests that {slo.text} needs: take more seconds"
        )
    if late:
        notes.append(
            f"in {len(late)} trials the generator itself was late by more than a quarter of the limit: give it a core"
        )
    return {"slo": slo.text, **said, "usl": _usl(found.trials), "saturated": found.saturated, "stopped": found.stopped,
            "notes": notes, "points": points}  # fmt: skip


def _usl(trials: list[Trial]) -> dict[str, Any] | None:
    """The scalability law over requests under way and answers a second; None for too few different ones."""
    rows = [(t.in_flight, t.ok_per_s) for t in trials if t.in_flight > 0 and t.ok_per_s > 0]
    if len({n for n, _ in rows}) < LEAST:
        return None
    n, x = np.array(rows, np.float64).T
    law = fitted.document(fit(n, x))
    return {**{k: law[k] for k in ("alpha", "beta", "gamma", "peak_n", "peak_x", "limit", "no_peak", "said")},
            "ci": law["intervals"]}  # fmt: skip


def _telling(trials: list[Trial], runs: list[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    """Of the lowest rate that did not hold, else of the highest."""
    failed = [t.rate for t in trials if not t.holds]
    if not runs:
        return {"resource": None, "evidence": "no trial"}
    wanted = min(failed) if failed else max(t.rate for t in trials)
    return next(said for rate, said in runs if rate == wanted)
