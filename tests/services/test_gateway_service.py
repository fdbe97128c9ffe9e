"""The gateway among real and stand-in services: what comes out, what falls back, what is recorded."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest
import redis
from grpc import aio

from sandbox.base.config import Config, GatewayConfig, RankingConfig
from sandbox.base.features import USER_PROFILE, USER_SEEN, USER_SESSION, key, pack
from sandbox.base.schema import TABLES
from services.events.server import REGISTRATION as EVENTS
from services.features.server import REGISTRATION as FEATURES
from services.gateway.server import REGISTRATION as GATEWAY
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from services.ranking.core import INPUTS
from services.ranking.server import REGISTRATION as RANKING
from services.skeleton.status import from_rpc_error
from tests.services.fakes import FakeModel, FakeRetrieval, FakeRules
from tests.services.harness import BLOCKER, NO_CONSENT, WORLD_START, catalogue, make_run, redis_at, rows, serving
from tests.services.waiting import until

WORLD = catalogue()


class Around:
    """The gateway's stub, the fakes by name, and every host."""

    def __init__(self, stub, hosts, retrieval, model, rules, store):
        self.stub, self.hosts, self.store = stub, hosts, store
        self.retrieval, self.model, self.rules = retrieval, model, rules

    async def ask(self, user=3, k=5, timeout=3.0, **fields):
        request = gateway_pb2.RecommendRequest(user_id=user, k=k, **fields)
        try:
            return await self.stub.Recommend(request, timeout=timeout)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, "test->gateway") from None

    def recorded(self):
        """The last row of `requests`, by column."""
        return dict(zip(TABLES["requests"].names, rows(self.hosts["gateway"], "requests")[-1], strict=True))


@asynccontextmanager
async def around(tmp_path, config=None):
    run = make_run(tmp_path, config)
    retrieval, model, rules = FakeRetrieval(), FakeModel(), FakeRules()
    with redis_at(run) as process, redis.Redis(unix_socket_path=run.redis) as store:
        session = USER_SESSION.default_row
        session[3] = 33
        store.set(key(USER_SESSION, 3), pack(USER_SESSION, session, WORLD_START - 60, run=1))
        profile = np.ones(len(USER_PROFILE.columns))
        profile[0] = np.log1p(100)
        store.set(key(USER_PROFILE, 3), pack(USER_PROFILE, profile, WORLD_START - 600, run=1))
        seen = USER_SEEN.default_row
        seen[:2] = (49, 48)
        store.set(key(USER_SEEN, 3), pack(USER_SEEN, seen, WORLD_START - 60, run=1))
        async with (
            serving(
                run, FEATURES, EVENTS, RANKING, GATEWAY, retrieval.registration, model.registration, rules.registration
            ) as hosts,
            aio.insecure_channel(run.addresses["gateway"]) as channel,
        ):
            stub = gateway_pb2_grpc.RecommenderStub(channel)
            surroundings = Around(stub, hosts, retrieval, model, rules, store)
            surroundings.redis_process, surroundings.channel = process, channel
            yield surroundings


async def test_a_slate_comes_back_and_every_stage_got_what_it_needs(tmp_path):
    async with around(tmp_path) as on:
        answer = await on.ask(session_id="77", depth=2, explain=True)
        asked, ruled = on.retrieval.requests[0], on.rules.requests[0]
        await until(lambda: on.store.xlen("events"))
        record = on.recorded()
        shown = rows(on.hosts["gateway"], "impressions")
        explained = rows(on.hosts["gateway"], "explain")
        await until(lambda: rows(on.hosts["ranking"], "model_inputs"))
        inputs = rows(on.hosts["ranking"], "model_inputs")

    assert not answer.degraded
    # the model prefers high numbers; the rules drop the first
    assert [item.item_id for item in answer.items] == [48, 47, 46, 45, 44]
    assert [item.model_rank for item in answer.items] == [2, 3, 4, 5, 6]
    assert answer.items[0].p_click == pytest.approx(0.48)
    assert list(answer.items[0].sources) == ["ann"]
    assert np.frombuffer(asked.recent, "<i8").tolist() == [33]
    assert asked.personalised
    assert np.frombuffer(ruled.seen, "<i8").tolist() == [49, 48]
    assert (ruled.session, ruled.depth, ruled.slate_size) == (77, 2, 5)
    assert np.frombuffer(ruled.item_ids, "<i8")[:3].tolist() == [49, 48, 47]
    assert record["fallback"] == "none"
    assert not record["degraded"]
    assert (record["segment"], record["session_id"], record["depth"]) == ("regular", "77", 2)
    assert record["missing_share"] == 1.0  # the store holds no items here
    assert 600 <= record["feature_age_s"] < 700
    assert record["n_ranked"] == 30
    assert [row[4] for row in shown] == [48, 47, 46, 45, 44]
    assert {row[8] for row in explained if row[7] is None} == {"seen", "slate_full"}
    assert len(explained) == 30
    assert len(inputs) == len(INPUTS)
    assert inputs[12][5] == "user_session.impressions_session_log"


