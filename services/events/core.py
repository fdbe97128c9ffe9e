"""What users did and were shown: checks on the way in, and how a user's rows follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgpack
import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT, N_SEEN, N_TOPICS, USER_SEEN, USER_SESSION

STREAM = "events"
GROUP = "session-features"
# The tag keeps what changes together with the stream on one node of a store that is spread: {events} hashes as STREAM.
PROGRESS = "stream:{events}:session-features"  # hash: written_ts, processed_ts; world seconds
REMEMBERED = "e:{events}:"  # before an event id: taken already
PAUSE_S = 0.2  # wall seconds before the processor's next try when the store is away or refuses
KINDS = ("click", "dwell", "like", "hide", "conversion", "leave")
IMPRESSIONS = "impressions"
MAX_EVENTS = 500  # of one Append
MAX_ITEMS = 100  # of one AppendImpressions
MAX_ID = 64  # characters of an event or request id
MAX_AHEAD_S = 3_600.0  # world seconds that a client's clock may be ahead of ours
MAX_COUNT = 500  # the session counters stop here, as they do in training
_MOST = {"dwell": 86_400.0, "conversion": 1e6}  # greatest value by kind; the others count 1


class Entry(NamedTuple):
    """One entry of the event stream. ts: world seconds. session: -1 where none was named.
    items: the item of a click and the like, a slate in display order for impressions."""

    kind: str
    user: int
    session: int
    ts: float
    items: Sequence[int]
    value: float = 1.0
    event_id: str = ""
    request_id: str = ""

    def encode(self) -> bytes:
        packed: bytes = msgpack.packb(tuple(self))
        return packed

    @classmethod
    def decode(cls, packed: bytes) -> Entry | None:
        """None for bytes that `encode` did not make: one bad entry must not stop the stream."""
        try:
            kind, user, session, ts, items, value, event_id, request_id = msgpack.unpackb(packed)
            numbers = (int(user), int(session), float(ts), tuple(map(int, items)), float(value))
        except (ValueError, TypeError, msgpack.exceptions.UnpackException):
            return None
        if numbers[0] < 0 or not math.isfinite(numbers[2]) or not isinstance(kind, str):
            return None
        return cls(kind, *numbers, str(event_id), str(request_id))


class FeedbackLike(Protocol):
    """The wire's Feedback."""

    event_id: str
    event_ts: float
    request_id: str
    session_id: str
    user_id: int
    item_id: int
    kind: str
    value: float


def check_feedback(events: Sequence[FeedbackLike], now: float, n_users: int, n_items: int) -> list[Entry]:
    """The entries that the events become, in their order. now: world seconds.

    Raises WIRE-002 naming the first event that cannot be, WIRE-003 for an unknown user or item: then
    none of them is taken, so that the sender can correct the call and send it again.
    """
    if len(events) > MAX_EVENTS:
        raise _refused("events", f"{len(events)} events", f"at most {MAX_EVENTS}")
    return [_entry(i, event, now, n_users, n_items) for i, event in enumerate(events)]


def _entry(i: int, event: FeedbackLike, now: float, n_users: int, n_items: int) -> Entry:
    where = f"events[{i}]"
    if event.kind not in KINDS:
        raise _refused(f"{where}.kind", event.kind[:40], f"one of {list(KINDS)}")
    if not 1 <= len(event.event_id) <= MAX_ID:
        raise _refused(f"{where}.event_id", event.event_id[:80], f"1 to {MAX_ID} characters")
    if len(event.request_id) > MAX_ID:
        raise _refused(f"{where}.request_id", event.request_id[:80], f"at most {MAX_ID} characters")
    if not 0 <= event.user_id < n_users:
        raise _unknown(f"{where}.user_id", event.user_id, n_users)
    least = -1 if event.kind == "leave" else 0
    if not least <= event.item_id < n_items:
        raise _unknown(f"{where}.item_id", event.item_id, n_items)
    ts = check_time(f"{where}.event_ts", event.event_ts, now)
    value, most = event.value, _MOST.get(event.kind)
    if most is None:
        value = 1.0
    elif not 0.0 <= value <= most:  # also refuses NaN
        raise _refused(f"{where}.value", value, f"0 to {most:g}")
    session = parse_session(f"{where}.session_id", event.session_id)
    return Entry(event.kind, event.user_id, session, ts, (event.item_id,), value, event.event_id, event.request_id)


def check_time(where: str, ts: float, now: float) -> float:
    """World seconds; 0 becomes `now`. Raises WIRE-002 unless finite, not negative, not far ahead."""
    if not 0.0 <= ts <= now + MAX_AHEAD_S:
        raise _refused(where, ts, f"0, or world seconds up to {now + MAX_AHEAD_S:.0f}")
    return float(ts) or now


def parse_session(where: str, text: str) -> int:
    """The visit's number, -1 for none. Raises WIRE-002 for anything else."""
    if not text:
        return -1
    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise _refused(where, text[:40], "a decimal number below 2^63, or nothing")
    return int(text)


