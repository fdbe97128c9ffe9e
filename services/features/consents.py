"""The consent ledger as serving asks it: what one user has said to personalisation, and what follows where nothing was said.

A copy of the world's ledger, to which withdrawals are added as they come. Append-only: of all that was said by a moment
the latest counts, and of two things at one moment the no.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import JURISDICTIONS, REGIONS, Catalogue
from sandbox.base.config import Withdrawal
from sandbox.base.errors import SandboxError
from sandbox.base.rows import Row, row_of
from services.skeleton.seams import Call

PURPOSE = "personalisation"
ERASURE = "erasure"  # a tombstone: they asked to be erased, and are as nobody
SIGNALS = ("ui", "gpc", "import", ERASURE)  # ways in which something can be said; all of them count
# Where one may go on until somebody says no (sandbox.privacy.policy, to which a test holds this): services read no laws.
OPT_OUT = ("US-CA", "US", "AU")
_BUCKETS = 100  # as scopes count them


class Said(NamedTuple):
    """granted: whether the purpose is allowed. since_ts: world seconds of the latest thing said, NaN where nothing was.
    signal: how it was said, empty where nothing was."""

    granted: bool
    since_ts: float
    signal: str


class Entry(NamedTuple):
    ts: float
    granted: bool
    signal: str


class ConsentLedger:
    """entries: of the purpose, by user, in order of time. opt_out: bool [users], for whom nothing said means
    yes."""

    def __init__(self, entries: dict[int, list[Entry]], opt_out: NDArray[np.bool_]) -> None:
        self._entries, self._opt_out = entries, opt_out

    def says(self, user: int, at: float, signals: Iterable[str] = SIGNALS) -> Said:
        """What counts for that user at that time, world seconds; signals: those that are listened to. Raises WIRE-003."""
        if not 0 <= user < len(self._opt_out):
            raise SandboxError(
                "WIRE-003", where="GetConsent.user_id", seen=user, expected=f"0 to {len(self._opt_out) - 1}",
                fix="name a user that the world has",
            )  # fmt: skip
        for entry in reversed(self._entries.get(user, ())):
            if entry.ts <= at and entry.signal in signals:
                return Said(entry.granted, entry.ts, entry.signal)
        return Said(bool(self._opt_out[user]), float("nan"), "")

    def withdraw(self, users: Iterable[int], ts: float, signal: str) -> None:
        """They say no at that time, which is later than all that was said."""
        for user in users:
            self._entries.setdefault(user, []).append(Entry(ts, False, signal))


class Withdrawn:
    """Which withdrawals of the settings have been written down already, and when: world seconds, inf for never."""

    def __init__(self, catalogue: Catalogue, known: Sequence[Withdrawal] = ()) -> None:
        """known: in force as the process begins; told before, by whoever wrote them down."""
        self._catalogue, self.since_ts = catalogue, np.full(catalogue.n_users, np.inf)
        self._done: list[Withdrawal] = []
        self.ledger: ConsentLedger | None = None
        for _ in self.heed(known, float("-inf")):
            pass

    def heed(self, wanted: Sequence[Withdrawal], now: float) -> Iterator[Row]:
        """Writes down what is new, at `now`. Yields its rows of consent_ledger, for who tells the lake."""
        for withdrawal in wanted:
            if withdrawal not in self._done:
                self._done.append(withdrawal)
                users = who(withdrawal, self._catalogue)
                users = users[self.since_ts[users] > now]  # who did so before said it then
                self.since_ts[users] = now
                if self.ledger is not None:
                    self.ledger.withdraw(users.tolist(), now, withdrawal.signal)
                yield from _rows(users, self._catalogue, now, withdrawal.signal)

    def attach(self, ledger: ConsentLedger) -> None:
        """The ledger that hears of all of them, past and coming."""
        self.ledger = ledger
        for withdrawal in self._done:
            users = who(withdrawal, self._catalogue)
            for ts in np.unique(self.since_ts[users]).tolist():
                ledger.withdraw(users[self.since_ts[users] == ts].tolist(), ts, withdrawal.signal)


def who(withdrawal: Withdrawal, catalogue: Catalogue) -> NDArray[np.int64]:
    """int64, ascending: the users whom a withdrawal means, those who had consented."""
    first, below = withdrawal.user_buckets
    bucket = np.arange(catalogue.n_users) % _BUCKETS
    meant = (bucket >= first) & (bucket < below) & catalogue.user_personalised
    if withdrawal.regions:
        meant &= np.isin(catalogue.user_region, [REGIONS.index(region) for region in withdrawal.regions])
    return np.flatnonzero(meant)


def load(path: Path, catalogue: Catalogue) -> ConsentLedger:
    """From a world's consent_ledger.parquet. Raises WORLD-003 when it cannot be read."""
    import pyarrow.parquet as pq  # 40 MB, which a stack that never asks never needs

    columns = ("user_id", "state", "effective_ts", "signal")
    try:
        table = pq.read_table(path, filters=[("purpose", "=", PURPOSE)], columns=list(columns))
        said = sorted(zip(*(table[name].to_pylist() for name in columns), strict=True), key=_in_order)
    except (OSError, ValueError, KeyError) as error:
        raise SandboxError(
            "WORLD-003", where=str(path), seen=str(error)[:300], expected="the consent ledger of a world",
            fix="build or import the world anew with --force",
        ) from error  # fmt: skip
    entries: dict[int, list[Entry]] = {}
    for user, state, ts, signal in said:
        entries.setdefault(int(user), []).append(Entry(float(ts), state == "granted", str(signal)))
    opt_out = np.isin(catalogue.user_region, [REGIONS.index(region) for region in OPT_OUT])
    return ConsentLedger(entries, opt_out)


def consent_call(user: int, at: float, session: int, position: int, region: int) -> Call:
    """One question to the ledger on its way through the seam."""
    payload = {"user_id": user, "purpose": PURPOSE, "at": at, "signals": SIGNALS}
    return Call("consent", "features", "ledger", "GetConsent", user, session, position, region, payload=payload)


def answered(ledger: ConsentLedger, call: Call) -> Said:
    """What the ledger says to such a question."""
    asked = call.payload
    return ledger.says(int(asked["user_id"]), float(asked["at"]), asked["signals"])


def said_of(answer: Any) -> Said:
    """What came back through the seam. Raises WIRE-006 for anything that says nothing."""
    try:
        granted, since_ts, signal = answer
        return Said(bool(granted), float(since_ts), str(signal))
    except (TypeError, ValueError) as error:
        raise SandboxError(
            "WIRE-006", where="features, GetConsent of ledger", seen=repr(answer)[:100],
            expected="granted, since when, signal", fix="see the log of features",
        ) from error  # fmt: skip


def _in_order(said: tuple[int, str, float, str]) -> tuple[float, bool]:
    return said[2], said[1] == "denied"


def _rows(users: NDArray[np.int64], catalogue: Catalogue, ts: float, signal: str) -> Iterator[Row]:
    for user in users.tolist():
        law = JURISDICTIONS[REGIONS[int(catalogue.user_region[user])]]
        yield row_of.consent_ledger(
            user_id=user, purpose=PURPOSE, state="denied", effective_ts=ts, jurisdiction=law, signal=signal
        )
