"""The telemetry contract: every table of the lake, every column with what it holds and in which unit.

One place per fact: services take the column order from here, the collector the types, the SQL
console the comments, docs/sql.md all of it, sandbox.base.rows the builders. Adding a column is one line
with a comment. `=NULL` or `=1` behind its type is what a row holds whose writer does not name it; without
one every writer has to.
"""

from __future__ import annotations

from ast import literal_eval
from dataclasses import dataclass
from typing import Any, Final

REQUIRED: Final = object()  # the default of a column that every row's writer names


@dataclass(frozen=True)
class Column:
    """default: what a row holds whose writer does not name the column."""

    name: str
    type: str  # a DuckDB type
    comment: str
    default: Any = REQUIRED


@dataclass(frozen=True)
class Table:
    """name; one row per what; which process writes it; its columns in order."""

    name: str
    row: str
    writer: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _table(name: str, row: str, writer: str, text: str) -> Table:
    columns = []
    for line in text.strip().splitlines():
        column, type_, comment = line.split(maxsplit=2)
        type_, given, default = type_.partition("=")
        columns.append(Column(column, type_, comment, _value(default) if given else REQUIRED))
    return Table(name, row, writer, tuple(columns))


def _value(text: str) -> Any:
    """As a cell of a row: NULL, a number, or a text in quotes."""
    return None if text == "NULL" else literal_eval(text)


