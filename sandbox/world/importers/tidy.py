"""The log of a source put in order, or refused with the reason why no world can run on it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from sandbox.base.clock import DAY_S
from sandbox.world.importers.source import Log, Skips, Source, refuse

MAX_BAD_SHARE = 0.5  # of the rows of a log; above it the file is not what it was taken for
REPEAT = "duplicate row"
STRAY_TIME = "time far from the rest of the log"
STRAY_SHARE = 0.05  # of the rows, at most, at either end
_STRAY_GAP_S = 180 * DAY_S  # of silence, at least, that sets stray rows apart
_LEAST_FOR_STRAY = 20  # rows
_TRAINED_S = 14 * DAY_S  # of a log with impressions, the last ones, as the pipeline has it
_HELD_OUT = 0.95  # of a log of choices in order of time, training takes the first part
_WIDTHS = ("too few columns", "too many columns")


def tidy(source: Source) -> Source:
    """Sort the log, drop repeats and stray times (counted), and refuse a log on which nothing could run.

    A repeat equals another row in every column that was read. Raises WORLD-002 when no row, fewer than
    two users or fewer than two items are left, when more than MAX_BAD_SHARE of the rows were skipped,
    or when models could not be trained on what is left.
    """
    log, skipped = source.log, source.skipped
    source.rows = source.rows or len(log) + sum(skipped.values())
    refuse_mostly_bad(source.kind, len(log), skipped)
    log = log.rows(np.lexsort((log.item, log.user, log.ts)))
    log = _without_strays(log, source)
    same = _repeats(log)
    if same.any():
        skipped[REPEAT] += int(same.sum())
        log = log.rows(~same)
    source.log = log
    users, items = len(np.unique(log.user)), len(np.unique(log.item))
    if users < 2 or items < 2:
        refuse(
            f"{source.kind} log",
            f"{users} users and {items} items in {len(log)} usable rows",
            "at least 2 users and 2 items: with fewer there is no taste to learn",
            "name the file that holds the interactions, with user and item columns as they are in it",
        )
    _refuse_untrainable(source)
    return source


def refuse_mostly_bad(kind: str, kept: int, skipped: Skips, width: int = 0) -> None:
    """Raises WORLD-002 where more than MAX_BAD_SHARE of the rows were left out, or all.

    width: columns of a sound row, where it is known.
    """
    bad = sum(count for reason, count in skipped.items() if reason != REPEAT)
    if bad > MAX_BAD_SHARE * (kept + bad):
        reason = skipped.most_common(1)[0][0]
        worst = ", ".join(f"{reason}: {n}" for reason, n in skipped.most_common(3))
        wrong_width = reason in _WIDTHS
        expected = f"at most {MAX_BAD_SHARE:.0%} of the rows bad"
        if wrong_width and width:
            expected = f"{width} columns in every row, as in the first line; {expected}"
        refuse(
            skipped.first.get(reason, f"{kind} log"),
            f"{bad} of {kept + bad} rows cannot be used ({worst})",
            expected,
            "give the header a name for each column, or check the delimiter"
            if wrong_width
            else "check which column is which (--map), the delimiter and the form of time",
        )
    if kept == 0:
        refuse(f"{kind} log", "no usable rows", "at least one interaction", "name the file that holds the interactions")


def _repeats(log: Log) -> np.ndarray:
    """bool [n]: rows equal to an earlier one in every column. The log is in order of time, user, item."""
    if len(log) < 2:
        return np.zeros(len(log), dtype=bool)
    same = (np.diff(log.ts) == 0) & (np.diff(log.user) == 0) & (np.diff(log.item) == 0)
    if not same.any():
        return np.concatenate([[False], same])
    near = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
    part = log.rows(near)
    value, chance = np.nan_to_num(part.value, nan=-np.inf), np.nan_to_num(part.propensity, nan=-1)
    keys = (part.extra, chance, value, part.position, part.click, part.item, part.user, part.ts)
    order = np.lexsort(keys)
    equal = np.ones(len(order) - 1, dtype=bool)
    for key in keys:
        equal &= key[order][1:] == key[order][:-1]
    repeats = np.zeros(len(log), dtype=bool)
    repeats[near[order[1:][equal]]] = True
    return repeats


def _without_strays(log: Log, source: Source) -> Log:
    """The log without the few rows that lie apart from it by more time than all of it takes."""
    first, last = 0, len(log)
    if last < _LEAST_FOR_STRAY:
        return log
    few = max(1, int(STRAY_SHARE * last))
    gaps = np.diff(log.ts)
    for cut in range(len(log) - few, len(log)):  # gaps[cut - 1] lies before row `cut`
        if gaps[cut - 1] > max(_STRAY_GAP_S, log.ts[cut - 1] - log.ts[few]):
            last = cut
            break
    for cut in range(few, 0, -1):
        if gaps[cut - 1] > max(_STRAY_GAP_S, log.ts[last - 1] - log.ts[cut]):
            first = cut
            break
    stray = first + len(log) - last
    if not stray:
        _note_silence(log, gaps, source)
        return log
    source.skipped[STRAY_TIME] += stray
    ends = [_day(log.ts[0]) if first else "", _day(log.ts[-1]) if last < len(log) else ""]
    source.notes.append(
        f"{stray} rows of {' and '.join(day for day in ends if day)} lie far from the rest "
        f"({_day(log.ts[first])} to {_day(log.ts[last - 1])}) and are left out: drills begin where "
        "a log ends"
    )
    return log.rows(slice(first, last))


def _note_silence(log: Log, gaps: np.ndarray, source: Source) -> None:
    """Say it where most of a log's time is one silence: half of it may be a mistake."""
    at = int(np.argmax(gaps))
    if gaps[at] > max(_STRAY_GAP_S, (log.ts[-1] - log.ts[0]) / 2):
        source.notes.append(
            f"nothing between {_day(log.ts[at])} and {_day(log.ts[at + 1])}, {len(log) - at - 1} of "
            f"{len(log)} rows come after it: are their times right?"
        )


def _refuse_untrainable(source: Source) -> None:
    """Training holds out the end of a log: something must be left before it."""
    log = source.log
    if not source.has_negatives:
        at = log.ts[int(len(log) * _HELD_OUT)]
        if log.ts[0] < at:
            return
        share = float((log.ts == log.ts[0]).mean())
        refuse(
            f"{source.kind} log, times",
            f"{share:.0%} of {len(log)} rows at one instant, {_day(log.ts[0])}",
            "times that differ: models are trained on the earlier rows and tested on the later ones",
            "map time to the column that holds the time of each interaction: --map time=COLUMN",
        )
    end = np.floor(log.ts[-1]) + 1 - DAY_S
    trained = (log.ts < end) & (log.ts >= log.ts[-1] - _TRAINED_S) & log.click
    if not log.click.any() or log.click.all():
        what = "no row that was clicked" if not log.click.any() else "only rows that were clicked"
        refuse(
            f"{source.kind} log, clicks",
            f"{what}, of {len(log)}",
            "rows clicked and rows not",
            "map click to the column that tells them apart: --map click=COLUMN, or --ignore it",
        )
    if not trained.any():
        refuse(
            f"{source.kind} log, times",
            f"{_day(log.ts[0])} to {_day(log.ts[-1])}, no click before the last day of its 14",
            "a log of impressions that spans more than a day, clicked before the last one",
            "give a longer log, or only its clicked rows without the click column",
        )


def _day(ts: float) -> str:
    return f"{datetime.fromtimestamp(float(ts), UTC):%Y-%m-%d %H:%M}"
