"""The bench on a real server whose room stands on a stand-in: its document, and that a lost message is seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from sandbox.base.progress import ProgressFn, quiet
from sandbox.bench.stats import Report
from sandbox.bench.warroom.measure import Plan, measure
from sandbox.room.room import Room
from tests.unit.warroom.conftest import Site

SMALL = Plan(
    "tiny", participants=4, rooms=0, seconds=2.0, rate=4.0, live=False, blocks=2, warm_up_s=0.1, late_s=0.5, browser=False
)  # fmt: skip


@dataclass(frozen=True)
class Here:
    """The server of the test, which is this process."""

    address: str
    codes: list[str]

    def cpu_s(self) -> float:
        times = psutil.Process().cpu_times()
        return times.user + times.system

    def rss_bytes(self) -> float:
        return float(psutil.Process().memory_info().rss)

    def pss_bytes(self) -> float:
        return self.rss_bytes()


def measured(site: Site) -> Report:
    @contextmanager
    def serving(backend: str, world: str, rooms: int, progress: ProgressFn) -> Iterator[Here]:
        yield Here(site.address, [site.code])

    return measure(SMALL, quiet, serving)


@pytest.mark.slow
def test_the_document_tells_what_participants_wait_for_what_it_costs_and_beside_what(site: Site):
    document = measured(site).document()

    figures, ratios = document["figures"], document["ratios"]
    for name in (
        "action_p95_ms",
        "cpu_share",
        "bytes_per_client_s",
        "first_page_ms",
        "rss_bytes",
        "broadcast_cpu_share",
    ):
        assert figures[name] > 0, name
    assert figures["messages_lost"] == figures["messages_doubled"] == 0
    assert figures["actions"] + figures["actions_refused"] == 8
    assert figures["messages_heard"] == 4 * site.scene.room.shared.seq
    assert set(ratios) == {"cpu_vs_broadcast"}
    assert document["conditions"]["backend"] == "virtual"
    assert document["conditions"]["wanted"]["action_p95_ms"] == 500


@pytest.mark.slow
def test_one_event_that_one_participant_is_not_told_is_seen(site: Site, monkeypatch: pytest.MonkeyPatch):
    told = Room.events_after

    def but_one(self: Room, seq: int, who: str, most: int = 500) -> tuple[list[dict[str, Any]], int]:
        events, upto = told(self, seq, who, most)
        return [event for event in events if (who, event["seq"]) != ("p2", 6)], upto

    monkeypatch.setattr(Room, "events_after", but_one)

    assert measured(site).figures["messages_lost"] == 1
