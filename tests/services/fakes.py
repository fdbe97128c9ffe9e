"""Stand-ins for services that a test does not want for real. `mode` says how one behaves just now."""

from __future__ import annotations

import asyncio

import numpy as np

from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import model_pb2, retrieval_pb2, rules_pb2
from services.ranking.core import INPUTS
from services.skeleton.host import Registration


class Fake:
    """mode: ok, slow (answers after 2 s), broken (INTERNAL), refuse (a typed error), or a fake's own."""

    def __init__(self):
        self.mode, self.requests = "ok", []

    def build(self, host):
        return self

    async def start(self):
        pass

    async def stop(self):
        pass

    async def reconfigure(self, config):
        pass

    async def _behave(self, request):
        self.requests.append(request)
        if self.mode == "slow":
            await asyncio.sleep(2)
        if self.mode == "broken":
            raise ZeroDivisionError("a bug")
        if self.mode == "refuse":
            raise SandboxError("WIRE-002", where="fake", seen="?", expected="!", fix="none")


class FakeRetrieval(Fake):
    """Items 20..49, best first; the last one comes from two sources."""

    registration = property(
        lambda self: Registration("retrieval", self.build, retrieval_pb2.DESCRIPTOR.services_by_name["Retrieval"])
    )

    async def Retrieve(self, request, context):
        await self._behave(request)
        ids = np.arange(20, 50) if self.mode != "empty" else np.arange(0)
        failed = self.mode == "source_failed"
        counts = [
            retrieval_pb2.SourceCount(source="ann", n=len(ids), failed=failed),
            retrieval_pb2.SourceCount(source="popular", n=1),
        ]
        return retrieval_pb2.RetrieveResponse(
            item_ids=ids.astype("<i8").tobytes(),
            scores=np.linspace(1, 0.1, len(ids), dtype="<f4").tobytes(),
            sources=(b"\x01" * len(ids))[:-1] + b"\x03" * bool(len(ids)),
            counts=counts,
            encoder_version="" if failed else "tt-1",
            index_version="ix-1",
        )


class FakeModel(Fake):
    """Clicks grow with the item's number. nan: a probability that is none. short: one row too few."""

    registration = property(
        lambda self: Registration("model", self.build, model_pb2.DESCRIPTOR.services_by_name["Model"])
    )

    async def Score(self, request, context):
        await self._behave(request)
        ids = np.frombuffer(request.item_ids, "<i8")
        p = np.zeros((len(ids), 3), "<f4")
        p[:, 0] = ids / 100
        if self.mode == "nan":
            p[0, 0] = np.nan
        if self.mode == "short":
            p = p[:-1]
        return model_pb2.ScoreResponse(probabilities=p.tobytes(), model_version="rk-1")

    async def EncodeUser(self, request, context):
        await self._behave(request)
        return model_pb2.EncodeUserResponse(vector=bytes(256), encoder_version="tt-1")

    async def ListVersions(self, request, context):
        version = model_pb2.ModelVersion(artifact="ranker", version="rk-1", active=True, inputs=INPUTS)
        return model_pb2.ListVersionsResponse(versions=[version])


class FakeRules(Fake):
    """The first rows as they come; row 0 is dropped as seen."""

    registration = property(
        lambda self: Registration("rules", self.build, rules_pb2.DESCRIPTOR.services_by_name["Rules"])
    )

    async def Apply(self, request, context):
        await self._behave(request)
        n = len(request.item_ids) // 8
        rows = range(1, min(n, request.slate_size + 1))
        return rules_pb2.ApplyResponse(
            slate=[rules_pb2.Placed(row=row, propensity=1.0) for row in rows],
            rules_version="ru-1",
            dropped_row=[0],
            dropped_rule=["seen"],
        )
