"""Retrieval's shell: loads artefacts, asks the model for the query vector, merges, reports, probes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base import artefacts
from sandbox.base.artefacts import COVISIT_VERSION, FEATURES_VERSION, POPULAR_VERSION
from sandbox.base.catalogue import REGIONS, Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT, USER_PROFILE
from sandbox.base.rows import Row, row_of
from services.proto.recsys.v1 import model_pb2, model_pb2_grpc, retrieval_pb2, retrieval_pb2_grpc
from services.retrieval.core import (
    IMPERSONAL,
    NOTHING,
    SOURCES,
    Covisit,
    Found,
    Shelves,
    allotted,
    merge,
    popular_by_region,
    top_up,
)
from services.retrieval.index import Index
from services.retrieval.probe import Golden, Probe
from services.skeleton.context import Context
from services.skeleton.host import Host, Registration
from services.skeleton.seams import Call

N_MAX = 1000  # candidates one call may ask for; ranking refuses more


class RetrievalServicer(retrieval_pb2_grpc.RetrievalServicer):
    """A source whose artefact is missing or damaged is reported as failed and the others answer: the
    process comes up without an index, and a later Reload brings it in."""

    def __init__(self, host: Host) -> None:
        self.host, self.config = host, host.config.retrieval
        self.registries = host.run.registries
        self.shelves = Shelves(Catalogue.load(Path(host.run.world_dir) / "public" / "catalogue.npz"))
        self.model = host.callee("model", model_pb2_grpc.ModelStub)
        self.index: Index | None = None
        self.covisit: Covisit | None = None
        self.popular: list[Found] = []
        self.golden: Golden | None = None
        self._probing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        with self._reported("index", self.config.index_version):
            self.index = self._load_index(self.config.index_version).searching(self.config.nprobe)
        with self._reported("covisit", COVISIT_VERSION):
            arrays = self._arrays("covisit", COVISIT_VERSION, "neighbours.safetensors")
            self.covisit = Covisit(arrays["items"], arrays["scores"])
        with self._reported("popular", POPULAR_VERSION):
            arrays = self._arrays("popular", POPULAR_VERSION, "popular.safetensors")
            self.popular = popular_by_region(arrays["items"], arrays["scores"])
        with self._reported("features", FEATURES_VERSION):
            found = artefacts.find(self.registries, "features", FEATURES_VERSION)
            self.golden = Golden.of(found)
        probe = Probe(self.host, self.model, lambda: (self.index, self.config))
        self._probing = asyncio.create_task(probe.run(self.golden))

    async def reconfigure(self, config: Config) -> None:
        """Loads the index that is asked for, then switches. Raises MODEL-001 or MODEL-002 and keeps
        what is in force when it cannot."""
        wanted = config.retrieval
        index = self.index
        if index is None or index.version != wanted.index_version:
            index = await asyncio.to_thread(self._load_index, wanted.index_version)
        self.index, self.config = index.searching(wanted.nprobe), wanted

    async def stop(self) -> None:
        if self._probing:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    async def Retrieve(self, request: Any, context: Context) -> Any:
        profile, recent, region = checked(request)
        config, index = self.config, self.index  # one request, one index, whatever is switched
        failed: set[str] = set()
        encoder_version = ""
        quota = allotted(config.quotas, request.n_wanted)
        wanted = [s for s in (SOURCES if request.personalised else IMPERSONAL) if s not in config.disabled]
        found: dict[str, Found] = {}
        now = self.host.world.now()

        async def find(source: str, n: int) -> Found:
            nonlocal encoder_version
            if source != "ann":
                return self._plain(source, request.user_id, recent, region, n, now)
            nearest, encoder_version = await self._ann(index, request, profile, recent, n, context)
            return nearest

        for source in wanted:
            if not quota[source]:
                continue
            try:
                found[source] = await self._from(source, quota[source], find, context)
            except SandboxError as error:
                failed.add(source)
                self.host.telemetry.log("warn", "source failed", context.trace_id, source=source, code=error.kind.code)
        for source, answer in found.items():
            visible = self.shelves.visible(answer.ids, now)
            if not visible.all():
                found[source] = Found(answer.ids[visible], answer.scores[visible])
        merged = merge(found, request.n_wanted)
        if len(merged.ids) < request.n_wanted and "popular" in wanted and self.popular:
            deeper = self.popular[region].ids
            deeper = deeper[self.shelves.visible(deeper, now)]
            merged = top_up(merged, Found(deeper, NOTHING.scores), request.n_wanted)
        if context.chosen(config.sample_share):
            for row in candidate_rows(found, now, context.trace_id):
                self.host.telemetry.row("candidates", row)
        return retrieval_pb2.RetrieveResponse(
            item_ids=merged.ids.tobytes(),
            scores=merged.scores.tobytes(),
            sources=merged.sources.tobytes(),
            counts=[
                retrieval_pb2.SourceCount(source=s, n=len(found[s].ids) if s in found else 0, failed=s in failed)
                for s in SOURCES
            ],
            encoder_version=encoder_version,
            index_version=index.version if index is not None and encoder_version else "",
        )

    async def _from(self, source: str, n: int, find: Callable[[str, int], Awaitable[Found]], context: Context) -> Found:
        """What `find` finds, through the seam."""
        if not self.host.seams.source:
            return await find(source, n)
        call = Call(
            "source", "retrieval", source, "find", context.user, context.session, context.depth,
            context.region, payload=n,
        )  # fmt: skip

        async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
            nearest = await find(source, c.payload)
            return nearest.ids, nearest.scores

        return Found(*await self.host.seams.source.run(call, proceed))

    async def _ann(
        self, index: Index | None, request: Any, profile: bytes, recent: np.ndarray, n: int, context: Context
    ) -> tuple[Found, str]:
        """Nearest items to the user's vector, and the version that encoded it."""
        if index is None:
            raise _not_loaded(f"index {self.config.index_version}")
        answer = await self.model.call(
            "EncodeUser",
            model_pb2.EncodeUserRequest(user_id=request.user_id, profile=profile, recent=recent.tobytes()),
            self.config.model,
        )
        vector = np.frombuffer(answer.vector, "<f4")
        if not self.host.seams.index:
            return index.search(vector, n), answer.encoder_version
        call = Call(
            "index", "retrieval", index.version, "search", context.user, context.session,
            context.depth, context.region, payload=np.array(vector),
        )  # fmt: skip

        async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
            nearest = index.search(c.payload, n)
            return nearest.ids, nearest.scores

        ids, scores = await self.host.seams.index.run(call, proceed)
        return Found(ids, scores), answer.encoder_version

    def _plain(self, source: str, user: int, recent: np.ndarray, region: int, n: int, now: float) -> Found:
        """A source that needs no other service. Raises WIRE-005 when its artefact is not there."""
        catalogue = self.shelves.catalogue
        known = 0 <= user < catalogue.n_users
        if source == "covisit" and self.covisit is not None:
            return self.covisit.find(recent, n)
        if source == "popular" and self.popular:
            return self.popular[region].first(n)
        if source == "followed":
            return self.shelves.followed(catalogue.follows(user), n, now) if known else NOTHING
        if source == "fresh":
            language = int(catalogue.user_language[user]) if known else -1
            return self.shelves.fresh(n, now, region, language)
        raise _not_loaded(source)

    def _load_index(self, version: str) -> Index:
        return Index.of(artefacts.find(self.registries, "index", version))

    def _arrays(self, artifact: str, version: str, name: str) -> dict[str, np.ndarray]:
        return artefacts.find(self.registries, artifact, version).arrays(name)

    @contextlib.contextmanager
    def _reported(self, artifact: str, version: str) -> Any:
        """An artefact that cannot be loaded at the start costs its source, not the process."""
        try:
            yield
        except (SandboxError, KeyError) as error:
            code = error.kind.code if isinstance(error, SandboxError) else "MODEL-002"
            self.host.telemetry.log(
                "error", "artefact not loaded", artifact=artifact, version=version, code=code, error=str(error)[:400]
            )


