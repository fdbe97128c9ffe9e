"""The model server: several versions, batches, bad inputs, and switching without a gap."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from grpc import aio

from sandbox.base.arms import arm_of
from sandbox.base.config import Canary, Config, Edge, ModelConfig, Shadow
from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_PROFILE
from sandbox.base.schema import TABLES
from services.model.server import REGISTRATION as MODEL
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, model_pb2, model_pb2_grpc
from services.ranking.core import INPUTS
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host
from services.skeleton.status import from_rpc_error
from tests.services.artefacts import damage, everything, ranker
from tests.services.harness import N_ITEMS, WORLD_START, make_run, rows, serving
from tests.services.waiting import until

EDGE = Edge(deadline_ms=5_000, attempts=1)
ITEMS = np.arange(30)
INPUT_ROWS = np.random.default_rng(3).random((30, len(INPUTS))).astype(np.float32)


class Model:
    def __init__(self, run, host, callee):
        self.run, self.host, self.callee = run, host, callee

    async def score(self, items=ITEMS, inputs=INPUT_ROWS, user=3, version="", n_columns=None):
        CURRENT.set(Context("ab" * 16, "1" * 16, None, "test", user=user))
        request = model_pb2.ScoreRequest(
            user_id=user,
            item_ids=np.asarray(items, "<i8").tobytes(),
            version=version,
            inputs=np.asarray(inputs, "<f4").tobytes(),
            n_columns=len(INPUTS) if n_columns is None else n_columns,
        )
        answer = await self.callee.call("Score", request, EDGE)
        p = np.frombuffer(answer.probabilities, "<f4").reshape(-1, 3)
        return p, answer.model_version

    async def encode(self, user=3, profile=None, recent=(), version=""):
        row = np.zeros(len(USER_PROFILE.columns)) if profile is None else profile
        request = model_pb2.EncodeUserRequest(
            user_id=user,
            profile=np.asarray(row, "<f4").tobytes(),
            version=version,
            recent=np.asarray(recent, "<i8").tobytes(),
        )
        return await self.callee.call("EncodeUser", request, EDGE)

    async def reload(self, **changes):
        Config(model=ModelConfig(**changes)).save(self.run.path)
        async with aio.insecure_channel(self.run.addresses["model"]) as channel:
            try:
                await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest())
            except aio.AioRpcError as error:
                raise from_rpc_error(error, "test->model") from None


@asynccontextmanager
async def model(tmp_path, config=None):
    run = make_run(tmp_path, config)
    everything(tmp_path)
    async with serving(run, MODEL) as hosts:
        caller = Host("ranking", run, "ranking-0")
        yield Model(run, hosts["model"], caller.callee("model", model_pb2_grpc.ModelStub))
        await caller.callees["model"].close()


async def test_a_rows_score_does_not_depend_on_what_comes_with_it(tmp_path):
    async with model(tmp_path) as served:
        whole, version = await served.score()
        alone, _ = await served.score(ITEMS[7:8], INPUT_ROWS[7:8])
        together = await asyncio.gather(*(served.score(user=u) for u in range(6)))

    assert version == "rk-1"
    assert whole.shape == (30, 3)
    assert ((whole > 0) & (whole < 1)).all()
    np.testing.assert_allclose(alone[0], whole[7], atol=1e-6)
    np.testing.assert_allclose(together[3][0], whole, atol=1e-6)


async def test_calls_at_the_same_time_share_a_batch_and_say_so(tmp_path):
    config = Config(model=ModelConfig(max_wait_ms=50))  # on a busy machine calls trickle in

    async with model(tmp_path, config) as served:
        await asyncio.gather(*(served.score() for _ in range(8)))
        batches = [row[-1] for row in rows(served.host, "spans") if row[6] == "forward"]

    assert len(batches) == 8
    assert max(batches) > 30


async def test_wrong_columns_unknown_versions_and_torn_arrays_are_refused(tmp_path):
    async with model(tmp_path) as served:
        for code, call in [
            ("MODEL-003", served.score(n_columns=5)),
            ("MODEL-001", served.score(version="rk-9")),
            ("WIRE-001", served.score(items=ITEMS[:-1])),
            ("WIRE-001", served.score(items=[])),
            ("MODEL-001", served.encode(version="tt-9")),
            ("WIRE-001", served.encode(profile=[1.0, 2.0])),
            ("WIRE-001", served.encode(recent=range(21))),
        ]:
            with pytest.raises(SandboxError, match=code):
                await call


async def test_cells_that_are_no_numbers_count_as_zero_and_are_logged(tmp_path):
    bad, zero = INPUT_ROWS.copy(), INPUT_ROWS.copy()
    bad[2, 5], bad[4, 6] = np.nan, np.inf
    zero[2, 5] = zero[4, 6] = 0

    async with model(tmp_path) as served:
        seen, _ = await served.score(inputs=bad)
        expected, _ = await served.score(inputs=zero)
        logged = [row for row in rows(served.host, "logs") if row[4] == "inputs not finite"]

    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert '"cells": 2' in logged[0][5]


async def test_unknown_users_and_items_share_the_unknown_ones_vector(tmp_path):
    async with model(tmp_path) as served:
        vectors = [(await served.encode(user=u, recent=[N_ITEMS + 5])).vector for u in (-1, 9_999)]
        scores, _ = await served.score(items=[-4, N_ITEMS + 7], inputs=INPUT_ROWS[[0, 0]])

    assert vectors[0] == vectors[1]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


async def test_a_switch_drops_no_request(tmp_path):
    async with model(tmp_path) as served:
        ranker(tmp_path / "registry", "rk-2", seed=2)
        answers: list[str] = []

        async def keep_asking():
            while "rk-2" not in answers:
                answers.append((await served.score())[1])

        askers = [asyncio.create_task(keep_asking()) for _ in range(4)]
        await until(lambda: len(answers) >= 8)
        await served.reload(ranker="rk-2")
        await asyncio.wait_for(asyncio.gather(*askers), 30)

    assert set(answers) == {"rk-1", "rk-2"}


async def test_several_versions_are_held_and_asked_by_name(tmp_path):
    async with model(tmp_path) as served:
        ranker(tmp_path / "registry", "rk-2", seed=2)
        await served.reload(keep_loaded=["rk-2"])
        (first, _), (second, named) = await served.score(), await served.score(version="rk-2")
        listed = await served.callee.call("ListVersions", model_pb2.ListVersionsRequest(), EDGE)
        with pytest.raises(SandboxError, match="MODEL-001"):
            await served.reload(keep_loaded=["rk-7"])

    assert named == "rk-2"
    assert np.abs(first - second).max() > 1e-3
    assert {(v.version, v.active) for v in listed.versions} == {("rk-1", True), ("rk-2", False), ("tt-1", True)}
    assert tuple(listed.versions[1].inputs) == INPUTS


async def test_a_canary_answers_its_users_at_each_visit_and_nobody_else(tmp_path):
    canary = Canary(version="rk-2", share=0.3, salt="one", until_ts=WORLD_START + 1e6)
    async with model(tmp_path) as served:
        ranker(tmp_path / "registry", "rk-2", seed=2)
        await served.reload(canary=canary)
        visits = [{user: (await served.score(user=user))[1] for user in range(-1, 20)} for _ in range(2)]
        await served.reload(canary=canary.model_copy(update={"until_ts": WORLD_START}))
        after = {(await served.score(user=user))[1] for user in range(20)}

    assert visits[0] == visits[1]
    assert {user for user, version in visits[0].items() if version == "rk-2"} == {
        user for user in range(20) if arm_of(user, canary) == "canary"
    }
    assert visits[0][-1] == "rk-1"
    assert set(visits[0].values()) == {"rk-1", "rk-2"}
    assert after == {"rk-1"}  # its time is over, whoever was to see to that


async def test_a_shadow_scores_beside_and_answers_are_the_same_to_the_byte(tmp_path):
    async with model(tmp_path) as served:
        before = [(await served.score(user=user))[0].tobytes() for user in range(8)]
        ranker(tmp_path / "registry", "rk-2", seed=2)
        await served.reload(shadow=Shadow(version="rk-2", share=1.0))
        with_shadow = [(await served.score(user=user))[0].tobytes() for user in range(8)]
        await until(lambda: rows(served.host, "shadow_scores"))
        found = dict(zip(TABLES["shadow_scores"].names, rows(served.host, "shadow_scores")[0], strict=True))

    assert with_shadow == before
    assert (found["live_version"], found["shadow_version"], found["status"]) == ("rk-1", "rk-2", "OK")
    assert found["n_items"] == 30
    assert 0 <= found["overlap_10"] <= 1
    assert found["p_click_live"] != found["p_click_shadow"]


async def test_a_shadow_that_cannot_score_is_a_row_and_nobodys_trouble(tmp_path):
    async with model(tmp_path) as served:
        before = (await served.score())[0].tobytes()
        ranker(tmp_path / "registry", "rk-2", inputs=INPUTS[:5])
        await served.reload(shadow=Shadow(version="rk-2", share=1.0))
        with_shadow = (await served.score())[0].tobytes()
        await until(lambda: rows(served.host, "shadow_scores"))
        (scored,) = rows(served.host, "shadow_scores")

    assert with_shadow == before
    assert "MODEL-003" in scored


async def test_a_damaged_version_is_refused_and_the_old_one_goes_on(tmp_path):
    async with model(tmp_path) as served:
        damage(ranker(tmp_path / "registry", "rk-2", seed=2) / "model.safetensors")
        with pytest.raises(SandboxError, match="MODEL-002"):
            await served.reload(ranker="rk-2")

        assert (await served.score())[1] == "rk-1"


async def test_a_model_server_with_a_damaged_model_does_not_start(tmp_path):
    run = make_run(tmp_path)
    damage(everything(tmp_path) / "ranker" / "rk-1" / "model.safetensors")
    host = Host("model", run, "model-0")

    with pytest.raises(SandboxError, match="MODEL-002"):
        await MODEL.build(host).start()


async def test_the_model_seam_sees_what_goes_in(tmp_path):
    class Swap:
        async def around(self, call, proceed):
            users, items, inputs = call.payload
            call.payload = (users, items[::-1].copy(), inputs)
            return await proceed(call)

    async with model(tmp_path) as served:
        straight, _ = await served.score(inputs=np.tile(INPUT_ROWS[:1], (30, 1)))
        served.host.seams.model.put(Swap())
        swapped, _ = await served.score(inputs=np.tile(INPUT_ROWS[:1], (30, 1)))

    np.testing.assert_allclose(swapped, straight[::-1], atol=1e-6)
