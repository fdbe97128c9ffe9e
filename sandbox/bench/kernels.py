"""The floor of a recommendation: the services' cores without services around them, with the run's own Redis; and the bytes
of request and answer that each RPC of the real stack would carry."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import redis
import torch

from sandbox.base import artefacts
from sandbox.base.artefacts import Artefact
from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, N_RECENT, USER_PROFILE, USER_SEEN, USER_SESSION, Rows, key, unpack_many
from sandbox.base.run import RunInfo
from sandbox.bench.driving import K
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
STAGES = (
    "features.GetUser", "model.EncodeUser", "retrieval", "features.GetItems", "ranking.inputs", "model.Score",
    "ranking.scores", "rules",
)  # fmt: skip
Made = dict[str, Any]  # of one recommendation, by what it is
_PLAIN = (
    "user", "session", "profile", "in_session", "seen", "vector", "recent", "candidates", "figures", "status", "x", "p", "worth",
)  # fmt: skip


class Kernels:
    """Everything a recommendation needs, loaded as the services load it, and when it is first needed: a process that does
    one stage has nothing of the others."""

    def __init__(self, run: RunInfo) -> None:
        torch.set_num_threads(1)
        self.run, self.config, self._world = run, Config.load(run.path), Path(run.world_dir)
        self.catalogue = Catalogue.load(self._world / "public" / "catalogue.npz")
        self.store: Any = redis.Redis(**run.redis_kwargs())
        self.contract = Contract.of(self.config.ranking.contract_version, self.config.ranking.contract)
        self.weights = np.array(self.config.ranking.weights, np.float32)
        self.prefix = key(ITEM_STATS, 0)[:-1]

    def _artefact(self, kind: str, version: str) -> Artefact:
        return artefacts.find(self.run.registries, kind, version)

    @cached_property
    def _ranker(self) -> Any:
        found = self._artefact("ranker", self.config.model.ranker)
        return load_ranker(found.read("model.safetensors"), found.manifest.config)

    @cached_property
    def _tower(self) -> Any:
        found = self._artefact("two_tower", self.config.model.two_tower)
        return load_two_tower(found.read("model.safetensors"), found.manifest.config)

    @cached_property
    def _sources(self) -> tuple[Index, Covisit, list[Any], Shelves]:
        index = Index.of(self._artefact("index", self.config.retrieval.index_version))
        near = self._artefact("covisit", artefacts.COVISIT_VERSION).arrays("neighbours.safetensors")
        popular = self._artefact("popular", artefacts.POPULAR_VERSION).arrays("popular.safetensors")
        by_region = popular_by_region(popular["items"], popular["scores"])
        return index, Covisit(near["items"], near["scores"]), by_region, Shelves(self.catalogue)

    @cached_property
    def _policy(self) -> Policy:
        rules = self.config.rules
        return Policy(
            document.checked(rules.rules or document.load()), rules.sensitivity, self.catalogue,
            topic_names=json.loads((self._world / "world.json").read_text())["topics"],
            explore_share=rules.explore_share, seed=self.run.seed,
        )  # fmt: skip

    def recommend(self, user: int, session: int) -> Made:
        """One slate, with what went in and out of every stage."""
        made: Made = {"user": user, "session": session}
        for stage in STAGES:
            made |= self.at(stage, made)
        return made

    def at(self, stage: str, made: Made) -> Made:
        """What one of STAGES makes of what those before it have made."""
        stages: dict[str, Callable[[Made], Made]] = {
            "features.GetUser": self._user_rows, "model.EncodeUser": self._vector, "retrieval": self._candidates,
            "features.GetItems": self._item_rows, "ranking.inputs": self._inputs, "model.Score": self._score,
            "ranking.scores": self._worth, "rules": self._slate,
        }  # fmt: skip
        return stages[stage](made)

    def _user_rows(self, made: Made) -> Made:
        now = self.run.clock().now()
        blobs = self.store.mget([key(view, made["user"]) for view in _USER_VIEWS])
        rows = [unpack_many(view, [blob], now) for view, blob in zip(_USER_VIEWS, blobs, strict=True)]
        shown = rows[2].values[0].astype(np.int64)
        profile, in_session = (of.values[0] for of in rows[:2])
        return {"rows": rows, "profile": profile, "in_session": in_session, "seen": shown[shown >= 0]}

    def _vector(self, made: Made) -> Made:
        recent = made["in_session"][_RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
        one = np.array([made["user"]], np.int64)
        vector = encode_user(self._tower, one, made["profile"][None, :].copy(), recent[None, :])[0]
        return {"vector": vector, "recent": recent[recent >= 0]}

    def _candidates(self, made: Made) -> Made:
        user, now = made["user"], self.run.clock().now()
        index, covisit, popular, shelves = self._sources
        quota = allotted(self.config.retrieval.quotas, self.config.gateway.n_candidates)
        region, language = int(self.catalogue.user_region[user]), int(self.catalogue.user_language[user])
        found = {
            "ann": index.search(made["vector"], quota["ann"]),
            "covisit": covisit.find(made["recent"], quota["covisit"]),
            "followed": shelves.followed(self.catalogue.follows(user), quota["followed"], now),
            "popular": popular[region].first(quota["popular"]),
            "fresh": shelves.fresh(quota["fresh"], now, region, language),
        }
        return {"candidates": merge(found, self.config.gateway.n_candidates).ids}

    def _item_rows(self, made: Made) -> Made:
        blobs = self.store.mget([f"{self.prefix}{i}" for i in made["candidates"].tolist()])
        stats = unpack_many(ITEM_STATS, blobs, self.run.clock().now())
        return {"stats": stats, "figures": stats.values, "status": stats.status}

    def _inputs(self, made: Made) -> Made:
        x = assemble(
            made["profile"], made["in_session"], made["figures"], made["candidates"], made["status"], self.catalogue,
            self.contract,
        )  # fmt: skip
        return {"x": x}

    def _score(self, made: Made) -> Made:
        return {"p": score(self._ranker, made["user"], made["candidates"], made["x"])}

    def _worth(self, made: Made) -> Made:
        return {"worth": combine(made["p"], self.weights)}

    def _slate(self, made: Made) -> Made:
        user, worth = made["user"], made["worth"]
        region = int(self.catalogue.user_region[user])
        order = np.argsort(-worth, kind="stable")
        visit = Visit(user, region, made["session"], 1)
        slate = apply(
            self._policy, visit, made["candidates"][order], worth[order], made["seen"], K, self.run.clock().now()
        )
        return {"slate": slate}


def save(path: Path, made: Sequence[Made]) -> None:
    """What goes into the stages of these recommendations, as arrays."""
    plain = {f"{i}.{name}": of for i, one in enumerate(made) for name, of in one.items() if name in _PLAIN}
    np.savez(path, **plain)


def load(path: Path) -> list[Made]:
    """What `save` left."""
    found: dict[int, Made] = {}
    with np.load(path) as arrays:
        for entry, of in arrays.items():
            i, _, name = entry.partition(".")
            found.setdefault(int(i), {})[name] = int(of) if of.ndim == 0 else of
    return [found[i] for i in sorted(found)]


def sizes_of(made: Made) -> dict[str, tuple[int, int]]:
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