def _not_loaded(what: str) -> SandboxError:
    return SandboxError(
        "WIRE-005",
        where=f"retrieval, {what}",
        seen="nothing loaded",
        expected="its artefact",
        fix="build it or roll it back, then reload retrieval",
    )


def checked(request: Any) -> tuple[bytes, np.ndarray, int]:
    """Profile bytes, recent clicks and region. Raises WIRE-001 and WIRE-002."""
    if not 1 <= request.n_wanted <= N_MAX:
        raise _refused("n_wanted", request.n_wanted, f"1..{N_MAX}")
    if request.region >= len(REGIONS):
        raise _refused("region", request.region, f"a code below {len(REGIONS)}")
    if len(request.recent) % 8 or len(request.recent) > 8 * N_RECENT:
        raise _refused("recent", f"{len(request.recent)} bytes", f"int64, at most {N_RECENT}")
    size = 4 * len(USER_PROFILE.columns)
    if request.personalised and len(request.profile) != size:
        raise SandboxError(
            "WIRE-001",
            where="RetrieveRequest.profile",
            seen=f"{len(request.profile)} bytes",
            expected=f"{size} bytes",
            fix="send one float32 per column of user_profile",
        )
    return request.profile, np.frombuffer(request.recent, "<i8"), request.region


def candidate_rows(found: dict[str, Found], now: float, request_id: str) -> Iterator[Row]:
    """Rows of candidates: every source's list. now: world seconds."""
    for source, answer in found.items():
        pairs = zip(answer.ids.tolist(), answer.scores.tolist(), strict=True)
        for rank, (item, score) in enumerate(pairs, 1):
            yield row_of.candidates(ts=now, request_id=request_id, source=source, item_id=item, rank=rank, score=score)


def _refused(name: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "WIRE-002", where=f"RetrieveRequest.{name}", seen=seen, expected=expected, fix="send a value in range"
    )


REGISTRATION = Registration("retrieval", RetrievalServicer, retrieval_pb2.DESCRIPTOR.services_by_name["Retrieval"])
