"""How many bytes a call would be on the wire, request and answer together: of real messages.

The virtual backend sends none, but its spans say what they would have weighed. Each message is filled once for
a number of keys, with ids, names and numbers of usual length, and measured; arrays weigh what they weigh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sandbox.base.features import DIM, ITEM_STATS, USER_PROFILE, USER_SESSION, FeatureView
from services.proto.recsys.v1 import (
    events_pb2,
    features_pb2,
    gateway_pb2,
    model_pb2,
    ranking_pb2,
    retrieval_pb2,
    rules_pb2,
)
from services.ranking.core import OBJECTIVES
from services.retrieval.core import SOURCES

F = TypeVar("F", bound=Callable[..., int])
_USER, _ITEM, _SESSION, _TRACE = 1_000, 1_000, "100000000000", "0" * 32
_VERSION, _CONTRACT = "rk-1", "fc-1"
_SHARE = 0.25  # any number: a float that is not 0 weighs as much as another


def _once(of: F) -> F:
    """Measured once for each size of the arrays. Few differ: a slate has its usual number of candidates."""
    return lru_cache(4096)(of)  # type: ignore[return-value]


def get_user(views: Sequence[FeatureView]) -> int:
    """Features.GetUser."""
    return _get_user(tuple(views))


@_once
def _get_user(views: tuple[FeatureView, ...]) -> int:
    return _both(
        features_pb2.GetUserRequest(user_id=_USER, views=[view.name for view in views]),
        features_pb2.GetUserResponse(rows=[_packed(view, 1) for view in views]),
    )


@_once
def get_consent(purpose: str) -> int:
    """Features.GetConsent."""
    return _both(
        features_pb2.GetConsentRequest(user_id=_USER, purpose=purpose),
        features_pb2.GetConsentResponse(granted=True, since_ts=_SHARE, signal="ui"),
    )


@_once
def get_items(n: int) -> int:
    """Features.GetItems of n items."""
    return _both(
        features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=bytes(8 * n)),
        features_pb2.GetItemsResponse(rows=_packed(ITEM_STATS, n)),
    )


@_once
def retrieve(n: int, n_recent: int) -> int:
    """Retrieval.Retrieve of n candidates, for a user with so many recent clicks."""
    return _both(
        retrieval_pb2.RetrieveRequest(
            user_id=_USER, profile=_row(USER_PROFILE), recent=bytes(8 * n_recent), region=1,
            personalised=True, n_wanted=n,
        ),
        retrieval_pb2.RetrieveResponse(
            item_ids=bytes(8 * n), scores=bytes(4 * n), sources=bytes(n),
            counts=[retrieval_pb2.SourceCount(source=name, n=40) for name in SOURCES],
            encoder_version=_VERSION, index_version=_VERSION,
        ),
    )  # fmt: skip


@_once
def rank(n: int) -> int:
    """Ranking.Rank of n candidates."""
    return _both(
        ranking_pb2.RankRequest(
            user_id=_USER, profile=_row(USER_PROFILE), session=_row(USER_SESSION), item_ids=bytes(8 * n)
        ),
        ranking_pb2.RankResponse(
            scores=bytes(4 * n),
            probabilities=bytes(4 * n * len(OBJECTIVES)),
            model_version=_VERSION,
            contract_version=_CONTRACT,
            missing_share=_SHARE,
        ),
    )


@_once
def apply(n: int, n_seen: int, k: int) -> int:
    """Rules.Apply of n candidates to a slate of k, for a user who was shown n_seen items lately."""
    placed = rules_pb2.Placed(row=k, propensity=_SHARE)
    return _both(
        rules_pb2.ApplyRequest(
            user_id=_USER, item_ids=bytes(8 * n), scores=bytes(4 * n), seen=bytes(8 * n_seen),
            slate_size=k, region=1, session=int(_SESSION), depth=1,
        ),
        rules_pb2.ApplyResponse(slate=[placed] * k, rules_version=_VERSION),
    )  # fmt: skip


@_once
def encode_user(n_recent: int) -> int:
    """Model.EncodeUser for a user with so many recent clicks."""
    return _both(
        model_pb2.EncodeUserRequest(user_id=_USER, profile=_row(USER_PROFILE), recent=bytes(8 * n_recent)),
        model_pb2.EncodeUserResponse(vector=bytes(4 * DIM), encoder_version=_VERSION),
    )


@_once
def score(n: int, n_columns: int) -> int:
    """Model.Score of n candidates, for a ranker with so many inputs."""
    return _both(
        model_pb2.ScoreRequest(
            user_id=_USER, item_ids=bytes(8 * n), inputs=bytes(4 * n * n_columns), n_columns=n_columns
        ),
        model_pb2.ScoreResponse(probabilities=bytes(4 * n * len(OBJECTIVES)), model_version=_VERSION),
    )


@_once
def append(n: int) -> int:
    """Events.Append, and Recommender.LogFeedback, of n events."""
    event = gateway_pb2.Feedback(
        event_id=_TRACE[:16], event_ts=1e9, request_id=_TRACE, session_id=_SESSION, user_id=_USER,
        item_id=_ITEM, kind="click", value=1.0,
    )  # fmt: skip
    return _both(gateway_pb2.LogFeedbackRequest(events=[event] * n), gateway_pb2.LogFeedbackResponse(accepted=n))


@_once
def append_impressions(k: int) -> int:
    """Events.AppendImpressions of a slate of k."""
    request = events_pb2.AppendImpressionsRequest(
        event_ts=1e9, request_id=_TRACE, session_id=_SESSION, user_id=_USER, item_ids=[_ITEM] * k
    )
    return _both(request, events_pb2.AppendImpressionsResponse())


@_once
def slate(k: int) -> int:
    """The answer of Recommender.Recommend with k items."""
    return _slate(k).ByteSize()


@_once
def recommend(k: int) -> int:
    """Recommender.Recommend of k items."""
    request = gateway_pb2.RecommendRequest(
        user_id=_USER, k=k, session_id=_SESSION, depth=1, surface="home", client="app", attempt=1
    )
    return _both(request, _slate(k))


def _slate(k: int) -> Any:
    item = gateway_pb2.SlateItem(
        item_id=_ITEM, position=1, score=_SHARE, p_click=_SHARE, model_rank=1, sources=["covisit"], propensity=_SHARE
    )
    return gateway_pb2.RecommendResponse(
        request_id=_TRACE, user_id=_USER, model_version=_VERSION, encoder_version=_VERSION,
        index_version=_VERSION, rules_version=_VERSION, items=[item] * k,
    )  # fmt: skip


def _row(view: FeatureView) -> bytes:
    return bytes(4 * len(view.columns))


def _packed(view: FeatureView, n: int) -> Any:
    return features_pb2.PackedRows(
        view=view.name, version=view.version, n_columns=len(view.columns),
        values=_row(view) * n, event_ts=bytes(8 * n), status=bytes(n), writer_run=bytes(8 * n),
    )  # fmt: skip


def _both(request: Any, answer: Any) -> int:
    return int(request.ByteSize() + answer.ByteSize())