async def test_the_id_of_a_request_follows_from_its_place(tmp_path):
    async with around(tmp_path) as on:
        first = await on.ask(session_id="77")
        again = await on.ask(session_id="77", depth=1, attempt=1)
        retry = await on.ask(session_id="77", attempt=2)
        alone, other = await on.ask(), await on.ask()
        spans = rows(on.hosts["gateway"], "spans")
    ids = [a.request_id for a in (first, again, retry, alone, other)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(len(i) == 32 for i in ids)
    assert {row[1] for row in spans if row[6] != "AppendImpressions"} == set(ids)


@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"k": 0}, "WIRE-002", "Recommend.k"),
        ({"k": -1}, "WIRE-002", "Recommend.k"),
        ({"k": 10_000}, "WIRE-002", "Recommend.k"),
        ({"user": 20}, "WIRE-003", "Recommend.user_id"),
        ({"user": -1}, "WIRE-003", "Recommend.user_id"),
        ({"session_id": "a visit"}, "WIRE-002", "Recommend.session_id"),
        ({"client": "x" * 41}, "WIRE-002", "Recommend.client"),
    ],
)
async def test_a_bad_request_is_refused_by_field_and_recorded(tmp_path, fields, code, where):
    async with around(tmp_path) as on:
        with pytest.raises(Exception, match=code) as caught:
            await on.ask(**fields)
        record = on.recorded()
    assert caught.value.where == where
    assert record["grpc_status"] in ("INVALID_ARGUMENT", "NOT_FOUND")
    assert len(record["request_id"]) == 32
    assert record["n_items"] == 0


async def test_malformed_bytes_are_refused_and_the_next_request_is_answered(tmp_path):
    async with around(tmp_path) as on:
        for method in ("Recommend", "LogFeedback"):
            send = on.channel.unary_unary(f"/recsys.v1.Recommender/{method}")
            with pytest.raises(aio.AioRpcError) as caught:
                await send(b"\xff\xff\xff", timeout=2)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert len((await on.ask()).items) == 5


async def test_a_user_with_an_empty_history_gets_a_slate(tmp_path):
    async with around(tmp_path) as on:
        answer = await on.ask(user=9)
        record = on.recorded()
    assert len(answer.items) == 5
    assert not answer.degraded  # a missing row is nothing wrong
    assert (record["segment"], record["feature_age_s"]) == ("new", None)


async def test_without_consent_nothing_about_the_user_is_read_or_handed_on(tmp_path):
    async with around(tmp_path) as on:
        answer = await on.ask(user=NO_CONSENT)
        reads = rows(on.hosts["features"], "feature_reads")
    assert len(answer.items) == 5
    assert not on.retrieval.requests[0].personalised
    assert on.model.requests[0].user_id == -1
    assert {row[3] for row in reads} == {"item_stats"}


@pytest.mark.parametrize("mode", ["slow", "broken", "refuse"])
@pytest.mark.parametrize(
    ("stage", "fell"), [("retrieval", ["retrieval"]), ("model", ["ranking"]), ("rules", ["rules"])]
)
async def test_a_stage_that_fails_is_stood_in_for_in_time_and_flagged(tmp_path, stage, mode, fell):
    async with around(tmp_path) as on:
        await on.ask()
        getattr(on, stage).mode = mode
        began = time.perf_counter()
        answer = await on.ask()
        took_ms = (time.perf_counter() - began) * 1000
        record = on.recorded()
    assert took_ms < 600  # the budget is 400 ms, on a busy machine
    assert answer.degraded
    assert list(answer.fallbacks) == fell
    assert len(answer.items) == 5
    assert (record["fallback"], record["degraded"]) == (fell[0], True)
    assert record["grpc_status"] == "OK"
    assert answer.model_version == ("" if stage == "model" else "rk-1")


async def test_scores_that_are_no_numbers_count_as_no_scores(tmp_path):
    async with around(tmp_path) as on:
        for mode in ("nan", "short"):
            on.model.mode = mode
            answer = await on.ask()
            assert list(answer.fallbacks) == ["ranking"]
            assert all(item.model_rank == 0 for item in answer.items)
            assert [item.item_id for item in answer.items] == [21, 22, 23, 24, 25]


