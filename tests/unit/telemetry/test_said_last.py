"""What somebody said last, where a yes and a no stand at one moment: the no, in serving as in every query."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from sandbox.telemetry.reference import EXAMPLES
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import SqlWorker
from sandbox.virtual.people.breaches import UNASKED
from tests.unit.telemetry.toy import START, request, row

SAID = [("granted", START - 9), ("denied", START), ("granted", START), ("denied", START - 5), ("granted", START - 5)]


@pytest.mark.parametrize(
    "said", [SAID, SAID[::-1], *itertools.islice(itertools.permutations(SAID), 7, 99, 23)], ids=str
)
def test_of_a_yes_and_a_no_of_one_moment_the_no_counts_in_whatever_order_they_were_written(said, tmp_path: Path):
    store = SegmentStore(tmp_path, lambda: 0.0)
    store.add("requests", [request(1, encoder_version="tt-1")])
    store.add("consent_ledger", [
        row("consent_ledger", user_id=7, purpose="personalisation", state=state, effective_ts=ts, jurisdiction="gdpr", signal="ui")
        for state, ts in said
    ])  # fmt: skip
    store.flush()
    example = next(sql for title, sql in EXAMPLES if title.startswith("Who was answered by what is known of them"))
    with SqlWorker(tmp_path) as worker:
        assert len(worker.query(UNASKED).rows) == 1
        assert [line[2] for line in worker.query(example).rows] == [1], "one person"
