"""What happened, as the offline plane reads it: rows of the training log, and events for the batch job."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from sandbox.pipeline.events import Log
from sandbox.virtual.weeks.served import Served
from services.events.core import IMPRESSIONS, Entry

KEPT_S = 42 * 86_400.0  # of the log: two weeks to train on, each row with four weeks behind it


class Record:
    """The log so far, as long as anybody may look at it, and the events that are still to come."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._next_request = int(log.request.max(initial=0)) + 1
        self._pending: list[tuple[float, int, Entry]] = []
        self._n = 0

    def close_day(self, served: Served, ts: float) -> None:
        """Appends the rows of a day that ends at ts (world seconds), and lets go of what is too old."""
        rows = log_rows(served, self._next_request)
        self._next_request += len(served)
        whole = {
            f.name: np.concatenate([getattr(self.log, f.name), getattr(rows, f.name)])
            for f in fields(Log)
        }
        log = Log(**whole)
        self.log = log.take(slice(int(np.searchsorted(log.ts, ts - KEPT_S)), None))

    def events(self, served: Served, until_ts: float) -> list[Entry]:
        """What is known by until_ts of these rows and of earlier ones, in order of time.

        Outcomes that come later are kept for a later call.
        """
        for entry in _entries(served):
            self._n += 1
            self._pending.append((entry.ts, self._n, entry))
        self._pending.sort()
        n = next((i for i, p in enumerate(self._pending) if p[0] >= until_ts), len(self._pending))
        due, self._pending = self._pending[:n], self._pending[n:]
        return [entry for _, _, entry in due]


def log_rows(served: Served, first_request: int) -> Log:
    """One row per shown item, by time. first_request: number of the first row's request."""
    row, slot = np.nonzero(served.item >= 0)
    clicked = served.clicked[row, slot]
    return Log(
        ts=served.ts[row],
        request=first_request + row.astype(np.int64),
        session=served.session[row],
        user=served.user[row].astype(np.int32),
        item=served.item[row, slot].astype(np.int32),
        position=(slot + 1).astype(np.int16),
        randomised=served.randomised[row, slot],
        clicked=clicked,
        click_ts=served.click_ts[row, slot],
        dwell_s=served.dwell_s[row, slot],
        liked=served.liked[row, slot],
        hidden=served.hidden[row, slot],
        converted_ts=served.converted_ts[row, slot],
        value=clicked.astype(np.float32),
    )


def _entries(served: Served) -> list[Entry]:
    """Impressions and everything that followed from them, in no order."""
    users, sessions, times = served.user.tolist(), served.session.tolist(), served.ts.tolist()
    out = [
        Entry(IMPRESSIONS, user, session, ts, tuple(i for i in items if i >= 0))
        for user, session, ts, items in zip(
            users, sessions, times, served.item.tolist(), strict=True
        )
    ]
    ends_ts = served.click_ts + served.dwell_s
    read_ts = np.broadcast_to(served.ts[:, None], served.item.shape)
    for kind, where, ts, value in (
        ("click", served.clicked, served.click_ts, np.ones_like(ends_ts)),
        ("dwell", served.clicked, ends_ts, served.dwell_s),
        ("like", served.liked, ends_ts, np.ones_like(ends_ts)),
        ("hide", served.hidden, read_ts, np.ones_like(ends_ts)),
        ("conversion", ~np.isnan(served.converted_ts), served.converted_ts, served.revenue),
    ):
        row, slot = np.nonzero(where)
        columns = (row, ts[row, slot], served.item[row, slot], value[row, slot])
        for i, when, item, worth in zip(*(c.tolist() for c in columns), strict=True):
            out.append(Entry(kind, users[i], sessions[i], when, (item,), worth))
    return out
