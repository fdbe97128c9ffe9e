"""A virtual call reads as a message, and what is read back is the call that was made."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.lake import Lake
from sandbox.virtual.machine import wire
from sandbox.virtual.stack import VirtualStack
from services.skeleton.points import POINTS
from services.skeleton.seams import Call, Proceed

MINUTE = 60.0


class Copying:
    """Hands on copies of requests and answers, and keeps the names of the calls."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, str]] = set()

    async def around(self, call: Call, proceed: Proceed) -> Any:
        self.seen.add((call.service, call.peer, call.op))
        return deepcopy(await proceed(replace(call, payload=deepcopy(call.payload))))


def played(run_dir: Path, wrapper: Any = None) -> VirtualStack:
    stack = VirtualStack("tiny", run_dir, seed=4, rate_per_s=20.0)
    for caller in POINTS["rpc"].lies if wrapper else ():
        stack.fabric.seams[caller].rpc.put(wrapper)
    stack.advance(stack.began_ts + 5 * MINUTE)
    stack.flush()
    return stack


def test_messages_that_are_only_copied_leave_the_run_as_it_is(home: Path, tmp_path: Path) -> None:
    wrapper = Copying()
    plain, copied = played(tmp_path / "a"), played(tmp_path / "b", wrapper)

    assert lake_hash(plain.run.lake) == lake_hash(copied.run.lake)
    assert wrapper.seen == {
        (caller, callee, op)
        for caller, callees in POINTS["rpc"].lies.items()
        for callee, ops in callees.items()
        for op in ops
        if op != "GetConsent"  # nobody is asked unless the gateway's settings say so
    }


class Changing:
    """Changes the request of one method in place."""

    def __init__(self, op: str, change: Callable[[Any], None]) -> None:
        self.op, self.change = op, change

    async def around(self, call: Call, proceed: Proceed) -> Any:
        if call.op == self.op:
            self.change(call.payload)
        return await proceed(call)


def _one_view_less(request: Any) -> None:
    del request.views[2:]


def _item_ids_cut(request: Any) -> None:
    request.item_ids = request.item_ids[:-3]


def _unknown_version(request: Any) -> None:
    request.version = "rk-99"


@pytest.mark.parametrize(
    ("op", "change", "fallback"),
    [
        ("GetUser", _one_view_less, "features"),
        ("Rank", _item_ids_cut, "ranking"),
        ("Apply", lambda request: setattr(request, "slate_size", 0), "rules"),
        ("Retrieve", lambda request: setattr(request, "region", 99), "retrieval"),
        ("Score", _unknown_version, "ranking"),
        ("EncodeUser", lambda request: setattr(request, "profile", b"1"), "retrieval"),
    ],
)
def test_what_a_service_would_refuse_is_refused(
    home: Path, tmp_path: Path, op: str, change: Callable[[Any], None], fallback: str
) -> None:
    stack = played(tmp_path / "run", Changing(op, change))

    told = Lake(stack.run.lake).query("SELECT DISTINCT fallback FROM requests")
    assert any(fallback in one for (one,) in told)


def test_a_run_whose_every_message_is_written_out_and_read_back_comes_out_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, numbers = played(tmp_path / "a"), count()
    monkeypatch.setattr(wire, "_bytes", lambda message: str(next(numbers)).encode())  # all differ
    written = played(tmp_path / "b", Copying())

    for name in ("user", "clicks", "degraded", "latency_ms", "revenue"):
        mine, theirs = (getattr(s.ledger.requests, name) for s in (plain, written))
        assert np.array_equal(mine, theirs), name
    assert len(plain.ledger.requests.ts) > 30
    assert plain.ledger.requests.clicks.any()
