"""What happened, as the offline plane reads it: rows of the training log, and events for the batch job."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sandbox.base.clock import DAY_S
from sandbox.pipeline.events import Log, known_after
from sandbox.virtual.weeks.served import Served
from services.events.core import IMPRESSIONS

_KINDS = (IMPRESSIONS, "click", "dwell", "like", "hide", "conversion")
_ROOM_DAYS = 8  # appended before the log, millions of rows, is copied again
KEPT_S = 42 * DAY_S  # of the log: two weeks to train on, each row with four weeks behind it


@dataclass(frozen=True)
class Events:
    """Events of one kind. user, item: int64 [n]; ts: float64 [n], world seconds; dwell_s: float32 [n],
    NaN where nothing was clicked."""

    user: np.ndarray
    item: np.ndarray
    ts: np.ndarray
    dwell_s: np.ndarray

    @classmethod
    def none(cls) -> Events:
        ids = np.zeros(0, np.int64)
        return cls(ids, ids, np.zeros(0), np.zeros(0, np.float32))

    def take(self, rows: np.ndarray) -> Events:
        return Events(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def with_(self, more: Events) -> Events:
        return Events(**{f.name: np.concatenate([getattr(self, f.name), getattr(more, f.name)]) for f in fields(self)})


class Record:
    """The log so far, as long as anybody may look at it, and the events that are still to come."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._room, self._begin, self._end = log, 0, len(log)  # the log is a part of this
        self._next_request = int(log.request.max(initial=0)) + 1
        self._pending = {kind: Events.none() for kind in _KINDS}

    def close_day(self, served: Served, ts: float) -> None:
        """Appends the rows of a day that ends at ts (world seconds), and lets go of what is too old."""
        rows = log_rows(served, self._next_request)
        self._next_request += len(served)
        if self._end + len(rows) > len(self._room):
            self._make_room(_ROOM_DAYS * len(rows))
        at = slice(self._end, self._end + len(rows))
        for f in fields(Log):
            getattr(self._room, f.name)[at] = getattr(rows, f.name)
        old = int(np.searchsorted(self._room.ts[self._begin : at.stop], ts - KEPT_S))
        self._begin, self._end = self._begin + old, at.stop
        self.log = self._room.take(slice(self._begin, self._end))

    def _make_room(self, more: int) -> None:
        """The log at the beginning of arrays with so many rows behind it that mean nothing yet.

        A column after the other, each let go of before the next: the log is the largest thing there is, and is not to
        be there twice.
        """
        columns = {f.name: getattr(self.log, f.name) for f in fields(Log)}
        del self.log, self._room
        n = len(columns["ts"])
        for name in list(columns):
            held = columns.pop(name)
            columns[name] = np.empty(n + more, held.dtype)
            columns[name][:n] = held
        self._room, self._begin, self._end = Log(**columns), 0, n

    def events(self, served: Served, until_ts: float) -> dict[str, Events]:
        """What is known by until_ts of these rows and of earlier ones, by kind of event.

        Outcomes that come later are kept for a later call.
        """
        due: dict[str, Events] = {}
        for kind, fresh in _events(served).items():
            held = self._pending[kind].with_(fresh)
            late = held.ts >= until_ts
            due[kind], self._pending[kind] = held.take(~late), held.take(late)
        return due


def log_rows(served: Served, first_request: int) -> Log:
    """One row per shown item, by time. first_request: number of the first row's request."""
    row, slot = np.nonzero(served.item >= 0)
    ts, clicked = served.ts[row], served.clicked[row, slot]
    liked, hidden = served.liked[row, slot], served.hidden[row, slot]
    ended = served.click_ts[row, slot] + served.dwell_s[row, slot]  # known as they happen: see `_events`
    return Log(
        ts=ts,
        request=first_request + row.astype(np.int64),
        session=served.session[row],
        user=served.user[row].astype(np.int32),
        item=served.item[row, slot].astype(np.int32),
        position=(slot + 1).astype(np.int16),
        randomised=served.randomised[row, slot],
        clicked=clicked,
        click_ts=served.click_ts[row, slot],
        dwell_s=served.dwell_s[row, slot],
        liked=liked,
        hidden=hidden,
        converted_ts=served.converted_ts[row, slot],
        value=clicked.astype(np.float32),
        known_s=known_after(ts, ts),
        click_known_s=known_after(ts, served.click_ts[row, slot]),
        dwell_known_s=known_after(ts, ended),
        like_known_s=known_after(ts, np.where(liked, ended, np.nan)),
        hide_known_s=known_after(ts, np.where(hidden, ts, np.nan)),
        conversion_known_s=known_after(ts, served.converted_ts[row, slot]),
    )


def _events(served: Served) -> dict[str, Events]:
    """Impressions and everything that followed from them, one entry for each item."""
    ends_ts = served.click_ts + served.dwell_s
    shown_ts = np.broadcast_to(served.ts[:, None], served.item.shape)
    user = np.broadcast_to(served.user[:, None], served.item.shape)
    where = {
        IMPRESSIONS: (served.item >= 0, shown_ts),
        "click": (served.clicked, served.click_ts),
        "dwell": (served.clicked, ends_ts),
        "like": (served.liked, ends_ts),
        "hide": (served.hidden, shown_ts),
        "conversion": (~np.isnan(served.converted_ts), served.converted_ts),
    }
    return {kind: Events(user[at], served.item[at], ts[at], served.dwell_s[at]) for kind, (at, ts) in where.items()}
