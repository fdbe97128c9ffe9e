"""The floor of a recommendation: the services' cores in one process, with the run's own Redis.

`python -m sandbox.bench.kernels RUN_DIR N` makes N recommendations and prints {cpu_ms, sizes}: CPU
per recommendation, and the bytes of request and answer that each RPC of the real stack would carry.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis
import torch

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, N_RECENT, USER_PROFILE, USER_SEEN, USER_SESSION, Rows, key, unpack_many
from sandbox.base.run import RunInfo
from sandbox.bench.driving import K, users_of
from services.model.core import encode_user, load_ranker, load_two_tower, score
from services.proto.recsys.v1 import (
    events_pb2,
    features_pb2,
    gateway_pb2,
    model_pb2,
    ranking_pb2,
    retrieval_pb2,
    rules_pb2,
)
from services.ranking.core import Contract, assemble, combine
from services.retrieval.core import SOURCES, Covisit, Shelves, allotted, merge, popular_by_region
from services.retrieval.index import Index
from services.rules import document
from services.rules.core import Slate, Visit, apply
from services.rules.policy import Policy

_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_USER_VIEWS = (USER_PROFILE, USER_SESSION, USER_SEEN)


class Kernels:
    """Everything a recommendation needs, loaded as the services load it."""

    def __init__(self, run: RunInfo) -> None:
        torch.set_num_threads(1)
        config, world = Config.load(run.path), Path(run.world_dir)
        self.run, self.config, places = run, config, run.registries
        self.catalogue = Catalogue.load(world / "public" / "catalogue.npz")
        self.store: Any = redis.Redis(**run.redis_kwargs())
        ranker = artefacts.find(places, "ranker", config.model.ranker)
        self.ranker = load_ranker(ranker.read("model.safetensors"), ranker.manifest.config)
        tower = artefacts.find(places, "two_tower", config.model.two_tower)
        self.tower = load_two_tower(tower.read("model.safetensors"), tower.manifest.config)
        self.index = Index.of(artefacts.find(places, "index", config.retrieval.index_version))
        near = artefacts.find(places, "covisit", artefacts.COVISIT_VERSION).arrays("neighbours.safetensors")
        self.covisit = Covisit(near["items"], near["scores"])
        popular = artefacts.find(places, "popular", artefacts.POPULAR_VERSION).arrays("popular.safetensors")
        self.popular = popular_by_region(popular["items"], popular["scores"])
        self.shelves = Shelves(self.catalogue)
        self.policy = Policy(
            document.checked(config.rules.rules or document.load()),
            config.rules.sensitivity,
            self.catalogue,
            topic_names=json.loads((world / "world.json").read_text())["topics"],
            explore_share=config.rules.explore_share,
            seed=run.seed,
        )
        self.contract = Contract.of(config.ranking.contract_version, config.ranking.contract)
        self.weights = np.array(config.ranking.weights, np.float32)
        self.prefix = key(ITEM_STATS, 0)[:-1]

    def recommend(self, user: int, session: int) -> dict[str, Any]:
        """One slate, with what went in and out of every stage."""
        now, region = self.run.clock().now(), int(self.catalogue.user_region[user])
        blobs = self.store.mget([key(view, user) for view in _USER_VIEWS])
        rows = [unpack_many(view, [blob], now) for view, blob in zip(_USER_VIEWS, blobs, strict=True)]
        profile, in_session, seen = (r.values[0] for r in rows)
        recent = in_session[_RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
        shown = seen.astype(np.int64)
        shown = shown[shown >= 0]
        candidates = self._candidates(user, profile, recent, region, now)
        stats = unpack_many(ITEM_STATS, self.store.mget([f"{self.prefix}{i}" for i in candidates.tolist()]), now)
        x = assemble(profile, in_session, stats.values, candidates, stats.status, self.catalogue, self.contract)
        p = score(self.ranker, user, candidates, x)
        worth = combine(p, self.weights)
        order = np.argsort(-worth, kind="stable")
        slate = apply(self.policy, Visit(user, region, session, 1), candidates[order], worth[order], shown, K, now)
        return {"rows": rows, "recent": recent[recent >= 0], "seen": shown, "candidates": candidates,
                "stats": stats, "x": x, "p": p, "slate": slate, "user": user, "order": order}  # fmt: skip

    def _candidates(self, user: int, profile: np.ndarray, recent: np.ndarray, region: int, now: float) -> np.ndarray:
        quota = allotted(self.config.retrieval.quotas, self.config.gateway.n_candidates)
        one = np.array([user], np.int64)
        vector = encode_user(self.tower, one, profile[None, :].copy(), recent[None, :])[0]
        known = recent[recent >= 0]
        follows = self.catalogue.follows(user)
        language = int(self.catalogue.user_language[user])
        found = {
            "ann": self.index.search(vector, quota["ann"]),
            "covisit": self.covisit.find(known, quota["covisit"]),
            "followed": self.shelves.followed(follows, quota["followed"], now),
            "popular": self.popular[region].first(quota["popular"]),
            "fresh": self.shelves.fresh(quota["fresh"], now, region, language),
        }
        return merge(found, self.config.gateway.n_candidates).ids


def sizes_of(made: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Bytes of request and answer of each RPC of one recommendation, the public one first."""
    ids, n, x = made["candidates"].tobytes(), len(made["candidates"]), made["x"]
    profile, session = (made["rows"][i].values.tobytes() for i in (0, 1))
    recent, seen, user = made["recent"].tobytes(), made["seen"].tobytes(), made["user"]
    p, slate = made["p"].tobytes(), made["slate"]
    user_rows = [_packed(v.name, r) for v, r in zip(_USER_VIEWS, made["rows"], strict=True)]
    items = [gateway_pb2.SlateItem(item_id=1000, position=i + 1, score=0.5, p_click=0.1, model_rank=9,
                                   sources=["ann", "popular"], propensity=0.98) for i in range(K)]  # fmt: skip
    counts = [retrieval_pb2.SourceCount(source=s, n=40) for s in SOURCES]
    flat, trace = np.zeros(n, "<f4").tobytes(), "0" * 32
    messages = {
        "gateway": (gateway_pb2.RecommendRequest(user_id=user, k=K, session_id="12345", depth=1, surface="home", client="app"),
                    gateway_pb2.RecommendResponse(request_id=trace, user_id=user, model_version="rk-1", encoder_version="tt-1",
                                                  index_version="ix-1", rules_version="ru-1", items=items)),
        "features.GetUser": (features_pb2.GetUserRequest(user_id=user, views=[v.name for v in _USER_VIEWS]),
                             features_pb2.GetUserResponse(rows=user_rows)),
        "retrieval": (retrieval_pb2.RetrieveRequest(user_id=user, profile=profile, recent=recent, personalised=True, n_wanted=200),
                      retrieval_pb2.RetrieveResponse(item_ids=ids, scores=flat, sources=bytes(n), counts=counts,
                                                     encoder_version="tt-1", index_version="ix-1")),
        "model.EncodeUser": (model_pb2.EncodeUserRequest(user_id=user, profile=profile, recent=recent),
                             model_pb2.EncodeUserResponse(vector=bytes(256), encoder_version="tt-1")),
        "ranking": (ranking_pb2.RankRequest(user_id=user, profile=profile, session=session, item_ids=ids),
                    ranking_pb2.RankResponse(scores=flat, probabilities=p, model_version="rk-1", contract_version="fc-1")),
        "features.GetItems": (features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=ids),
                              features_pb2.GetItemsResponse(rows=_packed(ITEM_STATS.name, made["stats"]))),
        "model.Score": (model_pb2.ScoreRequest(user_id=user, item_ids=ids, inputs=x.tobytes(), n_columns=x.shape[1]),
                        model_pb2.ScoreResponse(probabilities=p, model_version="rk-1")),
        "rules": (rules_pb2.ApplyRequest(user_id=user, item_ids=ids, scores=flat, seen=seen, slate_size=K, session=12345, depth=1),
                  rules_pb2.ApplyResponse(slate=_placed(slate), rules_version="ru-1")),
        "events.AppendImpressions": (events_pb2.AppendImpressionsRequest(event_ts=1e9, request_id=trace, session_id="12345",
                                                                         user_id=user, item_ids=list(range(1000, 1000 + K))),
                                     events_pb2.AppendImpressionsResponse()),
    }  # fmt: skip
    return {name: (ask.ByteSize(), answer.ByteSize()) for name, (ask, answer) in messages.items()}


def _packed(view: str, rows: Rows) -> Any:
    return features_pb2.PackedRows(
        view=view, version=1, n_columns=rows.values.shape[1], values=rows.values.tobytes(),
        event_ts=rows.event_ts.tobytes(), status=rows.status.tobytes(), writer_run=rows.run.tobytes(),
    )  # fmt: skip


def _placed(slate: Slate) -> list[Any]:
    return [rules_pb2.Placed(row=row, propensity=p) for row, p in zip(slate.rows, slate.propensity, strict=True)]


def main(run_dir: str, n: int) -> None:
    kernels = Kernels(RunInfo.load(Path(run_dir)))
    users = users_of(kernels.catalogue, n, kernels.run.seed).tolist()
    for user in users[:50]:  # allocators and caches
        made = kernels.recommend(user, 1)
    began = time.process_time()
    for i, user in enumerate(users):
        kernels.recommend(user, i)
    cpu_ms = (time.process_time() - began) / n * 1000
    sys.stdout.write(json.dumps({"cpu_ms": cpu_ms, "sizes": sizes_of(made)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
