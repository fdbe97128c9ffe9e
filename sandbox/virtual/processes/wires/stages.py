"""The stages of a request, as messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_PROFILE, USER_SESSION
from sandbox.virtual.answers.later import Later, known
from sandbox.virtual.answers.request import Answer, Request
from sandbox.virtual.processes.wires.packing import Handler, array, candidates_of, row
from services.gateway.stages import Candidates, Ranked, UserRows
from services.proto.recsys.v1 import ranking_pb2, retrieval_pb2, rules_pb2
from services.retrieval.core import SOURCES
from services.retrieval.server import checked as retrieval_checked
from services.rules.core import Slate
from services.rules.server import answer_of
from services.rules.server import checked as rules_checked

if TYPE_CHECKING:  # the handlers offer these to the fabric
    from sandbox.virtual.machine.fabric import Context
    from sandbox.virtual.processes.handlers import Ranking, Retrieval, Rules


@dataclass(frozen=True)
class Retrieve:
    retrieval: Retrieval
    asked: Request
    rows: UserRows
    callee, op = "retrieval", "Retrieve"

    def request(self) -> Any:
        asked, rows = self.asked, self.rows
        return retrieval_pb2.RetrieveRequest(
            user_id=asked.user,
            profile=rows.profile.tobytes(),
            recent=rows.recent.tobytes(),
            region=asked.region,
            personalised=asked.personalised,
            n_wanted=self.retrieval.content.n_wanted(asked),
        )

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            profile, recent, region = retrieval_checked(request)
            asked = replace(
                self.asked,
                user=request.user_id,
                region=region,
                personalised=request.personalised,
                n_wanted=request.n_wanted,
            )
            given = np.frombuffer(profile, "<f4") if profile else self.rows.profile
            rows = replace(self.rows, profile=given, recent=recent)
            return await self.retrieval.retrieve(asked, rows, None, context)

        return handle

    def answer(self, value: tuple[Later[Candidates], bool]) -> Any:
        found = value[0].get()
        masks = np.frombuffer(found.masks, np.uint8)
        one_source = found.names == Candidates.popular(found.ids).names
        names = ("popular",) if one_source else SOURCES
        return retrieval_pb2.RetrieveResponse(
            item_ids=found.ids.astype("<i8").tobytes(),
            scores=found.scores.astype("<f4").tobytes(),
            sources=found.masks,
            counts=[
                retrieval_pb2.SourceCount(
                    source=name, n=int(np.count_nonzero(masks & (1 << i))), failed=found.failed and i == 0
                )
                for i, name in enumerate(names)
            ],
            encoder_version=found.encoder_version,
            index_version=found.index_version,
        )

    def value(self, answer: Any) -> tuple[Later[Candidates], bool]:
        found = Candidates.of(answer)
        if not len(found.ids):
            found = replace(self.retrieval.content.popular_candidates(self.asked), failed=True)
        return known(found), False


@dataclass(frozen=True)
class Rank:
    ranking: Ranking
    asked: Request
    rows: UserRows
    batch: Later[Answer]
    candidates: Later[Candidates]
    callee, op = "ranking", "Rank"

    def request(self) -> Any:
        return ranking_pb2.RankRequest(
            user_id=self.asked.user if self.asked.personalised else -1,
            profile=self.rows.profile.tobytes(),
            session=self.rows.session.tobytes(),
            item_ids=self.candidates.get().ids.tobytes(),
        )

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            ids = array(request.item_ids, "<i8", "Rank.item_ids")
            n_items = self.ranking.content.catalogue.n_items
            if len(ids) and not 0 <= ids.min() <= ids.max() < n_items:
                raise SandboxError(
                    "WIRE-003",
                    where="Rank.item_ids",
                    seen=int(ids.max()),
                    expected=f"0 to {n_items - 1}",
                    fix="rank items that the world has",
                )
            rows = replace(
                self.rows,
                profile=row(request.profile, len(USER_PROFILE.columns), "Rank.profile"),
                session=row(request.session, len(USER_SESSION.columns), "Rank.session"),
            )
            asked = replace(
                self.asked, user=request.user_id, personalised=request.user_id >= 0, n_wanted=max(len(ids), 1)
            )
            of = known(candidates_of(ids))
            return await self.ranking.rank(asked, rows, self.batch, of, False, context)

        return handle

    def answer(self, value: tuple[Later[Ranked], bool]) -> Any:
        ranked = value[0].get()
        p = ranked.probabilities
        return ranking_pb2.RankResponse(
            scores=ranked.scores.astype("<f4").tobytes(),
            probabilities=(np.zeros((len(ranked.scores), 3), "<f4") if p is None else p.astype("<f4")).tobytes(),
            model_version=ranked.model_version,
            missing_share=ranked.missing_share or 0.0,
            contract_version=self.ranking.content.contract_version,
            fallbacks=["features" if ranked.model_version else "model"] if ranked.fell_back else [],
        )

    def value(self, answer: Any) -> tuple[Later[Ranked], bool]:
        ranked = Ranked.of(answer)
        if len(ranked.order) != len(self.candidates.get().ids):
            raise ValueError(f"{len(ranked.order)} scores")
        return known(ranked), False


@dataclass(frozen=True)
class Apply:
    rules: Rules
    asked: Request
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
            return await self.rules.apply_rules(
                asked, replace(self.rows, seen=seen), self.batch, known(candidates_of(items)), known(ranked),
                False, context,
            )  # fmt: skip

        return handle

    def answer(self, value: Later[Slate]) -> Any:
        return answer_of(value.get(), self.rules.content.rules_version, self.everything)

    def value(self, answer: Any) -> Later[Slate]:
        n = len(self.ranked.get().order)
        if any(placed.row >= n for placed in answer.slate):
            raise ValueError("a row that was not asked for")
        return known(
            Slate(
                [placed.row for placed in answer.slate],
                [placed.propensity for placed in answer.slate],
                [placed.randomised for placed in answer.slate],
            )
        )
