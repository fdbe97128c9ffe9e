"""The logged history of a preset world: the behaviour model answering to the legacy policy, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from sandbox.base.clock import DAY_S
from sandbox.base.progress import ProgressFn
from sandbox.base.streams import stream
from sandbox.world.behaviour import Behaviour, SlateResponse
from sandbox.world.items import Items
from sandbox.world.log import IMPRESSIONS, impressions_writer, write_outcomes
from sandbox.world.policy import LegacyPolicy
from sandbox.world.population import Users
from sandbox.world.presets import HISTORY_END_TS, MAX_DEPTH, SLATE, Preset

LATE_SHARE, LATE_MEAN_S, PROMPT_MEAN_S = (0.01, 3_600.0, 2.0)  # how long an outcome takes to be ingested
_RECENT = 20  # clicked items of the session that users remember
_WEEKDAY = (0.97, 0.93, 0.94, 0.97, 1.06, 1.10, 1.03)  # Monday first
_Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class HistoryTotals:
    impressions: int
    outcomes: int
    satisfaction: np.ndarray  # float32 [U], when the history ends


def write_history(
    folder: Path, preset: Preset, users: Users, items: Items, behaviour: Behaviour, progress: ProgressFn
) -> HistoryTotals:
    """Simulate preset.days days and write impressions.parquet and outcomes.parquet, in order of time.

    progress: called with what is being done and the share done.
    """
    policy = LegacyPolicy(users, items, preset.random_share)
    mood = np.full(preset.users, 0.5)
    start_ts = HISTORY_END_TS - preset.days * DAY_S
    run = _Simulation(preset, behaviour, policy, mood)
    carried: _Columns | None = None  # of sessions that went on past midnight
    n_impressions = 0
    with impressions_writer(folder / "impressions.parquet") as writer:
        for day in range(preset.days):
            progress(f"history of {preset.days} days", day / preset.days)
            rows = run.day(day, start_ts + day * DAY_S)
            if carried is not None:
                rows = _concatenate([carried, rows])
            ends = start_ts + (day + 1) * DAY_S
            carried = _where(rows, rows["ts"] >= ends)
            rows = _in_order(_where(rows, rows["ts"] < ends), ("position", "request_id", "ts"))
            n_impressions += len(rows["ts"])
            writer.write_table(pa.table(rows, schema=IMPRESSIONS))
    outcomes = _concatenate(run.outcomes)
    known = np.maximum(outcomes["event_ts"], outcomes["ingest_ts"]) < HISTORY_END_TS
    outcomes = _in_order(_where(outcomes, known), ("kind", "item_id", "request_id", "event_ts"))
    write_outcomes(folder / "outcomes.parquet", outcomes)
    return HistoryTotals(n_impressions, len(outcomes["event_ts"]), mood.astype(np.float32))


class _Simulation:
    """Sessions of one day at a time; what passes from day to day: moods, clicks, counters."""

    def __init__(self, preset: Preset, behaviour: Behaviour, policy: LegacyPolicy, mood: np.ndarray) -> None:
        self.preset, self.behaviour, self.policy, self.mood = preset, behaviour, policy, mood
        self.outcomes: list[_Columns] = []
        self._everybody = np.arange(preset.users)
        self._next_session, self._next_request = 1, 1

    def day(self, day: int, begins: float) -> _Columns:
        """The impressions of sessions that begin on this day."""
        rng = stream(self.preset.seed, "history", day)
        self.policy.open_day(rng, begins)
        user, ts = self._sessions(rng, begins)
        session = self._next_session + np.arange(len(user))
        self._next_session += len(user)
        shown = np.full((len(user), MAX_DEPTH * SLATE), -1, dtype=np.int32)
        clicked = np.full((len(user), _RECENT), -1, dtype=np.int64)
        mood = self.mood[user]
        parts: list[_Columns] = [_no_impressions()]
        going = np.arange(len(user))
        for depth in range(1, MAX_DEPTH + 1):
            if not len(going):
                break
            who, visit = user[going], session[going]
            seen = shown[going, : (depth - 1) * SLATE]
            slates = self.policy.slates(rng, who, seen)
            answer = self.behaviour.respond(
                user=who,
                session=visit,
                request_no=np.full(len(going), depth),
                item=slates.item,
                latency_ms=rng.lognormal(np.log(60.0), 0.4, len(going)),
                satisfaction=mood[going],
                recent_clicked=clicked[going],
                recent_shown=seen,
            )
            shown[going, (depth - 1) * SLATE : depth * SLATE] = slates.item
            clicked[going] = _remember(clicked[going], slates.item, answer.click)
            mood[going] = answer.satisfaction
            request = self._next_request + np.arange(len(going))
            self._next_request += len(going)
            parts.append(_impressions(ts[going], request, visit, who, slates.item, slates.propensity))
            self.outcomes.append(_outcomes(rng, ts[going], request, visit, who, slates.item, answer))
            np.add.at(self.policy.clicks, slates.item[answer.click], 1.0)
            ts[going] += self.behaviour.think_s(who, visit, np.full(len(going), depth))
            going = going[~answer.leave]
        self.mood[user] = mood  # of a user with several sessions today, the last counts
        rows = _concatenate(parts)
        return _where(rows, rows["ts"] < HISTORY_END_TS)

    def _sessions(self, rng: Generator, begins: float) -> tuple[np.ndarray, np.ndarray]:
        """Users and start times (world seconds) of the day's sessions, in order of time."""
        everybody, b = self._everybody, self.behaviour
        weekday = _WEEKDAY[int(begins // DAY_S + 3) % 7]  # day 0 of the epoch was a Thursday
        expected = b.session_rate(everybody) * DAY_S * b.return_factor(self.mood) * weekday
        user = np.repeat(everybody, rng.poisson(expected))
        # Hours by the user's own clock: 24 weights, starting at the hour at which this day begins.
        hours = begins + 3_600.0 * np.arange(24)
        cdf = np.cumsum(b.diurnal(hours[None, :], user[:, None]), axis=1)
        hour = (cdf < (rng.random(len(user)) * cdf[:, -1])[:, None]).sum(axis=1)
        ts = begins + 3_600.0 * (hour + rng.random(len(user)))
        there = ts >= self.policy.users.created_ts[user]
        user, ts = user[there], ts[there]
        order = np.argsort(ts, kind="stable")
        return user[order], ts[order]


def _impressions(
    ts: np.ndarray, request: np.ndarray, session: np.ndarray, user: np.ndarray, item: np.ndarray, propensity: np.ndarray
) -> _Columns:
    row, column = np.nonzero(item >= 0)
    return {
        "ts": ts[row],
        "request_id": request[row],
        "session_id": session[row],
        "user_id": user[row].astype(np.int32),
        "item_id": item[row, column],
        "position": (column + 1).astype(np.int16),
        "propensity": propensity[row, column],
    }


def _no_impressions() -> _Columns:
    return {field.name: np.empty(0, dtype=field.type.to_pandas_dtype()) for field in IMPRESSIONS}


def _outcomes(
    rng: Generator,
    ts: np.ndarray,
    request: np.ndarray,
    session: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    answer: SlateResponse,
) -> _Columns:
    """Everything that followed from these slates, later conversions included. kind: index of KINDS."""
    shape = item.shape
    read_s = 1.5 + 1.2 * np.arange(shape[1])[None, :] + np.zeros(shape)
    stayed_s = np.nan_to_num(answer.dwell_s).astype(np.float64)
    converts = ~np.isnan(answer.conversion_delay_s)
    events = (  # which slots, seconds after the slate, value
        (answer.click, read_s, np.ones(shape)),
        (answer.click, read_s + stayed_s, stayed_s),
        (answer.like, read_s + 0.9 * stayed_s, np.ones(shape)),
        (answer.hide, read_s + 0.5, np.ones(shape)),
        (converts, read_s + np.nan_to_num(answer.conversion_delay_s), answer.revenue),
    )
    parts = []
    for kind, (where, after_s, value) in enumerate(events):
        row, column = np.nonzero(where)
        parts.append(
            {
                "event_ts": ts[row] + after_s[row, column],
                "request_id": request[row],
                "session_id": session[row],
                "user_id": user[row].astype(np.int32),
                "item_id": item[row, column],
                "kind": np.full(len(row), kind, dtype=np.int8),
                "value": value[row, column].astype(np.float32),
            }
        )
    rows = _concatenate(parts)
    n = len(rows["event_ts"])
    mean_s = np.where(rng.random(n) < LATE_SHARE, LATE_MEAN_S, PROMPT_MEAN_S)
    return rows | {"ingest_ts": rows["event_ts"] + rng.exponential(1.0, n) * mean_s}


def _remember(clicked: np.ndarray, item: np.ndarray, click: np.ndarray) -> np.ndarray:
    """int64 [n, _RECENT]: this slate's clicks before the older ones; -1 pads."""
    both = np.hstack([np.where(click, item, -1), clicked])
    order = np.argsort(both < 0, axis=1, kind="stable")[:, :_RECENT]
    return np.asarray(np.take_along_axis(both, order, axis=1))


def _concatenate(parts: list[_Columns]) -> _Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _where(rows: _Columns, chosen: np.ndarray) -> _Columns:
    return {name: column[chosen] for name, column in rows.items()}


def _in_order(rows: _Columns, keys: tuple[str, ...]) -> _Columns:
    """Sorted by the last key first, as numpy.lexsort has it."""
    return _where(rows, np.lexsort(tuple(rows[key] for key in keys)))
