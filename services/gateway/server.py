"""The gateway: the public API, the budget of a request, and a stand-in for every stage."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sandbox.base import artefacts
from sandbox.base.catalogue import REGIONS, Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from services.events.core import MAX_EVENTS
from services.gateway import core, record
from services.gateway.behind import Behind
from services.gateway.consent import PURPOSE, Decisions
from services.gateway.core import Asked
from services.gateway.limiter import Limiter
from services.gateway.record import Record
from services.gateway.region import tagged
from services.gateway.stages import VIEWS, Candidates, Ranked, UserRows, dropped_by
from services.proto.recsys.v1 import (
    events_pb2_grpc,
    features_pb2,
    features_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    ranking_pb2,
    ranking_pb2_grpc,
    retrieval_pb2,
    retrieval_pb2_grpc,
    rules_pb2,
    rules_pb2_grpc,
)
from services.skeleton.client import MARGIN_S
from services.skeleton.context import Context
from services.skeleton.host import Host, Registration

T = TypeVar("T")


class GatewayServicer(gateway_pb2_grpc.RecommenderServicer):
    """Calls the stages one after the other: each needs what the one before it found."""

    def __init__(self, host: Host) -> None:
        self.host, self.telemetry = host, host.telemetry
        self.catalogue = Catalogue.load(Path(host.run.world_dir) / "public" / "catalogue.npz")
        self.n_regions = int(self.catalogue.user_region.max(initial=0)) + 1
        self.callees = {
            "features": host.callee("features", features_pb2_grpc.FeaturesStub),
            "retrieval": host.callee("retrieval", retrieval_pb2_grpc.RetrievalStub),
            "ranking": host.callee("ranking", ranking_pb2_grpc.RankingStub),
            "rules": host.callee("rules", rules_pb2_grpc.RulesStub),
            "events": host.callee("events", events_pb2_grpc.EventsStub),
        }
        self.counter = itertools.count(1)
        self.behind = Behind(host, self.callees["events"])
        self.popular: list[core.Ints] = []
        self.limiter, self.decisions = Limiter(), Decisions()
        host.on_shed = self._shed
        self._configure(host.config)

    def _configure(self, config: Config) -> None:
        self.config = config.gateway
        self.edges = {name: getattr(config.gateway, name) for name in self.callees}
        self.behind.edge = self.edges["events"]
        self.consent_edge = self.edges["features"].model_copy(update={"deadline_ms": config.gateway.consent_wait_ms})

    async def start(self) -> None:
        """Without the popular artefact the newest items stand in: the process comes up all the same."""
        stored = None
        try:
            found = artefacts.find(self.host.run.registries, "popular", artefacts.POPULAR_VERSION)
            stored = found.arrays("popular.safetensors")["items"]
        except (SandboxError, KeyError) as error:
            self.telemetry.log("error", "popular items not loaded", error=str(error)[:400])
        self.popular = core.popular_items(stored, self.catalogue)

    async def reconfigure(self, config: Config) -> None:
        self._configure(config)

    async def stop(self) -> None:
        await self.behind.finish()

    async def Recommend(self, request: Any, context: Context) -> Any:
        now, began = self.host.world.now(), time.perf_counter()
        given = context.remaining_s()
        budget_ms = self.config.deadline_ms if given is None else given * 1000
        seen = Record(now, began, budget_ms)
        try:
            asked = core.check_request(request, self.catalogue.n_users)
            self._place(asked, context, seen)
            self.limiter.require(asked.user, now, self.config.max_per_minute)
            whole_s = min(budget_ms, self.config.deadline_ms) / 1000
            context.deadline = began + whole_s * (1 - core.ANSWER_SHARE)
            return await self._answer(asked, context, seen)
        except SandboxError as error:
            seen.status = error.kind.status
            raise
        except asyncio.CancelledError:
            late = (time.perf_counter() - began) * 1000 >= budget_ms - 1.0
            seen.status = "DEADLINE_EXCEEDED" if late else "CANCELLED"
            raise
        except Exception:
            seen.status = "INTERNAL"
            raise
        finally:
            if not context.trace_id:
                context.trace_id = self._fresh_id()
            latency_ms = (time.perf_counter() - began) * 1000
            seen.write(self.telemetry, request, context, latency_ms)

    def _shed(self, request: Any, context: Context, error: SandboxError) -> None:
        """A call that was turned away before it came to its handler has its row all the same."""
        if not isinstance(request, gateway_pb2.RecommendRequest):
            context.trace_id = context.trace_id or self._fresh_id()
            return
        given = context.remaining_s()
        seen = Record(
            self.host.world.now(), time.perf_counter(), self.config.deadline_ms if given is None else given * 1000
        )
        seen.status = error.kind.status
        try:
            self._place(core.check_request(request, self.catalogue.n_users), context, seen)
        except SandboxError:
            context.trace_id = context.trace_id or self._fresh_id()
        seen.write(self.telemetry, request, context, 0.0)

    def _fresh_id(self) -> str:
        return core.request_id(self.host.run.seed, self.host.instance, os.getpid(), next(self.counter))

    def _place(self, asked: Asked, context: Context, seen: Record) -> None:
        """The request's id and its place in the world. The trace begins here, whatever came along."""
        if asked.session is None:
            context.trace_id = self._fresh_id()
            context.session = core.visit_of(context.trace_id)
        else:
            context.session = asked.session
            context.trace_id = core.request_id(
                self.host.run.seed, asked.user, asked.session, asked.depth, asked.attempt
            )
        context.parent_id = None
        context.user, context.depth = asked.user, asked.depth
        home = int(self.catalogue.user_region[asked.user])
        context.region = home
        try:
            context.region = tagged(
                self.host.seams.region, asked.user, context.session, asked.depth, home, self.n_regions
            )
        except SandboxError as error:  # home is a region in any case
            self.telemetry.log("warn", "region not tagged", context.trace_id, code=error.kind.code)
        context.sampled = asked.explain or context.chosen(self.config.explain_share)
        seen.region = REGIONS[context.region]
        seen.session, seen.depth, seen.attempt = context.session, asked.depth, asked.attempt

    async def _answer(self, asked: Asked, context: Context, seen: Record) -> Any:
        personalised = await self._personalised(asked, context, seen)
        user = await self._user_rows(asked, personalised, context, seen)
        candidates = await self._candidates(asked, user, personalised, context, seen)
        ranked = await self._ranked(asked, user, personalised, candidates, context, seen)
        answer = gateway_pb2.RecommendResponse(
            request_id=context.trace_id,
            user_id=asked.user,
            model_version=ranked.model_version,
            encoder_version=candidates.encoder_version,
            index_version=candidates.index_version,
        )
        await self._slate(asked, user, candidates, ranked, context, seen, answer)
        fell = seen.ordered_fallbacks()
        answer.degraded = bool(fell)
        answer.fallbacks.extend(fell)
        seen.n_items, seen.payload_bytes = len(answer.items), answer.ByteSize()
        now = self.host.world.now()
        record.write_impressions(self.telemetry, now, context, asked.user, answer.items, ranked.model_version)
        if self.config.impressions_to_stream and answer.items:
            self.behind.append(now, answer, context)
        return answer

    async def _personalised(self, asked: Asked, context: Context, seen: Record) -> bool:
        """Whether what is known of the user may be used for this request."""
        if seen.region in self.config.impersonal:
            return False
        if self.config.consent == "copy":
            return bool(self.catalogue.user_personalised[asked.user])
        seen.consent = self.decisions.kept(asked.user, seen.ts, self.config)
        if seen.consent is None:
            granted: bool | None = None
            try:
                request = features_pb2.GetConsentRequest(user_id=asked.user, purpose=PURPOSE)
                granted = (await self.callees["features"].call("GetConsent", request, self.consent_edge)).granted
            except SandboxError as error:
                self.telemetry.log("warn", "consent not answered", context.trace_id, code=error.kind.code)
            seen.consent = self.decisions.decide(asked.user, granted, self.host.world.now(), self.config)
        return seen.consent.granted

    async def _stage(
        self, stage: str, op: str, request: Any, context: Context, seen: Record,
        unpack: Callable[[Any], T], n_keys: int | None = None,
    ) -> T | None:  # fmt: skip
        """What the stage answers, None when its stand-in has to serve."""
        began = time.perf_counter()
        due = context.deadline
        assert due is not None, "Recommend sets a deadline"
        context.deadline = began + (due - began) * core.stage_share(stage) + MARGIN_S
        try:
            answer = await self.callees[stage].call(op, request, self.edges[stage], n_keys=n_keys)
            return unpack(answer)
        except (SandboxError, ValueError) as error:  # ValueError: arrays that cannot be unpacked
            code = error.kind.code if isinstance(error, SandboxError) else "WIRE-001"
            seen.fallbacks.add(stage)
            self.telemetry.log("warn", "stage fell back", context.trace_id, stage=stage, code=code)
            return None
        finally:
            context.deadline = due
            seen.stage_ms[stage] = (time.perf_counter() - began) * 1000

    async def _user_rows(self, asked: Asked, personalised: bool, context: Context, seen: Record) -> UserRows:
        if not personalised:  # no consent: nothing about the user is read
            return UserRows.unknown()
        request = features_pb2.GetUserRequest(user_id=asked.user, views=VIEWS)
        rows = await self._stage(
            "features", "GetUser", request, context, seen,
            lambda answer: UserRows.of(answer, self.host.world.now()), len(VIEWS),
        )  # fmt: skip
        rows = rows or UserRows.unknown()
        seen.segment = rows.segment
        seen.profile_age_s, seen.session_age_s = rows.profile_age_s, rows.session_age_s
        return rows

    async def _candidates(
        self, asked: Asked, user: UserRows, personalised: bool, context: Context, seen: Record
    ) -> Candidates:
        n_wanted = max(self.config.n_candidates, asked.k)
        request = retrieval_pb2.RetrieveRequest(
            user_id=asked.user, profile=user.profile.tobytes(), recent=user.recent.tobytes(),
            region=context.region, personalised=personalised, n_wanted=n_wanted,
        )  # fmt: skip
        found = await self._stage("retrieval", "Retrieve", request, context, seen, Candidates.of)
        if found is not None and found.failed:
            seen.fallbacks.add("retrieval")
        if found is None or not len(found.ids):
            seen.fallbacks.add("retrieval")
            found = Candidates.popular(self.popular[context.region][:n_wanted])
        seen.n_candidates = len(found.ids)
        seen.encoder_version, seen.index_version = found.encoder_version, found.index_version
        return found

    async def _ranked(
        self, asked: Asked, user: UserRows, personalised: bool, candidates: Candidates, context: Context, seen: Record
    ) -> Ranked:
        request = ranking_pb2.RankRequest(
            user_id=asked.user if personalised else -1,
            profile=user.profile.tobytes(),
            session=user.session.tobytes(),
            item_ids=candidates.ids.tobytes(),
        )
        n = len(candidates.ids)
        found = await self._stage("ranking", "Rank", request, context, seen, Ranked.of, n)
        if found is None or len(found.order) != n:
            seen.fallbacks.add("ranking")
            return Ranked.as_retrieved(candidates)
        if found.fell_back:
            seen.fallbacks.add("ranking")
        seen.n_ranked = n if found.model_version else 0
        seen.model_version, seen.missing_share = found.model_version, found.missing_share
        return found

    async def _slate(
        self, asked: Asked, user: UserRows, candidates: Candidates, ranked: Ranked,
        context: Context, seen: Record, answer: Any,
    ) -> None:  # fmt: skip
        """Fills `answer` with what the rules make of the candidates, else with the safe popular slate."""
        order = ranked.order
        request = rules_pb2.ApplyRequest(
            user_id=asked.user, item_ids=candidates.ids[order].tobytes(),
            scores=ranked.scores[order].astype("<f4").tobytes(), seen=user.seen.tobytes(),
            slate_size=asked.k, region=context.region, session=context.session, depth=asked.depth,
        )  # fmt: skip
        ruled = await self._stage("rules", "Apply", request, context, seen, lambda a: a, len(order))
        if ruled is None and self.config.rules_fail == "open":
            seen.fallbacks.discard("rules")  # who lets it through calls it no degradation
            ruled = rules_pb2.ApplyResponse(
                slate=[rules_pb2.Placed(row=r, propensity=1) for r in range(len(order))[: asked.k]]
            )
        if ruled is None:
            self._safe_slate(asked, context, answer)
            return
        answer.rules_version = seen.rules_version = ruled.rules_version
        places = np.fromiter((p.row for p in ruled.slate), np.int64, len(ruled.slate))
        shown = order[places]
        scored = bool(ranked.model_version)
        columns = (candidates.ids[shown].tolist(), ranked.scores[shown].tolist(), np.nan_to_num(ranked.p_click[shown]).tolist())  # fmt: skip
        for place, (placed, row, item, score, p) in enumerate(
            zip(ruled.slate, shown.tolist(), *columns, strict=True), 1
        ):
            answer.items.add(
                item_id=item, position=place, score=score, p_click=p,
                model_rank=placed.row + 1 if scored else 0,
                sources=candidates.names[candidates.masks[row]], propensity=placed.propensity,
                randomised=placed.randomised, rules=placed.rules,
            )  # fmt: skip
        if context.sampled:
            dropped = dropped_by(ruled.dropped_row, ruled.dropped_rule)
            record.write_explain(
                self.telemetry, self.host.world.now(), context.trace_id, candidates, ranked, shown, dropped
            )

    def _safe_slate(self, asked: Asked, context: Context, answer: Any) -> None:
        items = core.safe_items(
            self.popular[context.region], self.catalogue, user=asked.user, region=context.region,
            now=self.host.world.now(), k=asked.k,
        )  # fmt: skip
        for place, item in enumerate(items.tolist(), 1):
            answer.items.add(item_id=item, position=place, sources=("popular",), propensity=1.0)

    async def LogFeedback(self, request: Any, context: Context) -> Any:
        if len(request.events) > MAX_EVENTS:
            raise SandboxError(
                "WIRE-002",
                where="LogFeedback.events",
                seen=len(request.events),
                expected=f"at most {MAX_EVENTS}",
                fix="send them in several calls",
            )
        context.trace_id = context.trace_id or self._fresh_id()
        if request.events:
            user = request.events[0].user_id
            if 0 <= user < self.catalogue.n_users:
                context.user, context.region = user, int(self.catalogue.user_region[user])
        return await self.callees["events"].call("Append", request, self.edges["events"])


REGISTRATION = Registration("gateway", GatewayServicer, gateway_pb2.DESCRIPTOR.services_by_name["Recommender"])