def check_impressions(
    user: int, items: Sequence[int], ts: float, session: str, request_id: str, now: float, n_users: int, n_items: int
) -> Entry:
    """The entry that a shown slate becomes. Raises WIRE-002, WIRE-003."""
    if not 0 <= user < n_users:
        raise _unknown("user_id", user, n_users)
    if len(items) > MAX_ITEMS:
        raise _refused("item_ids", f"{len(items)} items", f"at most {MAX_ITEMS}")
    for item in items:
        if not 0 <= item < n_items:
            raise _unknown("item_ids", item, n_items)
    when = check_time("event_ts", ts, now)
    visit = parse_session("session_id", session)
    return Entry(IMPRESSIONS, user, visit, when, tuple(items), 1.0, "", request_id[:MAX_ID])


@dataclass
class UserState:
    """One user's rows of user_session and user_seen as numbers. Lists are newest first.

    session: visit that the counters belong to, -1 where unknown. ts, seen_ts: event time of the rows.
    """

    session: int = -1
    ts: float = 0.0
    seen_ts: float = 0.0
    impressions: int = 0
    clicks: int = 0
    last_click_ts: float = 0.0
    recent: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    @classmethod
    def of_rows(
        cls, session: int, row: NDArray[np.float32], ts: float, seen: NDArray[np.float32], seen_ts: float
    ) -> UserState:
        """From rows as the store holds them. ts, seen_ts: their event times, 0 where there is none."""
        recent = row[3 : 3 + N_RECENT].astype(np.int64)
        shown = seen.astype(np.int64)
        return cls(
            session, ts, seen_ts, round(math.expm1(row[0])), round(math.expm1(row[1])),
            float(row[2]) * 3600.0, recent[recent >= 0].tolist(), shown[shown >= 0].tolist(),
        )  # fmt: skip

    def as_stored(self) -> None:
        """Loses what its rows lose: as `of_rows` makes it of them."""
        self.last_click_ts = float(np.float32(self.last_click_ts / 3600.0)) * 3600.0

    def session_row(self, item_topics: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [columns of user_session], as training defines them (sandbox.pipeline.features)."""
        row = USER_SESSION.default_row
        row[0], row[1] = math.log1p(self.impressions), math.log1p(self.clicks)
        row[2] = self.last_click_ts / 3600.0
        if self.recent:
            row[3 : 3 + len(self.recent)] = self.recent
            row[-N_TOPICS:] = np.add.reduce(item_topics[self.recent]) / len(self.recent)
        return row

    def seen_row(self) -> NDArray[np.float32]:
        row = USER_SEEN.default_row
        row[: len(self.seen)] = self.seen
        return row


def apply_events(states: dict[int, UserState], entries: Iterable[Entry], n_items: int) -> tuple[set[int], set[int]]:
    """Change `states` (by user, one for each user of the entries) by what happened, in stream order.

    Returns the users whose user_session changed and those whose user_seen did. An entry that is
    already in the lists and no newer than the row changes nothing: delivering it again is harmless.
    Items that the catalogue does not have are passed over.
    """
    session_changed: set[int] = set()
    seen_changed: set[int] = set()
    for entry in entries:
        state = states[entry.user]
        items = [item for item in entry.items if 0 <= item < n_items]
        if entry.kind == "click" and items:
            if _click(state, entry, items[0]):
                session_changed.add(entry.user)
        elif entry.kind == IMPRESSIONS and items and _shown(state, entry, items):
            session_changed.add(entry.user)
            seen_changed.add(entry.user)
    return session_changed, seen_changed


def _click(state: UserState, entry: Entry, item: int) -> bool:
    if entry.ts <= state.ts and item in state.recent:
        return False
    state.recent.insert(0, item)
    del state.recent[N_RECENT:]
    _visit(state, entry)
    state.clicks = min(state.clicks + 1, MAX_COUNT)
    state.last_click_ts = max(state.last_click_ts, entry.ts)
    state.ts = max(state.ts, entry.ts)
    return True


def _shown(state: UserState, entry: Entry, items: list[int]) -> bool:
    if entry.ts <= state.seen_ts and set(items) <= set(state.seen):
        return False
    state.seen[:0] = reversed(items)
    del state.seen[N_SEEN:]
    _visit(state, entry)
    state.impressions = min(state.impressions + len(items), MAX_COUNT)
    state.seen_ts = max(state.seen_ts, entry.ts)
    state.ts = max(state.ts, entry.ts)
    return True


def _visit(state: UserState, entry: Entry) -> None:
    """The counters are of the visit in progress: another one begins them anew."""
    if entry.session >= 0 and entry.session != state.session:
        state.session, state.impressions, state.clicks = entry.session, 0, 0


def _refused(where: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "WIRE-002", where=where, seen=seen, expected=expected, fix="correct that field; nothing was taken"
    )


def _unknown(where: str, seen: int, n: int) -> SandboxError:
    return SandboxError("WIRE-003", where=where, seen=seen, expected=f"0 to {n - 1}", fix="name one that the world has")
