"""What a query is about: which components its tables, columns and words bear on. Pure.

A difference is evidence for a cause only where the query looks at something that this cause can move. The
lists are generous: a query that reads one of a component's places bears on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.base.schema import TABLES
from sandbox.drill.scenario import taxonomy

# Component -> tables, columns and words of the lake in which it shows. Its own name shows it too.
_SHOWN_IN: dict[str, str] = {
    "gateway": "latency_ms fallback degraded deadline_ms grpc_status n_items rt_ms queue_ms pool_queue inflight "
    "region home_region",
    "retrieval": "candidates retrieval_ms n_candidates cand_source sources source source_score",
    "index": "index_stats recall_probe candidates index_version cand_source nprobe nlist recall_at_50",
    "two_tower": "encoder_version recall_probe training_rows train_runs eval_metrics registry_events",
    "consent": "consent_ledger consent consent_from consent_age_s home_region encoder_version feature_age_s session_age_s",
    "features": "served_features feature_reads feature_age_s session_age_s missing_share features_ms",
    "store": "redis_stats redis_slowlog served_features feature_reads missing_share session_age_s store n_keys",
    "user_profile": "served_features feature_reads offline_features materialization_runs feature_age_s",
    "item_stats": "served_features feature_reads offline_features materialization_runs model_inputs",
    "user_session": "session_age_s stream_stats served_features feature_reads",
    "user_seen": "stream_stats served_features feature_reads impressions ic",
    "materialisation": "materialization_runs served_features offline_features feature_reads feature_age_s",
    "ranking": "model_inputs ranking_ms model_rank n_ranked contract_version default_share score",
    "ranker": "model_version model_inputs p_click score model_rank training_rows train_runs eval_metrics "
    "registry_events",
    "model": "model_version encoder_version batch_size registry_events p_click score",
    "training_set": "training_rows train_runs eval_metrics model_version creator_group pipeline_runs pipeline_stages "
    "pipeline_drops pipeline_datasets data_checks artefact_parents model_users",
    "rules": "rule_decisions explain rules_ms rules_version dropped_by randomised propensity sensitivity "
    "sens_score age_rating",
    "sensitivity_list": "rule_decisions sens_score sensitivity sens_labelled_ts rules_version dropped_by",
    "events": "outcomes stream_stats ingest_ts event_id",
    "stream": "stream_stats redis_stats session_age_s backlog",
    "experiments": "arm propensity randomised",
    "traffic": "locust client user_class user_id session_id region home_region segment surface",
    "monitoring": "alerts metrics logs",
}
# Tables with a row for each service or edge: there it is the service's name, or the column that holds it.
_BY_SERVICE = {"spans", "rpc_edges", "procs", "process_events", "logs"}
_NAMING = {"service", "peer", "caller", "callee", "op"}
_STAGE = {"features", "retrieval", "ranking", "rules"}  # requests.<stage>_ms is the gateway's wait
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_EVERYTHING = re.compile(r"\bselect\s+(?:distinct\s+)?(?:\w+\.)?\*|,\s*(?:\w+\.)?\*", re.IGNORECASE)


def words_of(sql: str) -> set[str]:
    """Every word of a query, columns behind a `*` among them, in lower case."""
    words = set(_WORD.findall(sql.lower()))
    if _EVERYTHING.search(sql):
        words |= {name for table in words & set(TABLES) for name in TABLES[table].names}
    return words


def bears_on(sql: str, component: str) -> bool:
    """Whether the query looks at something in which that component shows."""
    words = words_of(sql)
    if words & shown_in(component):
        return True
    parts = set(component.split("->"))
    return bool(words & _BY_SERVICE) and bool(words & (parts | _NAMING))


def shown_in(component: str) -> set[str]:
    """Tables, columns and words in which a component of the taxonomy shows."""
    caller, edge, callee = component.partition("->")
    if not edge:
        return set(_SHOWN_IN.get(component, "").split()) | ({component} - _STAGE - _COMMON)
    if caller != "gateway":
        return set()
    waits = {f"{callee}_ms"} if callee in _STAGE else set()
    return waits | shown_in("gateway")  # who waits for a call shows it as well


def bears_on_any(sql: str, components: Iterable[str]) -> bool:
    return any(bears_on(sql, component) for component in components)


# Names of components that are everyday words of SQL over this lake as well.
_COMMON = {"model", "events", "stream", "index", "store", "traffic", "gateway", "ranking"}
assert set(_SHOWN_IN) <= set(taxonomy.COMPONENTS), "a component is misspelt"