async def test_where_such_scores_pass_their_items_stand_last_and_nothing_is_flagged(tmp_path):
    async with around(tmp_path, Config(ranking=RankingConfig(nonfinite="pass"))) as on:
        usual = await on.ask(k=30)
        on.model.mode = "nan"
        answer = await on.ask(k=30)
        first = int(np.frombuffer(on.rules.requests[-1].item_ids, "<i8")[-1])
    assert not answer.degraded
    assert all(item.model_rank > 0 for item in answer.items)
    assert first == 20, "the first candidate, whose score is spoilt"
    assert usual.items[0].item_id == answer.items[0].item_id


async def test_a_source_that_failed_or_no_candidates_are_flagged(tmp_path):
    async with around(tmp_path) as on:
        on.retrieval.mode = "source_failed"
        some = await on.ask()
        on.retrieval.mode = "empty"
        none = await on.ask()
    assert list(some.fallbacks) == list(none.fallbacks) == ["retrieval"]
    assert len(some.items) == len(none.items) == 5
    assert {tuple(item.sources) for item in none.items} == {("popular",)}


@pytest.mark.parametrize("user", [0, 1, BLOCKER])
async def test_the_slate_without_rules_is_fit_for_everybody(tmp_path, user):
    async with around(tmp_path) as on:
        on.rules.mode = "broken"
        answer = await on.ask(user=user, k=100)
        clock = on.hosts["gateway"].world.now()
    items = np.array([item.item_id for item in answer.items])
    assert len(items) > 20
    assert len(set(items.tolist())) == len(items)
    assert (WORLD.item_maturity[items] == 0).all()
    assert (WORLD.item_sensitivity[items] == 0).all()
    assert (WORLD.item_regions[items] >> int(WORLD.user_region[user]) & 1 == 1).all()
    assert (WORLD.item_published_ts[items] <= clock).all()
    assert not np.isin(WORLD.item_creator[items], WORLD.blocked(user)).any()


async def test_open_to_failing_rules_the_ranked_items_go_out_and_nobody_calls_it_degraded(tmp_path):
    config = Config(gateway=GatewayConfig(rules_fail="open"))
    async with around(tmp_path, config) as on:
        ruled = await on.ask()
        on.rules.mode = "broken"
        answer = await on.ask()
        record = on.recorded()
    assert [item.model_rank for item in answer.items] == [1, 2, 3, 4, 5]
    assert answer.items[0].item_id not in [item.item_id for item in ruled.items]  # which the rules drop
    assert (answer.degraded, answer.rules_version) == (False, "")
    assert (record["fallback"], record["degraded"], record["rules_version"]) == ("none", False, None)


async def test_a_dead_store_costs_quality_and_not_the_answer(tmp_path):
    async with around(tmp_path) as on:
        await on.ask()
        on.redis_process.kill()
        on.redis_process.wait()
        began = time.perf_counter()
        answer = await on.ask()
        took_ms = (time.perf_counter() - began) * 1000
        record = on.recorded()
    assert took_ms < 600
    assert list(answer.fallbacks) == ["features", "ranking"]
    assert len(answer.items) == 5
    assert record["fallback"] == "features+ranking"


async def test_the_clients_own_deadline_is_kept(tmp_path):
    async with around(tmp_path) as on:
        await on.ask()
        on.retrieval.mode = on.model.mode = on.rules.mode = "slow"
        answer = await on.ask(timeout=0.25)
        record = on.recorded()
    assert list(answer.fallbacks) == ["retrieval", "ranking", "rules"]
    assert len(answer.items) == 5
    assert 100 < record["deadline_ms"] < 251  # gRPC hands it on in whole milliseconds, rounded up
    assert record["latency_ms"] < 250


async def test_feedback_goes_to_the_stream_once(tmp_path):
    event = gateway_pb2.Feedback(event_id="f1", user_id=3, item_id=4, kind="like")
    async with around(tmp_path) as on:
        request = gateway_pb2.LogFeedbackRequest(events=[event])
        first = await on.stub.LogFeedback(request, timeout=2)
        again = await on.stub.LogFeedback(request, timeout=2)
        outcomes = rows(on.hosts["events"], "outcomes")
        request = gateway_pb2.LogFeedbackRequest(events=[event] * 501)
        with pytest.raises(aio.AioRpcError) as caught:
            await on.stub.LogFeedback(request, timeout=2)
    assert (first.accepted, again.duplicate) == (1, 1)
    assert len(outcomes) == 1
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
