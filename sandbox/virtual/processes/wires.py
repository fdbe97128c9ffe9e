"""The methods of the services as messages, for wrappers of a virtual call: `sandbox.virtual.machine.wire.Wire` of each.

What is checked of a request, and how an answer is unpacked, is the services' own code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, Rows
from sandbox.virtual.answers.asked import Answer, Asked
from sandbox.virtual.answers.later import Later, known
from services.events import core as events
from services.features.core import MAX_VIEWS, asked_items, asked_views, rows_of
from services.features.server import packed
from services.gateway.stages import VIEWS, Candidates, Ranked, UserRows
from services.proto.recsys.v1 import (
    events_pb2,
    features_pb2,
    gateway_pb2,
    model_pb2,
    ranking_pb2,
    retrieval_pb2,
    rules_pb2,
)
from services.ranking.core import OBJECTIVES, Floats
from services.retrieval.core import SOURCES
from services.retrieval.server import checked as retrieval_checked
from services.rules.core import Slate
from services.rules.server import answer_of
from services.rules.server import checked as rules_checked

if TYPE_CHECKING:  # the handlers offer these to the fabric
    from sandbox.virtual.machine.fabric import Context
    from sandbox.virtual.processes.handlers import Handlers
    from sandbox.virtual.processes.intake import Append as Append_

Handler = Callable[["Context"], Awaitable[Any]]


@dataclass(frozen=True)
class GetUser:
    handlers: Handlers
    asked: Asked
    callee, op = "features", "GetUser"

    def request(self) -> Any:
        return features_pb2.GetUserRequest(user_id=self.asked.user, views=VIEWS)

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            store = self.handlers.store
            if not 1 <= len(request.views) <= MAX_VIEWS or request.user_id < 0:
                raise _refused("GetUser", f"user {request.user_id}, {len(request.views)} views")
            views = asked_views(request.views, "user", dict(store.views))
            rows = await self.handlers.get_rows(request.user_id, views, self.asked.now, context)
            if tuple(request.views) == VIEWS:
                profile, session, seen = rows
                return UserRows.of_rows(profile, session, seen, self.asked.now)
            return features_pb2.GetUserResponse(rows=list(map(packed, views, rows)))

        return handle

    def answer(self, value: Any) -> Any:
        if isinstance(value, features_pb2.GetUserResponse):
            return value
        rows = value.read or self.handlers.store.user(self.asked.user, self.asked.now)
        views = asked_views(VIEWS, "user", dict(self.handlers.store.views))
        return features_pb2.GetUserResponse(rows=list(map(packed, views, rows)))

    def value(self, answer: Any) -> UserRows:
        return UserRows.of(answer, self.asked.now)


@dataclass(frozen=True)
class GetItems:
    handlers: Handlers
    candidates: Later[Candidates]
    now: float
    callee, op = "features", "GetItems"

    def request(self) -> Any:
        ids = self.candidates.get().ids
        return features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=ids.tobytes())

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Later[Rows]:
            asked_views([request.view], "item", dict(self.handlers.store.views))
            ids = asked_items(request.item_ids)
            there = ids[ids < self.handlers.content.catalogue.n_items]
            if len(there) < len(ids):
                raise _refused("GetItems.item_ids", int(ids.max()))
            of = known(_candidates(ids))
            stats = known(self.handlers.store.items(ids, self.now))
            return await self.handlers.get_items(of, stats, len(ids), context)

        return handle

    def answer(self, value: Later[Rows]) -> Any:
        return features_pb2.GetItemsResponse(rows=packed(ITEM_STATS, value.get()))

    def value(self, answer: Any) -> Later[Rows] | None:
        rows = rows_of(answer.rows)
        return known(rows) if len(rows.status) == len(self.candidates.get().ids) else None


@dataclass(frozen=True)
class EncodeUser:
    handlers: Handlers
    asked: Asked
    rows: UserRows
    callee, op = "model", "EncodeUser"

    def request(self) -> Any:
        return model_pb2.EncodeUserRequest(
            user_id=self.asked.user, profile=self.rows.profile.tobytes(), recent=self.rows.recent.tobytes()
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Floats:
            content = self.handlers.content
            if request.version not in ("", content.encoder_version):
                raise _not_loaded(request.version, content.encoder_version)
            profile = _row(request.profile, len(USER_PROFILE.columns), "EncodeUser.profile")
            recent = _array(request.recent, "<i8", "EncodeUser.recent")
            asked = replace(self.asked, user=request.user_id)
            rows = replace(self.rows, profile=profile, recent=recent)
            vector = await self.handlers.encode_user(asked, rows, context)
            return content.encode(asked, rows) if vector is None else vector

        return handle

    def answer(self, value: Floats | None) -> Any:
        content = self.handlers.content
        vector = content.encode(self.asked, self.rows) if value is None else value
        return model_pb2.EncodeUserResponse(
            vector=np.ascontiguousarray(vector, "<f4").tobytes(), encoder_version=content.encoder_version
        )  # fmt: skip

    def value(self, answer: Any) -> Floats:
        return np.frombuffer(answer.vector, "<f4")


@dataclass(frozen=True)
class Score:
    handlers: Handlers
    asked: Asked
    candidates: Later[Candidates]
    x: Later[Floats]
    callee, op = "model", "Score"

    def request(self) -> Any:
        x = self.x.get()
        return model_pb2.ScoreRequest(
            user_id=self.asked.user if self.asked.personalised else -1,
            item_ids=self.candidates.get().ids.tobytes(), inputs=x.tobytes(), n_columns=x.shape[1],
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Floats:
            content = self.handlers.content
            if request.version not in ("", content.model_version):
                raise _not_loaded(request.version, content.model_version)
            ids = _array(request.item_ids, "<i8", "Score.item_ids")
            if request.n_columns != len(content.loaded.ranker.config.inputs):
                raise SandboxError(
                    "MODEL-003", where="Score", seen=f"{request.n_columns} columns",
                    expected="as many as the version was trained with", fix="build the inputs by its manifest",
                )  # fmt: skip
            x = _array(request.inputs, "<f4", "Score.inputs", len(ids) * request.n_columns)
            of, inputs = _candidates(ids), x.reshape(len(ids), -1)
            asked = replace(self.asked, user=request.user_id, personalised=request.user_id >= 0)
            p = await self.handlers.score(asked, known(of), known(inputs), len(ids), context)
            return content.score(asked, of, inputs) if p is None else p

        return handle

    def answer(self, value: Floats | None) -> Any:
        content = self.handlers.content
        p = (
            content.score(self.asked, self.candidates.get(), self.x.get())
            if value is None
            else value
        )
        return model_pb2.ScoreResponse(
            probabilities=np.ascontiguousarray(p, "<f4").tobytes(),
            model_version=content.model_version,
        )

    def value(self, answer: Any) -> Floats:
        p, n = np.frombuffer(answer.probabilities, "<f4"), len(OBJECTIVES)
        return p.reshape(-1, n) if len(p) % n == 0 else p  # of another size: ranking cannot use it


@dataclass(frozen=True)
class Retrieve:
    handlers: Handlers
    asked: Asked
    rows: UserRows
    callee, op = "retrieval", "Retrieve"

    def request(self) -> Any:
        asked, rows = self.asked, self.rows
        return retrieval_pb2.RetrieveRequest(
            user_id=asked.user, profile=rows.profile.tobytes(), recent=rows.recent.tobytes(),
            region=asked.region, personalised=asked.personalised,
            n_wanted=self.handlers.content.n_wanted(asked),
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            profile, recent, region = retrieval_checked(request)
            asked = replace(
                self.asked, user=request.user_id, region=region, personalised=request.personalised,
                n_wanted=request.n_wanted,
            )  # fmt: skip
            given = np.frombuffer(profile, "<f4") if profile else self.rows.profile
            rows = replace(self.rows, profile=given, recent=recent)
            return await self.handlers.retrieve(asked, rows, None, context)

        return handle

    def answer(self, value: tuple[Later[Candidates], bool]) -> Any:
        found = value[0].get()
        masks = np.frombuffer(found.masks, np.uint8)
        one_source = found.names == Candidates.popular(found.ids).names
        names = ("popular",) if one_source else SOURCES
        return retrieval_pb2.RetrieveResponse(
            item_ids=found.ids.astype("<i8").tobytes(), scores=found.scores.astype("<f4").tobytes(),
            sources=found.masks,
            counts=[
                retrieval_pb2.SourceCount(
                    source=name, n=int(np.count_nonzero(masks & (1 << i))), failed=found.failed and i == 0
                )
                for i, name in enumerate(names)
            ],
            encoder_version=found.encoder_version, index_version=found.index_version,
        )  # fmt: skip

    def value(self, answer: Any) -> tuple[Later[Candidates], bool]:
        found = Candidates.of(answer)
        if not len(found.ids):
            found = replace(self.handlers.content.popular_candidates(self.asked), failed=True)
        return known(found), False


@dataclass(frozen=True)
class Rank:
    handlers: Handlers
    asked: Asked
    rows: UserRows
    batch: Later[Answer]
    candidates: Later[Candidates]
    callee, op = "ranking", "Rank"

    def request(self) -> Any:
        return ranking_pb2.RankRequest(
            user_id=self.asked.user if self.asked.personalised else -1, profile=self.rows.profile.tobytes(),
            session=self.rows.session.tobytes(), item_ids=self.candidates.get().ids.tobytes(),
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            ids = _array(request.item_ids, "<i8", "Rank.item_ids")
            n_items = self.handlers.content.catalogue.n_items
            if len(ids) and not 0 <= ids.min() <= ids.max() < n_items:
                raise SandboxError(
                    "WIRE-003", where="Rank.item_ids", seen=int(ids.max()), expected=f"0 to {n_items - 1}",
                    fix="rank items that the world has",
                )  # fmt: skip
            rows = replace(
                self.rows,
                profile=_row(request.profile, len(USER_PROFILE.columns), "Rank.profile"),
                session=_row(request.session, len(USER_SESSION.columns), "Rank.session"),
            )
            asked = replace(self.asked, user=request.user_id, personalised=request.user_id >= 0,
                            n_wanted=max(len(ids), 1))  # fmt: skip
            of = known(_candidates(ids))
            return await self.handlers.rank(asked, rows, self.batch, of, False, context)

        return handle

    def answer(self, value: tuple[Later[Ranked], bool]) -> Any:
        ranked = value[0].get()
        p = ranked.probabilities
        return ranking_pb2.RankResponse(
            scores=ranked.scores.astype("<f4").tobytes(),
            probabilities=(np.zeros((len(ranked.scores), 3), "<f4") if p is None else p.astype("<f4")).tobytes(),
            model_version=ranked.model_version, missing_share=ranked.missing_share or 0.0,
            contract_version=self.handlers.content.contract_version,
            fallbacks=["features" if ranked.model_version else "model"] if ranked.fell_back else [],
        )  # fmt: skip

    def value(self, answer: Any) -> tuple[Later[Ranked], bool]:
        ranked = Ranked.of(answer)
        if len(ranked.order) != len(self.candidates.get().ids):
            raise ValueError(f"{len(ranked.order)} scores")
        return known(ranked), False


@dataclass(frozen=True)
class Apply:
    handlers: Handlers
    asked: Asked
    rows: UserRows
    batch: Later[Answer]
    candidates: Later[Candidates]
    ranked: Later[Ranked]
    everything: bool
    callee, op = "rules", "Apply"

    def request(self) -> Any:
        asked, ranked = self.asked, self.ranked.get()
        order = ranked.order
        return rules_pb2.ApplyRequest(
            user_id=asked.user, item_ids=self.candidates.get().ids[order].tobytes(),
            scores=ranked.scores[order].astype("<f4").tobytes(), seen=self.rows.seen.tobytes(),
            slate_size=asked.k, region=asked.region, session=asked.session, depth=asked.depth,
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Later[Slate]:
            items, scores, seen = rules_checked(request)
            asked = replace(
                self.asked, user=request.user_id, region=request.region, k=request.slate_size,
                session=request.session, depth=request.depth,
            )  # fmt: skip
            ranked = Ranked(np.arange(len(items)), scores, np.zeros(len(items), np.float32))
            return await self.handlers.apply_rules(
                asked, replace(self.rows, seen=seen), self.batch, known(_candidates(items)), known(ranked),
                False, context,
            )  # fmt: skip

        return handle

    def answer(self, value: Later[Slate]) -> Any:
        return answer_of(value.get(), self.handlers.content.rules_version, self.everything)

    def value(self, answer: Any) -> Later[Slate]:
        n = len(self.ranked.get().order)
        if any(placed.row >= n for placed in answer.slate):
            raise ValueError("a row that was not asked for")
        return known(Slate(
            [placed.row for placed in answer.slate], [placed.propensity for placed in answer.slate],
            [placed.randomised for placed in answer.slate],
        ))  # fmt: skip


@dataclass(frozen=True)
class Append:
    handlers: Handlers
    append: Append_
    entries: list[events.Entry]
    callee, op = "events", "Append"

    def request(self) -> Any:
        return gateway_pb2.LogFeedbackRequest(events=[
            gateway_pb2.Feedback(
                event_id=e.event_id, event_ts=e.ts, request_id=e.request_id, session_id=str(e.session),
                user_id=e.user, item_id=e.items[0], kind=e.kind, value=e.value,
            )
            for e in self.entries
        ])  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            fabric, of = self.handlers.fabric, self.handlers.content.catalogue
            await fabric.work("events.Append", context)
            entries = events.check_feedback(
                request.events, fabric.world.now(), of.n_users, of.n_items
            )
            return await self.append("Append", entries, context) if entries else []

        return handle

    def answer(self, value: list[bool]) -> Any:
        accepted = sum(map(bool, value))
        return gateway_pb2.LogFeedbackResponse(
            accepted=accepted, duplicate=len(self.entries) - accepted
        )

    def value(self, answer: Any) -> list[bool]:
        return [True] * answer.accepted


@dataclass(frozen=True)
class AppendImpressions:
    handlers: Handlers
    append: Append_
    entry: events.Entry
    callee, op = "events", "AppendImpressions"

    def request(self) -> Any:
        e = self.entry
        return events_pb2.AppendImpressionsRequest(
            event_ts=e.ts, request_id=e.request_id, session_id=str(e.session), user_id=e.user, item_ids=e.items
        )  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            fabric, of = self.handlers.fabric, self.handlers.content.catalogue
            await fabric.work("events.AppendImpressions", context)
            entry = events.check_impressions(
                request.user_id, request.item_ids, request.event_ts, request.session_id,
                request.request_id, fabric.world.now(), of.n_users, of.n_items,
            )  # fmt: skip
            return await self.append("AppendImpressions", [entry], context) if entry.items else []

        return handle

    def answer(self, value: list[bool]) -> Any:
        del value
        return events_pb2.AppendImpressionsResponse()

    def value(self, answer: Any) -> list[bool]:
        del answer
        return []


def _candidates(ids: np.ndarray) -> Candidates:
    """Of a request that names nothing but ids."""
    return Candidates(ids, np.zeros(len(ids), np.float32), b"\x01" * len(ids), [])


def _array(raw: bytes, kind: str, where: str, n: int | None = None) -> np.ndarray:
    width = np.dtype(kind).itemsize
    if len(raw) % width or (n is not None and len(raw) != n * width):
        raise SandboxError(
            "WIRE-001", where=where, seen=f"{len(raw)} bytes", expected=f"{n or 'any number'} of {kind}",
            fix="pack the array as its .proto says",
        )  # fmt: skip
    return np.frombuffer(raw, kind)


def _row(raw: bytes, n_columns: int, where: str) -> np.ndarray:
    return _array(raw, "<f4", where, n_columns)


def _refused(where: str, seen: object) -> SandboxError:
    return SandboxError(
        "WIRE-002", where=where, seen=seen, expected="what the method takes", fix="see its .proto"
    )


def _not_loaded(version: str, active: str) -> SandboxError:
    return SandboxError(
        "MODEL-001", where="model server", seen=version, expected=f"one of {[active]}",
        fix="load it: name it in the model configuration",
    )  # fmt: skip
