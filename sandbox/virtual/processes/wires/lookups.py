"""What a stage asks of features and model, as messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, Rows
from sandbox.virtual.answers.later import Later, known
from sandbox.virtual.answers.request import Request
from sandbox.virtual.processes.wires.packing import Handler, array, candidates_of, not_loaded, refused, row
from services.features.consents import PURPOSE, Said
from services.features.core import MAX_VIEWS, asked_items, asked_views, rows_of
from services.features.server import packed
from services.gateway.stages import VIEWS, Candidates, UserRows
from services.proto.recsys.v1 import features_pb2, model_pb2
from services.ranking.core import OBJECTIVES, Floats

if TYPE_CHECKING:  # the handlers offer these to the fabric
    from sandbox.virtual.machine.fabric import Context
    from sandbox.virtual.processes.handlers import Features, Model


@dataclass(frozen=True)
class GetUser:
    features: Features
    asked: Request
    callee, op = "features", "GetUser"

    def request(self) -> Any:
        return features_pb2.GetUserRequest(user_id=self.asked.user, views=VIEWS)

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            store = self.features.store
            if not 1 <= len(request.views) <= MAX_VIEWS or request.user_id < 0:
                raise refused("GetUser", f"user {request.user_id}, {len(request.views)} views")
            views = asked_views(request.views, "user", dict(store.views))
            rows = await self.features.get_rows(request.user_id, views, self.asked.now, context)
            if tuple(request.views) == VIEWS:
                profile, session, seen = rows
                return UserRows.of_rows(profile, session, seen, self.asked.now)
            return features_pb2.GetUserResponse(rows=list(map(packed, views, rows)))

        return handle

    def answer(self, value: Any) -> Any:
        if isinstance(value, features_pb2.GetUserResponse):
            return value
        rows = value.read or self.features.store.user(self.asked.user, self.asked.now)
        views = asked_views(VIEWS, "user", dict(self.features.store.views))
        return features_pb2.GetUserResponse(rows=list(map(packed, views, rows)))

    def value(self, answer: Any) -> UserRows:
        return UserRows.of(answer, self.asked.now)


@dataclass(frozen=True)
class GetConsent:
    features: Features
    user: int
    callee, op = "features", "GetConsent"

    def request(self) -> Any:
        return features_pb2.GetConsentRequest(user_id=self.user, purpose=PURPOSE)

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Said:
            if request.purpose != PURPOSE:
                raise refused("GetConsent.purpose", request.purpose)
            return await self.features.get_consent(request.user_id, context)

        return handle

    def answer(self, value: Said) -> Any:
        return features_pb2.GetConsentResponse(granted=value.granted, since_ts=value.since_ts, signal=value.signal)

    def value(self, answer: Any) -> Said:
        return Said(answer.granted, answer.since_ts, answer.signal)


@dataclass(frozen=True)
class GetItems:
    features: Features
    candidates: Later[Candidates]
    now: float
    callee, op = "features", "GetItems"

    def request(self) -> Any:
        ids = self.candidates.get().ids
        return features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=ids.tobytes())

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Later[Rows]:
            asked_views([request.view], "item", dict(self.features.store.views))
            ids = asked_items(request.item_ids)
            there = ids[ids < self.features.content.catalogue.n_items]
            if len(there) < len(ids):
                raise refused("GetItems.item_ids", int(ids.max()))
            of = known(candidates_of(ids))
            stats = known(self.features.store.items(ids, self.now))
            return await self.features.get_items(of, stats, len(ids), context)

        return handle

    def answer(self, value: Later[Rows]) -> Any:
        return features_pb2.GetItemsResponse(rows=packed(ITEM_STATS, value.get()))

    def value(self, answer: Any) -> Later[Rows] | None:
        rows = rows_of(answer.rows)
        return known(rows) if len(rows.status) == len(self.candidates.get().ids) else None


@dataclass(frozen=True)
class EncodeUser:
    model: Model
    asked: Request
    rows: UserRows
    callee, op = "model", "EncodeUser"

    def request(self) -> Any:
        return model_pb2.EncodeUserRequest(
            user_id=self.asked.user, profile=self.rows.profile.tobytes(), recent=self.rows.recent.tobytes()
        )

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Floats:
            content = self.model.content
            if request.version not in ("", content.encoder_version):
                raise not_loaded(request.version, content.encoder_version)
            profile = row(request.profile, len(USER_PROFILE.columns), "EncodeUser.profile")
            recent = array(request.recent, "<i8", "EncodeUser.recent")
            asked = replace(self.asked, user=request.user_id)
            rows = replace(self.rows, profile=profile, recent=recent)
            vector = await self.model.encode_user(asked, rows, context)
            return content.encode(asked, rows) if vector is None else vector

        return handle

    def answer(self, value: Floats | None) -> Any:
        content = self.model.content
        vector = content.encode(self.asked, self.rows) if value is None else value
        return model_pb2.EncodeUserResponse(
            vector=np.ascontiguousarray(vector, "<f4").tobytes(), encoder_version=content.encoder_version
        )

    def value(self, answer: Any) -> Floats:
        return np.frombuffer(answer.vector, "<f4")


@dataclass(frozen=True)
class Score:
    model: Model
    asked: Request
    candidates: Later[Candidates]
    x: Later[Floats]
    callee, op = "model", "Score"

    def request(self) -> Any:
        x = self.x.get()
        return model_pb2.ScoreRequest(
            user_id=self.asked.user if self.asked.personalised else -1,
            item_ids=self.candidates.get().ids.tobytes(),
            inputs=x.tobytes(),
            n_columns=x.shape[1],
        )

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Floats:
            content = self.model.content
            version = content.model_version(self.asked)
            if request.version not in ("", version):
                raise not_loaded(request.version, version)
            ids = array(request.item_ids, "<i8", "Score.item_ids")
            if request.n_columns != len(content.loaded.rankers[version].model.config.inputs):
                raise SandboxError(
                    "MODEL-003",
                    where="Score",
                    seen=f"{request.n_columns} columns",
                    expected="as many as the version was trained with",
                    fix="build the inputs by its manifest",
                )
            x = array(request.inputs, "<f4", "Score.inputs", len(ids) * request.n_columns)
            of, inputs = candidates_of(ids), x.reshape(len(ids), -1)
            asked = replace(self.asked, user=request.user_id, personalised=request.user_id >= 0)
            p = await self.model.score(asked, known(of), known(inputs), len(ids), context)
            return content.score(asked, of, inputs, content.model_version(self.asked)) if p is None else p

        return handle

    def answer(self, value: Floats | None) -> Any:
        content = self.model.content
        p = content.score(self.asked, self.candidates.get(), self.x.get()) if value is None else value
        return model_pb2.ScoreResponse(
            probabilities=np.ascontiguousarray(p, "<f4").tobytes(),
            model_version=content.model_version(self.asked),
        )

    def value(self, answer: Any) -> Floats:
        p, n = np.frombuffer(answer.probabilities, "<f4"), len(OBJECTIVES)
        return p.reshape(-1, n) if len(p) % n == 0 else p  # of another size: ranking cannot use it
