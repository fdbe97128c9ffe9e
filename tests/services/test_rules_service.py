"""The rules service: a slate over the wire, what is recorded of it, and lists that are refused."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
import pytest
from grpc import aio

from sandbox.base.config import Config, Edge, Rule, RulesConfig, SensitivityList
from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, rules_pb2, rules_pb2_grpc
from services.rules.server import REGISTRATION as RULES
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host
from services.skeleton.status import from_rpc_error
from tests.services.harness import N_ITEMS, make_run, rows, serving

EDGE = Edge(deadline_ms=5_000, attempts=1)
ITEMS = np.arange(N_ITEMS)


class Rules:
    def __init__(self, run, host, callee):
        self.run, self.host, self.callee = run, host, callee

    async def slate(self, items=ITEMS, *, sampled=False, seen=(), **fields):
        CURRENT.set(Context("cd" * 16, "1" * 16, None, "test", sampled=sampled))
        scores = np.linspace(1, 0.5, len(items)).astype("<f4")
        asked = {"user_id": 2, "slate_size": 8, "session": 4, "depth": 1} | fields
        request = rules_pb2.ApplyRequest(
            item_ids=np.asarray(items, "<i8").tobytes(),
            scores=scores.tobytes(),
            seen=np.asarray(seen, "<i8").tobytes(),
            **asked,
        )
        return await self.callee.call("Apply", request, EDGE)

    async def reload(self, **changes):
        Config(rules=RulesConfig(**changes)).save(self.run.path)
        async with aio.insecure_channel(self.run.addresses["rules"]) as channel:
            try:
                await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest())
            except aio.AioRpcError as error:
                raise from_rpc_error(error, "test->rules") from None


@asynccontextmanager
async def rules(tmp_path):
    run = make_run(tmp_path, Config(rules=RulesConfig(explore_share=0)))
    async with serving(run, RULES) as hosts:
        caller = Host("gateway", run, "gateway-0")
        yield Rules(run, hosts["rules"], caller.callee("rules", rules_pb2_grpc.RulesStub))
        await caller.callees["rules"].close()


async def test_a_slate_holds_no_refused_item_and_says_which_document_made_it(tmp_path):
    async with rules(tmp_path) as served:
        answer = await served.slate()

    shown = [placed.row for placed in answer.slate]
    assert len(shown) == 8
    assert min(shown) >= 20  # 0..9 for adults, 10..14 labelled, 15..19 without rights
    assert answer.rules_version == "ru-1"
    assert not answer.dropped_row


async def test_refusals_are_recorded_always_and_the_rest_for_sampled_requests(tmp_path):
    async with rules(tmp_path) as served:
        await served.slate(seen=[30, 31])
        always = {row[3] for row in rows(served.host, "rule_decisions")}
        answer = await served.slate(seen=[30, 31], sampled=True)
        everything = {row[3] for row in rows(served.host, "rule_decisions")}

    assert always == {"maturity", "region_rights", "sensitivity"}
    assert {"seen", "creator_cap"} <= everything
    assert dict(zip(answer.dropped_row, answer.dropped_rule, strict=True))[30] == "seen"


async def test_a_list_release_changes_what_is_refused(tmp_path):
    listed = SensitivityList(version="sl-2", threshold=0.0)

    async with rules(tmp_path) as served:
        await served.reload(version="ru-2", sensitivity=listed)
        answer = await served.slate()

    assert not answer.slate  # every score is at or above 0
    assert answer.rules_version == "ru-2"


async def test_a_wrong_document_is_refused_and_the_one_in_force_stays(tmp_path):
    async with rules(tmp_path) as served:
        with pytest.raises(SandboxError, match="CFG-003"):
            await served.reload(version="ru-2", rules=[Rule(id="no_such_rule")])
        with pytest.raises(SandboxError, match="CFG-003"):
            await served.reload(version="ru-3", sensitivity=SensitivityList(by_language={"klingon": 0.1}))

        assert (await served.slate()).rules_version == "ru-1"


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("WIRE-002", {"slate_size": 0}),
        ("WIRE-002", {"slate_size": 10_000}),
        ("WIRE-002", {"region": 50}),
        ("WIRE-002", {"seen": range(201)}),
        ("WIRE-002", {"items": range(1001)}),
    ],
)
async def test_fields_out_of_range_are_refused(tmp_path, code, fields):
    async with rules(tmp_path) as served:
        with pytest.raises(SandboxError, match=code):
            await served.slate(**fields)


async def test_scores_of_another_length_are_refused(tmp_path):
    async with rules(tmp_path) as served:
        CURRENT.set(Context("cd" * 16, "1" * 16, None, "test"))
        request = rules_pb2.ApplyRequest(item_ids=bytes(80), scores=bytes(4), slate_size=5)
        with pytest.raises(SandboxError, match="WIRE-001"):
            await served.callee.call("Apply", request, EDGE)