_ALL = (
    _table("requests", "recommendation request answered by the gateway", "gateway", """
        ts TIMESTAMP world time at which the request reached the gateway
        request_id VARCHAR id of the request, also the trace_id of its spans
        session_id VARCHAR the user's visit
        user_id BIGINT who asked
        region VARCHAR region the request came from
        segment VARCHAR user segment: light, regular or heavy, by activity of the last 28 days; new where unknown
        client VARCHAR client program: app, web or probe
        surface VARCHAR page asked for: home
        depth INTEGER 1 for the first request of the session, then counting up
        grpc_status VARCHAR status answered, OK where well
        latency_ms DOUBLE wall time in the gateway, milliseconds
        deadline_ms DOUBLE budget that the client gave, milliseconds
        attempt INTEGER 1 for a first try, more for the client's retries
        fallback VARCHAR none, or the stages whose designed fallback answered, joined by +: features, retrieval, ranking, rules
        degraded BOOLEAN true when any fallback was used
        n_items INTEGER items in the slate
        n_asked INTEGER items asked for
        n_candidates INTEGER candidates after merging the sources
        n_ranked INTEGER candidates that the ranker scored
        features_ms DOUBLE wall time of the user feature read, milliseconds
        retrieval_ms DOUBLE wall time of retrieval, milliseconds
        ranking_ms DOUBLE wall time of ranking, milliseconds
        rules_ms DOUBLE wall time of the rules, milliseconds
        feature_age_s DOUBLE age of the user's profile row when served, world seconds
        session_age_s DOUBLE age of the user's session row when served, world seconds, NULL where there is none
        missing_share DOUBLE share of the item rows served that were not PRESENT, 0..1
        arm VARCHAR experiment arm, control where none runs
        model_version VARCHAR ranker version that scored
        encoder_version VARCHAR version of the user tower that made the query
        index_version VARCHAR retrieval index that was searched
        rules_version VARCHAR rules document in force
        payload_bytes BIGINT size of the answer, bytes
        consent VARCHAR=NULL what the gateway went by: granted or denied; NULL where the catalogue's copy decides, or nobody is asked
        consent_from VARCHAR=NULL ledger, where that had answered; assumed, where it had not
        consent_age_s DOUBLE=NULL how long ago that was decided, world seconds; 0 for this request
    """),
    _table("spans", "RPC seen from one side", "every service", """
        ts TIMESTAMP world time at which the span began
        trace_id VARCHAR request_id of the request it belongs to
        span_id VARCHAR id of the span
        parent_id VARCHAR span that caused it, NULL for the root
        service VARCHAR service that recorded the span
        instance VARCHAR process of that service, service-number
        op VARCHAR method called
        kind VARCHAR client: from before the send to the answer; server: the handler; store: a Redis round trip
        peer VARCHAR the other side: callee of a client span, caller of a server span
        dur_ms DOUBLE wall duration, milliseconds
        queue_ms DOUBLE=NULL wall time between arrival and handler start, milliseconds (server spans; batch wait in model)
        status VARCHAR gRPC status, OK where well
        attempt INTEGER=1 1 for a first try
        n_keys INTEGER=NULL keys asked of a store, or entities in the call
        bytes BIGINT=NULL payload bytes, request and answer together
        batch_size INTEGER=NULL rows that shared one model batch, NULL elsewhere
    """),
    _table("rpc_edges", "caller, callee and second of wall time", "every service", """
        ts TIMESTAMP world time of the sample
        caller VARCHAR service that calls
        callee VARCHAR service that is called
        instance VARCHAR process of the callee
        path VARCHAR network path in use: a or b
        rps DOUBLE calls per wall second
        err_rate DOUBLE share of calls that failed, 0..1
        p50_ms DOUBLE median of completed calls, milliseconds
        p99_ms DOUBLE 99th percentile of completed calls, milliseconds
        inflight INTEGER calls not yet answered
        retries INTEGER second and later tries
        conn_state VARCHAR state of the channel: IDLE, CONNECTING, READY, TRANSIENT_FAILURE
    """),
    _table("procs", "process and sample (every wall second)", "collector", """
        ts TIMESTAMP world time of the sample
        service VARCHAR service, redis or collector
        instance VARCHAR process of that service
        pid BIGINT operating-system process id
        cpu_pct DOUBLE processor use since the last sample, percent of one core
        rss_mb DOUBLE resident memory, MiB
        threads INTEGER threads
        invol_ctx BIGINT involuntary context switches since the last sample
        pool_queue INTEGER calls waiting for the handler pool
        inflight INTEGER calls being handled
        gc_gen2_ms DOUBLE time in full garbage collections since the last sample, milliseconds
        uptime_s BIGINT wall seconds since the process started
        run_wait_ms DOUBLE=NULL time that its threads were ready to run and had no core, since the last sample, milliseconds; NULL where the system does not tell
        throttled_ms DOUBLE=NULL time that a quota on the processor held it, since the last sample, milliseconds
    """),
    _table("limits", "process with an adaptive limit, and second of wall time", "every service", """
        ts TIMESTAMP world time of the sample
        service VARCHAR service that is limited
        instance VARCHAR process of that service
        mode VARCHAR gradient or vegas
        limit_now INTEGER calls that it has in flight at most
        inflight INTEGER calls that it has in flight, those in line among them
        passed INTEGER calls let in since the last sample
        shed_limit INTEGER calls turned away because the limit was reached, since the last sample
        shed_reserve INTEGER calls turned away because what was left is kept for more urgent ones, since the last sample
        took_ms DOUBLE mean time of the calls of the last window, milliseconds, NULL before the first
        base_ms DOUBLE what the algorithm holds it against, milliseconds, NULL before the first
    """),
    _table("shed", "call that a limit turned away", "every service", """
        ts TIMESTAMP world time at which the call came
        trace_id VARCHAR request_id of the request it belongs to
        service VARCHAR service that turned it away
        instance VARCHAR process of that service
        op VARCHAR method called
        caller VARCHAR who called
        attempt INTEGER 1 for a first try
        reason VARCHAR limit: as many were in flight as may be; reserve: what was left is kept for more urgent calls
        limit_now INTEGER the limit at that moment
        inflight INTEGER calls in flight at that moment
    """),
    _table("process_events", "start, stop or crash of a process", "supervisor", """
        ts TIMESTAMP world time
        service VARCHAR which service
        instance VARCHAR process of that service
        event VARCHAR started, ready, stopped, crashed, restarted or unhealthy
        pid BIGINT operating-system process id
        exit_code INTEGER=NULL exit code, negative for a signal, NULL while it runs
    """),
    _table("redis_stats", "sample of the feature store (every wall second)", "collector", """
        ts TIMESTAMP world time of the sample
        node VARCHAR which Redis
        ops DOUBLE commands per wall second
        used_mb DOUBLE memory in use, MiB
        maxmemory_mb DOUBLE memory limit, MiB, 0 for none
        evicted BIGINT keys evicted since the last sample
        expired BIGINT keys expired since the last sample
        hits BIGINT reads that found their key since the last sample
        misses BIGINT reads that did not since the last sample
        fork_us BIGINT duration of the latest fork, microseconds
        net_out_kb DOUBLE bytes sent since the last sample, KiB
        keys BIGINT keys held
        replica_lag_s DOUBLE=NULL how far what is read from the replica is behind, world seconds, NULL without one
    """),
    _table("redis_slowlog", "command that held the feature store for 10 ms or longer", "collector", """
        ts TIMESTAMP world time at which it was found
        node VARCHAR which Redis
        command VARCHAR name of the command
        key VARCHAR first key that it named
        n_words INTEGER words of the command, of which 32 are kept
        dur_ms DOUBLE how long the store did nothing else, wall milliseconds
    """),
    _table("stream_stats", "sample of the event stream (every wall second)", "collector", """
        ts TIMESTAMP world time of the sample
        stream VARCHAR Redis stream
        consumer_group VARCHAR group of the stream processor
        length BIGINT entries in the stream
        backlog BIGINT entries not yet delivered to the group, or delivered and not acknowledged
        last_event_ts TIMESTAMP event time of the newest entry written, not after ts
        last_processed_ts TIMESTAMP event time of the newest entry processed
        rate_in DOUBLE entries added per wall second
        rate_out DOUBLE entries processed per wall second
    """),
    _table("impressions", "item shown at a position of a slate", "gateway", """
        ts TIMESTAMP world time at which the slate was answered
        request_id VARCHAR request
        session_id VARCHAR visit
        user_id BIGINT who saw it
        item_id BIGINT item shown
        position INTEGER place in the slate, from 1
        model_rank INTEGER rank the ranker gave, from 1, NULL where it gave none
        score DOUBLE ranker's combined score, higher is better
        p_click DOUBLE predicted click probability, 0..1
        cand_source VARCHAR sources that proposed it, joined by +: ann, covisit, followed, popular, fresh
        propensity DOUBLE probability with which the policy showed it there, given the places above it, 0..1
        randomised BOOLEAN true for the 1-2 % of slots filled at random
        arm VARCHAR experiment arm
        model_version VARCHAR ranker version
    """),
    _table("outcomes", "thing a user did", "events", """
        event_ts TIMESTAMP world time at which it happened: a dwell when it ended, a conversion minutes to days after its click
        ingest_ts TIMESTAMP world time at which the events service took it in: after it happened, by some 12 world seconds at 60x, by 60 where nobody waits for it
        event_id VARCHAR id of the event; one event delivered twice keeps its id
        request_id VARCHAR request that showed the item
        session_id VARCHAR visit
        user_id BIGINT who did it
        item_id BIGINT to what
        kind VARCHAR click, dwell, like, hide, conversion or leave
        value DOUBLE dwell: seconds; conversion: revenue; leave: 1; else 1
    """),
    _table("served_features", "feature served to a sampled request", "features", """
        ts TIMESTAMP world time of the read
        request_id VARCHAR request
        entity VARCHAR user or item
        entity_id VARCHAR id of the entity
        view VARCHAR feature view
        feature VARCHAR column of the view
        value DOUBLE value served
        feature_event_ts TIMESTAMP event time of the row, NULL where MISSING
        status VARCHAR PRESENT, MISSING or EXPIRED
        writer_run VARCHAR run that wrote the row
    """),
    _table("feature_reads", "feature view and read of one request", "features", """
        ts TIMESTAMP world time of the read
        request_id VARCHAR request
        caller VARCHAR service that asked
        view VARCHAR feature view
        n_rows INTEGER rows asked for
        n_missing INTEGER rows MISSING
        n_expired INTEGER rows EXPIRED
        age_p50_s DOUBLE median age of the rows found, world seconds
        age_max_s DOUBLE greatest age of the rows found, world seconds
    """),
    _table("model_inputs", "model input column of a sampled request", "ranking", """
        ts TIMESTAMP world time
        request_id VARCHAR request
        model_version VARCHAR ranker version that was asked
        contract_version VARCHAR feature contract by which serving built the inputs
        position INTEGER column number in the input matrix, from 0
        feature VARCHAR name that the model's manifest gives to that column
        mean DOUBLE mean over the candidates of the request
        min DOUBLE least value
        max DOUBLE greatest value
        default_share DOUBLE share of candidates for which serving filled in a default, 0..1
    """),
    _table("offline_features", "feature of a sampled entity as the batch job computed it", "runtime", """
        as_of TIMESTAMP event time up to which input counted
        entity VARCHAR user or item
        entity_id VARCHAR id of the entity
        view VARCHAR feature view
        feature VARCHAR column
        value DOUBLE value computed
    """),
    _table("materialization_runs", "run that wrote features to the online store", "runtime", """
        run_id VARCHAR id of the run
        view VARCHAR feature view
        started TIMESTAMP world time
        finished TIMESTAMP world time
        window_start TIMESTAMP event time from which input was read
        window_end TIMESTAMP event time up to which input was read
        source_max_event_ts TIMESTAMP newest event in the input
        rows_read BIGINT rows read
        rows_written BIGINT rows written to the store
        status VARCHAR OK or why not
    """),
    _table("training_rows", "sampled row of a training set", "runtime", """
        model_version VARCHAR model trained on it
        user_id BIGINT user, NULL for one without consent to personalisation: nothing known of them was joined
        item_id BIGINT item
        label DOUBLE label
        label_kind VARCHAR click, long_dwell or conversion
        event_ts TIMESTAMP time of the impression
        label_ts TIMESTAMP time at which the label was known
        feature_as_of TIMESTAMP event time of the features joined
        weight DOUBLE weight in the loss
        position INTEGER place at which it was shown
    """),
    _table("train_runs", "training run", "runtime", """
        model_version VARCHAR model that came out
        artifact VARCHAR two_tower or ranker
        started TIMESTAMP world time at which the version entered the registry: training itself takes no world time
        finished TIMESTAMP the same
        data_from TIMESTAMP first event used
        data_to TIMESTAMP last event used
        label_window_h INTEGER hours that a label may take, world
        n_rows BIGINT rows trained on
        pos_rate DOUBLE share of positive click labels, 0..1
        config_hash VARCHAR hash of the training configuration
        data_digest VARCHAR hash of the training data
        parent VARCHAR version it was started from, NULL for none
    """),
    _table("eval_metrics", "metric of a model version on a slice", "runtime", """
        model_version VARCHAR model
        split VARCHAR test split
        slice VARCHAR all, or column=value
        metric VARCHAR name of the metric
        value DOUBLE value
        evaluated_at TIMESTAMP world time at which the version entered the registry
    """),
    _table("registry_events", "event in the life of an artefact", "runtime", """
        ts TIMESTAMP world time
        artifact VARCHAR two_tower, ranker, index, rules or features
        version VARCHAR version
        action VARCHAR registered, promoted, rolled_back or retired
        actor VARCHAR who did it
        gate_result VARCHAR pass, fail, hold or none
        digest VARCHAR hash of the manifest
    """),
    _table("stage_changes", "move of a version between stages on this stack", "runtime", """
        ts TIMESTAMP world time
        artifact VARCHAR ranker, two_tower or index
        version VARCHAR version that was moved
        from_stage VARCHAR stage that it left: candidate, shadow, canary, live or retired
        to_stage VARCHAR stage that it came to
        replaced VARCHAR version that left that stage for it, NULL for none
        actor VARCHAR who did it
        why VARCHAR words of the author
        evidence VARCHAR verdict and figures that it was done on, JSON
    """),
    _table("rollout_checks", "metric of a canary at one look of its guard", "runtime", """
        ts TIMESTAMP world time of the look
        version VARCHAR the canary
        baseline VARCHAR live version that it is compared with
        metric VARCHAR errors, fallbacks, latency_ms, clicks or all
        verdict VARCHAR pass, fail or hold
        baseline_value DOUBLE value among the baseline's users, NULL where not known
        canary_value DOUBLE value among the canary's users
        p_worse DOUBLE probability of a canary that looks as bad, were it none
        harm DOUBLE how much worse it is: a share of requests, or of the baseline's value
        harm_most DOUBLE how much worse it may be at most
        n_baseline BIGINT users of the baseline
        n_canary BIGINT users of the canary
        why VARCHAR what the verdict rests on
    """),
    _table("shadow_scores", "request that a shadow version scored too", "model", """
        ts TIMESTAMP world time
        request_id VARCHAR request
        live_version VARCHAR version whose scores were used
        shadow_version VARCHAR version whose scores nobody saw
        status VARCHAR OK, or the code of its error
        n_items INTEGER candidates scored
        overlap_10 DOUBLE share of the live version's ten likeliest clicks that are among the shadow's ten, 0..1
        rank_corr DOUBLE rank correlation of the two click probabilities (Spearman), -1..1
        p_click_live DOUBLE mean click probability of the live version
        p_click_shadow DOUBLE mean click probability of the shadow
        dur_ms DOUBLE wall time of the shadow's forward pass, milliseconds
    """),
    _table("items", "item of the catalogue", "runtime", """
        item_id BIGINT item
        title VARCHAR title
        created_ts TIMESTAMP when it was published
        creator_id BIGINT who made it
        creator_group VARCHAR group of its creator: A or B
        category VARCHAR main topic
        lang VARCHAR language
        sensitivity VARCHAR public sensitivity label, none where there is none
        sens_score DOUBLE output of the sensitivity classifier, 0..1
        sens_labelled_ts TIMESTAMP when the label was written
        age_rating INTEGER least age in years
        regions VARCHAR regions with rights, comma separated
        duration_s DOUBLE length, seconds
        price DOUBLE price, 0 where it is not for sale
        sponsored BOOLEAN sponsored item
        in_stock BOOLEAN can be bought or played
        deleted_ts TIMESTAMP when it was taken down, NULL where it stands
    """),
    _table("users", "user of the service", "runtime", """
        user_id BIGINT user
        home_region VARCHAR region
        jurisdiction VARCHAR privacy regime that applies
        lang VARCHAR language
        age_band VARCHAR age band, unknown where not stated
        gender VARCHAR gender, unknown where not stated
        segment VARCHAR light, regular or heavy by activity of the last 28 days
        main_topic VARCHAR topic clicked most in the last 28 days
        created_ts TIMESTAMP when the account was made
    """),
    _table("creators", "creator", "runtime", """
        creator_id BIGINT creator
        name VARCHAR name
        creator_group VARCHAR group: A or B
        followers BIGINT followers
    """),
    _table("consent_ledger", "change of a consent; append-only", "runtime", """
        user_id BIGINT user
        purpose VARCHAR personalisation, sensitive or ads_profiling
        state VARCHAR granted or denied
        effective_ts TIMESTAMP from when
        jurisdiction VARCHAR privacy regime
        signal VARCHAR ui, gpc or import; erasure: the tombstone of somebody who was erased
    """),
    _table("index_stats", "sample of the retrieval index", "retrieval", """
        ts TIMESTAMP world time
        index_version VARCHAR index searched
        encoder_version VARCHAR two-tower version whose item tower made the index
        instance VARCHAR retrieval process
        ntotal BIGINT vectors held
        nlist INTEGER lists, 0 for a flat index
        nprobe INTEGER lists searched, 0 for a flat index
        metric VARCHAR ip: inner product
    """),
    _table("recall_probe", "probe of retrieval", "retrieval", """
        ts TIMESTAMP world time
        index_version VARCHAR index probed
        encoder_version VARCHAR user tower that made the probe's queries
        instance VARCHAR retrieval process
        probe_set VARCHAR self: index against exact search on its own vectors; golden: recent clicks found by the production encoder
        recall_at_50 DOUBLE share found in the first 50, 0..1
        n_queries INTEGER queries of the probe
    """),
    _table("candidates", "candidate of a sampled request", "retrieval", """
        ts TIMESTAMP world time
        request_id VARCHAR request
        source VARCHAR ann, covisit, followed, popular or fresh
        item_id BIGINT item
        rank INTEGER rank within the source, from 1
        score DOUBLE the source's own score
    """),
    _table("rule_decisions", "decision of a rule on a candidate of a request", "rules", """
        ts TIMESTAMP world time
        request_id VARCHAR request
        item_id BIGINT item
        rule_id VARCHAR rule: seen, duplicate, maturity, region_rights, blocked_creator, sensitivity, creator_cap, diversity, freshness, sponsored, exploration
        rules_version VARCHAR rules document in force
        seq INTEGER order in which the rule ran, from 1
        action VARCHAR drop, demote, boost, pin or insert
        factor DOUBLE factor on the score, or the value compared with the limit
    """),
    _table("explain", "candidate of a sampled request, in full", "gateway", """
        ts TIMESTAMP world time
        request_id VARCHAR request
        item_id BIGINT candidate
        sources VARCHAR sources that proposed it, joined by +
        source_score DOUBLE best score of a source
        model_rank INTEGER rank by the ranker, from 1
        score DOUBLE ranker's combined score
        position INTEGER place in the slate, NULL where it was dropped
        dropped_by VARCHAR stage or rule that dropped it, NULL where it was shown
    """),
    _table("alerts", "change of state of an alert", "collector", """
        ts TIMESTAMP world time
        rule VARCHAR alert
        state VARCHAR firing or resolved
        value DOUBLE value seen
        threshold DOUBLE value at which it fires
        severity VARCHAR page or ticket
        summary VARCHAR what it means
    """),
    _table("metrics", "sample of a service-level indicator (every world minute)", "collector", """
        ts TIMESTAMP end of the minute, world time
        name VARCHAR indicator
        label VARCHAR slice, all for the whole
        value DOUBLE value
    """),
    _table("locust", "request sent by the load generator", "load", """
        ts TIMESTAMP world time of the send
        user_class VARCHAR kind of simulated client: SlateUser, or LoadTest for the visits of a load test
        request_id VARCHAR request, NULL where none was answered
        intended_ts TIMESTAMP world time at which the schedule wanted it sent
        started_ts TIMESTAMP world time at which it was sent
        wait_ms DOUBLE wall time between intended and actual send, milliseconds
        rt_ms DOUBLE wall response time from the actual send, milliseconds
        ok BOOLEAN answered without an error
        n_items INTEGER items received
    """),
    _table("changes", "deploy, configuration change, data release or action", "runtime", """
        ts TIMESTAMP world time
        target VARCHAR service or component changed
        key VARCHAR what was changed
        old VARCHAR value or version before
        new VARCHAR value or version after
        actor VARCHAR who changed it
        note VARCHAR words of the author
    """),
    _table("logs", "line logged by a service", "every service", """
        ts TIMESTAMP world time
        service VARCHAR service
        instance VARCHAR process
        level VARCHAR debug, info, warn or error
        msg VARCHAR constant text
        fields VARCHAR fields of the line, JSON
        trace_id VARCHAR=NULL request concerned, NULL where none
    """),
    # The offline pipeline's own book, in a world's `pipeline/lake`; in a drill's lake the run behind a release, dated then.
    _table("pipeline_runs", "run of the offline pipeline that came to an end", "pipeline", """
        run VARCHAR id of the run
        world VARCHAR world whose history was read
        started TIMESTAMP by the clock of whoever ran it
        finished TIMESTAMP the same
        status VARCHAR done, blocked or failed
        until_stage VARCHAR last stage that was asked for
        as_of TIMESTAMP world time: what was known later counts for nothing
        seed BIGINT number that everything drawn follows from
        blocked_by VARCHAR check that stopped it, NULL for none
        reason VARCHAR why it stopped, NULL where it did not
    """),
    _table("pipeline_stages", "stage that a run of the pipeline passed", "pipeline", """
        run VARCHAR id of the run
        stage VARCHAR name of the stage
        started TIMESTAMP by the clock of whoever ran it
        finished TIMESTAMP the same
        key VARCHAR hash of inputs, code, settings and seed: equal key, equal outputs
        cached BOOLEAN true where outputs of that key were there already
        rows_in BIGINT rows read
        rows_out BIGINT rows written on; rows_in less those dropped, where the stage passes rows on
        source_max_event_ts TIMESTAMP newest event among its rows, world time, NULL where it handles none
        seconds DOUBLE time taken, seconds; of a cached stage the time to find it
    """),
    _table("pipeline_drops", "reason for which a stage dropped rows", "pipeline", """
        run VARCHAR id of the run
        stage VARCHAR name of the stage
        reason VARCHAR why they were dropped
        rows BIGINT rows dropped for it
    """),
    _table("pipeline_datasets", "dataset that a stage of a run read or wrote", "pipeline", """
        run VARCHAR id of the run
        stage VARCHAR name of the stage
        role VARCHAR read or wrote
        dataset VARCHAR name; source.NAME for a file from outside
        digest VARCHAR hash of its bytes: the version that was read, not the newest
        producer VARCHAR stage that made it, NULL for a source
        rows BIGINT rows, NULL for a source
    """),
    _table("data_checks", "check of data in a run of the pipeline", "pipeline", """
        ts TIMESTAMP by the clock of whoever ran it
        run VARCHAR id of the run
        stage VARCHAR stage whose data was checked
        check_name VARCHAR name of the check
        kind VARCHAR schema, range, nulls, volume, freshness, duplicates, label_rate, join_rate, drift, same_input or skew
        value DOUBLE what its SQL found; of drift the size of the effect; NULL where nothing could be measured
        at_least DOUBLE lower limit, NULL for none
        at_most DOUBLE upper limit, NULL for none
        p DOUBLE of drift: probability of such a difference without drift, NULL elsewhere
        verdict VARCHAR pass, fail, no action (a difference that is real and too small to matter) or not estimable
        blocking BOOLEAN true where a failure stops the run
        bypassed BOOLEAN true where somebody let the run go on; `changes` says who
        reason VARCHAR what was found, in words
    """),
    _table("artefact_parents", "thing that a registered version was made from", "pipeline", """
        version VARCHAR version that came out
        artifact VARCHAR two_tower, ranker or index
        run VARCHAR run that made it
        parent_kind VARCHAR dataset or version
        parent VARCHAR name of the dataset, or version
        digest VARCHAR hash of it
    """),
    _table("model_users", "user whose events a model was trained on", "pipeline", """
        model_version VARCHAR version
        user_id BIGINT user
    """),
)  # fmt: skip
TABLES = {table.name: table for table in _ALL}
assert len(TABLES) == len(_ALL), "a table is declared twice"

IC_VIEW = """
CREATE VIEW ic AS
  SELECT i.*, coalesce(o.clicked, 0) AS clicked, coalesce(o.converted, 0) AS converted,
         o.dwell_s AS dwell_s, coalesce(o.hidden, 0) AS hidden
  FROM impressions i LEFT JOIN (
    SELECT request_id, item_id,
           max((kind = 'click')::INT) AS clicked, max((kind = 'conversion')::INT) AS converted,
           max((kind = 'hide')::INT) AS hidden,
           max(value) FILTER (WHERE kind = 'dwell') AS dwell_s
    FROM outcomes GROUP BY 1, 2) o USING (request_id, item_id)
"""
IC_COMMENT = "impressions with what came of them: clicked, converted, hidden (0 or 1) and dwell_s"
