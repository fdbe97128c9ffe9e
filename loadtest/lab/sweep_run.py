"""A sweep on a running stack: trials in turns, each kept as soon as it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.slo import Slo
from loadtest.lab.sweep import MOST_ROUNDS, Point, Trial, table, turn
from loadtest.lab.turns import ACTOR, WARM_SHARE
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.runtime.operate.operations import Operations

FILE = "sweep.json"


def sweep(
    measured: Callable[[Point, Plan], tuple[Run, float]], found: Sequence[Point], plan: Plan, rounds: int, slo: Slo,
    place: Path, progress: ProgressFn = quiet,
) -> dict[str, Any]:  # fmt: skip
    """Every point `rounds` times, those of one round with the same arrivals. measured: the load on the stack set so, and
    the quality of its slates. place: a directory; trials that stand there are not made again. A Ctrl-C leaves what
    there is, and so does a full disk. Returns its document."""
    if not 1 <= rounds <= MOST_ROUNDS:
        raise SandboxError(
            "CFG-004", where="load sweep --rounds", seen=rounds, expected=f"1 to {MOST_ROUNDS}", fix="correct it"
        )
    names = [p.name for p in found]
    asked = {"points": names, "plan": plan.document(), "percentile": slo.share}
    trials = resumed(place, asked)
    total, stopped = rounds * len(names), None
    while (due := turn(names, trials, rounds)) is not None:
        n, name = due
        progress(f"trial {len(trials) + 1} of {total}: {name}", len(trials) / total)
        try:
            run, quality = measured(found[names.index(name)], plan.at(plan.rate, plan.seconds, plan.seed + n))
        except KeyboardInterrupt:
            stopped = "interrupted"
            break
        if run.interrupted:
            stopped = "interrupted"
            break
        trials.append(judged(run, quality, name, n, slo).document())
        try:
            keep(place, asked, trials)
        except OSError as error:  # what was measured is told, if not kept
            stopped = f"{place} takes nothing: {error.strerror}"
            break
    return {**asked, "rounds": rounds, "stopped": stopped, "trials": trials, "rows": table(names, trials)}


def judged(run: Run, quality: float, point: str, n: int, slo: Slo) -> Trial:
    """What one load says, without its beginning. quality: of slates that were answered."""
    mine = run.requests.between(run.seconds * WARM_SHARE, run.seconds)
    share = float(mine.ok.mean()) if len(mine) else 0.0
    ok = mine.only(mine.ok).latency_ms
    cores = sum(p.cpu for p in run.seen.processes)
    return Trial(
        point, n, quality * share, cores * run.seconds * 1000 / max(len(run.requests), 1),
        float(np.quantile(ok, slo.share)) if len(ok) else None, share, len(mine),
    )  # fmt: skip


def resumed(place: Path, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The trials that stand there. Raises CFG-003 where they are of another sweep."""
    try:
        kept = json.loads((place / FILE).read_text())
        same = {name: kept[name] for name in asked} == json.loads(json.dumps(asked))
        trials = [Trial(**t).document() for t in kept["trials"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _other(place, str(error)[:200]) from error
    if not same:
        raise _other(place, "a sweep with other knobs, rate, seconds, seed or percentile")
    return trials


def keep(place: Path, asked: dict[str, Any], trials: Sequence[dict[str, Any]]) -> None:
    """Raises OSError on a full disk; what stood there stays then."""
    write_atomically(place / FILE, json.dumps({**asked, "trials": list(trials)}))


@contextmanager
def set_to(point: Point, operations: Operations) -> Iterator[None]:
    """The stack with these settings, and as it was afterwards, whatever happens."""
    if not point.settings:
        yield
        return
    patches = point.patches(Config.load(operations.run.path))
    record = operations.apply(
        patches, actor=ACTOR, op="sweep", arguments={k: str(v) for k, v in point.settings}, target=", ".join(patches),
        key="settings", new=point.name,
    )  # fmt: skip
    try:
        yield
    finally:
        operations.revert(record.n, ACTOR)


def _other(place: Path, seen: str) -> SandboxError:
    return SandboxError(
        "CFG-003",
        where=str(place / FILE),
        seen=seen,
        expected="the sweep that is to go on",
        fix="choose another --out, or the same options",
    )
