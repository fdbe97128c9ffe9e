"""The values of a segment's column, as a lake has them: of every column, also where rows call it otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.drill.scenario.segments import BUCKET, values_sql
from sandbox.drill.scenario.taxonomy import SEGMENT_COLUMNS
from sandbox.drill.terminal.segment_values import values_in
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import SqlWorker
from tests.unit.telemetry.toy import START, request, row


@pytest.mark.parametrize("column", sorted(set(SEGMENT_COLUMNS) - {BUCKET}))
def test_every_column_can_be_asked_for(column: str, tmp_path: Path):
    with SqlWorker(tmp_path) as worker:
        assert worker.query(values_sql(column)).rows == []


def test_they_are_the_words_that_truths_and_reports_use(tmp_path: Path):
    store = SegmentStore(tmp_path, lambda: 0.0)
    store.add("requests", [request(n, region=region) for n, region in enumerate(("US", "EU", "EU", None))])
    store.add("users", [row("users", user_id=n, lang=lang) for n, lang in enumerate(("fr", "de", None))])
    store.add("consent_ledger", [
        row("consent_ledger", user_id=n, purpose="personalisation", state=state, effective_ts=START)
        for n, state in enumerate(("granted", "denied", "granted"))
    ])  # fmt: skip
    store.flush()

    with SqlWorker(tmp_path) as worker:
        values_of = values_in(lambda sql: worker.query(sql).rows)

        assert values_of("region") == ["EU", "US"]
        assert values_of("user_lang") == ["de", "fr"]
        assert values_of("personalised") == ["false", "true"]
        assert values_of(BUCKET) == []
