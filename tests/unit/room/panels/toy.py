"""A lake with one user and four items, of whom each panel has something to tell; every text in it may be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.base.schema import TABLES
from sandbox.telemetry.segments import SegmentStore
from tests.unit.telemetry.toy import START, request, row, span

END = START + 200.0
USER = 7


def write_lake(root: Path, word: str = "plain", end: float = END) -> Path:
    """Requests req-0010, req-0070 (explained in full) and req-0130 of one user. word: stands wherever a text may. end: the
    world time at which all of it has happened, some minutes of it."""
    store = SegmentStore(root, lambda: 0.0)
    for table, rows in tables(word).items():
        times = [i for i, column in enumerate(TABLES[table].columns) if column.type == "TIMESTAMP"]
        store.add(
            table, [[_later(value, end - END) if i in times else value for i, value in enumerate(row)] for row in rows]
        )
    store.flush()
    return root


def _later(ts: float | None, by_s: float) -> float | None:
    return None if ts is None else ts + by_s


def tables(word: str) -> dict[str, list[list[Any]]]:
    ids = ["req-0010", "req-0070", "req-0130"]
    full = ids[1]
    return {
        "requests": [
            request(n, user_id=USER, region=word, client=word, n_items=2, n_asked=2, n_candidates=4, n_ranked=4,
                    model_version=word, index_version="ix-1", rules_version="ru-1", encoder_version="tt-1", arm="control",
                    latency_ms=10.0 * i, grpc_status=word if n == 130 else "OK", fallback="none")
            for i, n in enumerate((10, 70, 130), 1)
        ],
        "spans": [span(full, 1, None, word, "server", word, 0, 20.0, status=word),
                  span(ids[0], 1, None, "gateway", "server", None, 0, 10.0)],
        "impressions": [
            row("impressions", ts=START + n, request_id=f"req-{n:04d}", user_id=USER, item_id=item, position=place,
                p_click=0.25, cand_source=word, propensity=0.5, randomised=False, score=0.9, model_rank=place)
            for n, items in ((10, (1, 2)), (70, (3, 4)), (130, (3, 1))) for place, item in enumerate(items, 1)
        ],
        "explain": [
            row("explain", ts=START + 70, request_id=full, item_id=item, sources=word, source_score=1.0, model_rank=rank,
                score=1.0 - rank / 10, position=place, dropped_by=dropped)
            for item, rank, place, dropped in ((1, 1, None, "seen"), (3, 2, 1, None), (4, 3, 2, None), (2, 4, None, word))
        ],
        "candidates": [row("candidates", ts=START + 70, request_id=full, source=word, item_id=i, rank=i, score=1.0)
                       for i in (1, 2, 3, 4)],
        "rule_decisions": [
            row("rule_decisions", ts=START + 70, request_id=full, item_id=1, rule_id="seen", rules_version=word, seq=1,
                action="drop", factor=0.0),
            row("rule_decisions", ts=START + 10, request_id=ids[0], item_id=4, rule_id=word, rules_version="ru-1", seq=2,
                action="drop", factor=0.0),
        ],
        "served_features": [
            row("served_features", ts=START + 70, request_id=full, entity=entity, entity_id=str(number), view=view,
                feature=word, value=0.5, feature_event_ts=START + 10, status=word, writer_run="1")
            for entity, number, view in (("user", USER, "user_profile"), ("item", 3, "item_stats"))
        ],
        "offline_features": [
            row("offline_features", as_of=START + at, entity="user", entity_id=str(USER), view="user_profile", feature=word,
                value=value)
            for at, value in ((0, 0.1), (10, 0.4), (100, 0.9))
        ],
        "feature_reads": [
            row("feature_reads", ts=START + n, request_id=f"req-{n:04d}", caller=word, view=word, n_rows=4, n_missing=1,
                n_expired=2, age_p50_s=60.0, age_max_s=120.0)
            for n in (10, 70, 130)
        ],
        "model_inputs": [row("model_inputs", ts=START + 70, request_id=full, model_version=word, contract_version=word,
                             position=0, feature=word, mean=0.5, min=0.1, max=0.9, default_share=0.5)],
        "outcomes": [
            row("outcomes", event_ts=START + at, ingest_ts=START + at, request_id=of, user_id=USER, item_id=item, kind=kind,
                value=value)
            for at, of, item, kind, value in (
                (12, ids[0], 1, "click", 1.0), (75, full, 3, "click", 1.0), (90, ids[0], 1, "conversion", 9.0))
        ],
        "items": [row("items", item_id=i, title=word, creator_id=1, creator_group="AB"[i % 2], category=f"topic {i}",
                      lang=word, sensitivity="none", sponsored=i == 4) for i in (1, 2, 3, 4)],
        "creators": [row("creators", creator_id=1, name=word, creator_group="A", followers=3)],
        "users": [row("users", user_id=USER, home_region=word, lang=word, age_band=word, segment=word, main_topic=word)],
        "consent_ledger": [
            row("consent_ledger", user_id=USER, purpose="personalisation", state=state, effective_ts=START - at,
                jurisdiction=word, signal="ui")
            for state, at in (("denied", 200), ("granted", 100))
        ],
        "logs": [row("logs", ts=START + 5, service=word, instance=word, level="error", msg=word, fields=word, trace_id=full)],
        "alerts": [row("alerts", ts=START + 60, rule=word, state="firing", severity="page", summary=word)],
        "changes": [row("changes", ts=START + 50, target=word, key=word, old="1", new="2", actor=word, note=word)],
        "limits": [row("limits", ts=START + 70, service=word, instance=word, mode=word, limit_now=4)],
        "shed": [row("shed", ts=START + 70, trace_id=full, service=word, instance=word, op=word, caller=word, reason=word)],
        "procs": [row("procs", ts=END, service="gateway", rss_mb=50.0)],
    }  # fmt: skip
