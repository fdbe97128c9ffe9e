"""The ranking service: the contract decides the matrix, bad rows become defaults, stand-ins are named."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
import pytest
import redis
from grpc import aio

from sandbox.base.config import Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, key, pack
from services.features.server import REGISTRATION as FEATURES
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, ranking_pb2, ranking_pb2_grpc
from services.ranking.core import INPUTS, default_of
from services.ranking.server import REGISTRATION as RANKING
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host
from services.skeleton.status import from_rpc_error
from tests.services.fakes import FakeModel
from tests.services.harness import WORLD_START, make_run, redis_at, rows, serving
from tests.services.waiting import until

EDGE = Edge(deadline_ms=2_000, attempts=1)
ITEMS = np.arange(20, 30)


class Ranking:
    def __init__(self, run, callee, hosts, model, store):
        self.run, self.callee, self.hosts, self.model, self.store = run, callee, hosts, model, store

    async def rank(self, items=ITEMS, profile=b"", session=b"", **context):
        CURRENT.set(Context("ab" * 16, "1" * 16, None, "test", **context))
        request = ranking_pb2.RankRequest(
            user_id=3, profile=profile, session=session, item_ids=np.asarray(items, "<i8").tobytes()
        )
        return await self.callee.call("Rank", request, EDGE)

    def inputs(self):
        """float32 [n, columns]: what the model was last asked."""
        asked = self.model.requests[-1]
        return np.frombuffer(asked.inputs, "<f4").reshape(-1, asked.n_columns)

    async def reload(self, **changes):
        config = Config()
        for name, value in changes.items():
            setattr(config.ranking, name, value)
        config.save(self.run.path)
        async with aio.insecure_channel(self.run.addresses["ranking"]) as channel:
            try:
                await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest())
            except aio.AioRpcError as error:
                raise from_rpc_error(error, "test->ranking") from None


@asynccontextmanager
async def ranking(tmp_path):
    run, model = make_run(tmp_path), FakeModel()
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        for item in ITEMS[:-1]:  # the last one has no row
            stats = np.full(len(ITEM_STATS.columns), 0.25)
            stats[ITEM_STATS.columns.index("ctr_28d")] = item / 1000
            store.set(key(ITEM_STATS, int(item)), pack(ITEM_STATS, stats, WORLD_START, run=1))
        async with serving(run, FEATURES, RANKING, model.registration) as hosts:
            caller = Host("gateway", run, "gateway-0")
            callee = caller.callee("ranking", ranking_pb2_grpc.RankingStub)
            yield Ranking(run, callee, hosts, model, store)
            await callee.close()


async def test_scores_are_the_weighted_probabilities(tmp_path):
    async with ranking(tmp_path) as on:
        answer = await on.rank()
        await on.reload(weights=[2.0, 0.0, 0.0])
        doubled = await on.rank()
    scores = np.frombuffer(answer.scores, "<f4")
    assert scores == pytest.approx(ITEMS / 100)
    assert np.frombuffer(doubled.scores, "<f4") == pytest.approx(2 * scores)
    assert answer.model_version == "rk-1"
    assert answer.contract_version == "fc-1"
    assert answer.missing_share == pytest.approx(0.1)
    assert not answer.fallbacks


async def test_a_release_that_leaves_columns_out_serves_their_defaults_and_says_so(tmp_path):
    left_out = "item_stats.ctr_28d"
    async with ranking(tmp_path) as on:
        await on.rank()
        before = on.inputs()[:, INPUTS.index(left_out)]
        names = [name for name in INPUTS if name != left_out]
        await on.reload(contract=names, contract_version="fc-2")
        answer = await on.rank(sampled=True)
        after = on.inputs()[:, INPUTS.index(left_out)]
        await until(lambda: rows(on.hosts["ranking"], "model_inputs"))
        recorded = {row[5]: row for row in rows(on.hosts["ranking"], "model_inputs")}
    assert before[:-1] == pytest.approx(ITEMS[:-1] / 1000)
    assert (after == default_of(left_out)).all()
    assert answer.contract_version == recorded[left_out][3] == "fc-2"
    assert recorded[left_out][9] == 1.0
    assert recorded["item_stats.ctr_24h"][9] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"contract": ["no.such"]}, "MODEL-003"),
        ({"contract": [INPUTS[0], INPUTS[0]]}, "MODEL-003"),
        ({"weights": [1.0]}, "CFG-001"),
    ],
)
async def test_a_release_that_cannot_be_is_refused_and_the_old_one_serves_on(tmp_path, changes, code):
    async with ranking(tmp_path) as on:
        with pytest.raises(SandboxError, match=code):
            await on.reload(**changes)
        answer = await on.rank()
    assert answer.contract_version == "fc-1"
    assert np.frombuffer(answer.scores, "<f4") == pytest.approx(ITEMS / 100)


async def test_nan_in_a_users_row_becomes_the_default_row_and_is_flagged(tmp_path):
    profile = np.ones(len(USER_PROFILE.columns), "<f4")
    profile[4] = np.nan
    async with ranking(tmp_path) as on:
        answer = await on.rank(profile=profile.tobytes())
        inputs = on.inputs()
    assert list(answer.fallbacks) == ["features"]
    assert answer.model_version == "rk-1"
    assert np.isfinite(inputs).all()


async def test_without_a_model_the_items_own_click_rate_decides(tmp_path):
    async with ranking(tmp_path) as on:
        on.model.mode = "broken"
        answer = await on.rank()
    assert list(answer.fallbacks) == ["model"]
    assert answer.model_version == ""
    assert np.frombuffer(answer.scores, "<f4")[:-1] == pytest.approx(ITEMS[:-1] / 1000)
    assert not np.frombuffer(answer.probabilities, "<f4").any()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"items": [60]}, "WIRE-003"),
        ({"items": [-1]}, "WIRE-003"),
        ({"items": np.zeros(1001)}, "WIRE-001"),
        ({"profile": b"1234"}, "WIRE-001"),
        ({"session": b"1234"}, "WIRE-001"),
    ],
)
async def test_bad_requests_are_refused_by_code(tmp_path, fields, code):
    async with ranking(tmp_path) as on:
        with pytest.raises(SandboxError) as caught:
            await on.rank(**fields)
    assert caught.value.kind.code == code


async def test_no_candidates_are_ranked_as_none(tmp_path):
    async with ranking(tmp_path) as on:
        answer = await on.rank(items=[])
    assert answer.scores == b""
    assert answer.missing_share == 0.0
