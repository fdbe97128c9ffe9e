"""The ranker's inputs and its objective: the one place that builds them, for serving and for training.

Training calls `assemble_rows` on many users at once, serving calls `assemble` on one user's
candidates; both run the same lines, so a difference between the two can only come from a `Contract`
that disagrees with the model, which is what a contract is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, N_RECENT, N_TOPICS, USER_PROFILE, USER_SESSION, VIEWS, Status

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

OBJECTIVES = ("click", "long_dwell", "conversion")

_PROFILE_USED = tuple(c for c in USER_PROFILE.columns if not c.startswith("topic_"))
_SESSION_USED = ("impressions_session_log", "clicks_session_log")
CROSSES = (
    "profile_topic_dot",  # dot product of the user's and the item's topics, both non-negative
    "profile_topic_cos",  # the same as a cosine, 0 where either is unknown
    "session_topic_dot",  # the same with the topics of the recent clicks
    "language_match",  # 1 where item and user share a language
    "recent_same_creator",  # share of recent clicks on the item's creator
    "recent_same_item",  # 1 where the item is among the recent clicks
    "recent_count",  # share of the places for recent clicks that are filled
    "stats_present",  # 1 where the item's row came from the store and was young enough
)
INPUTS: tuple[str, ...] = (
    *(f"user_profile.{c}" for c in _PROFILE_USED),
    *(f"user_session.{c}" for c in _SESSION_USED),
    *(f"item_stats.{c}" for c in ITEM_STATS.columns),
    *(f"cross.{c}" for c in CROSSES),
)

_PROFILE_AT = np.array([USER_PROFILE.columns.index(c) for c in _PROFILE_USED])
_SESSION_AT = np.array([USER_SESSION.columns.index(c) for c in _SESSION_USED])
_PROFILE_TOPICS = slice(len(USER_PROFILE.columns) - N_TOPICS, len(USER_PROFILE.columns))
_SESSION_TOPICS = slice(len(USER_SESSION.columns) - N_TOPICS, len(USER_SESSION.columns))
_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_RECENT = slice(_RECENT_FROM, _RECENT_FROM + N_RECENT)
_LANGUAGE = USER_PROFILE.columns.index("language_id")


@dataclass(frozen=True)
class Contract:
    """Which feature serving puts into which column of the ranker's matrix.

    version: name of the release that brought it. columns: "view.column" or "cross.name" by position.
    absent: names that this release does not fetch; their columns hold the view's default.
    Raises MODEL-003 for a name that no view and no cross has, or a name of `absent` without a column.
    """

    version: str
    columns: tuple[str, ...] = INPUTS
    absent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.columns, *self.absent):
            if name not in _POSITION:
                raise _refused(self.version, name, "a name of services.ranking.core.INPUTS")
        for name in self.absent:
            if name not in self.columns:
                raise _refused(self.version, name, "an absent name that is one of the columns")

    def without(self, names: Iterable[str], version: str) -> Contract:
        """The contract of a release that does not fetch `names`."""
        return Contract(version, self.columns, tuple(dict.fromkeys((*self.absent, *names))))

    def with_columns(self, columns: Iterable[str], version: str) -> Contract:
        """The contract of a release that fills the matrix in another order."""
        return Contract(version, tuple(columns), self.absent)

    @classmethod
    def of(cls, version: str, listed: Iterable[str], inputs: tuple[str, ...] = INPUTS) -> Contract:
        """The contract of a config that only lists columns in order; an empty list is `inputs` itself.

        A list that leaves names out leaves their columns at the default, the others fill the rest in
        the order listed. Raises MODEL-003 for an unknown or repeated name.
        """
        names = tuple(listed) or inputs
        if len(set(names)) < len(names) or not set(names) <= set(inputs):
            raise _refused(version, str(list(names)), "names of the model's inputs, none twice")
        rest = iter(names)
        columns = tuple(next(rest) if name in names else name for name in inputs)
        return cls(version, columns, tuple(name for name in inputs if name not in names))

    def document(self) -> dict[str, Any]:
        """As JSON: what a release ships and what the gateway's config holds."""
        return {"version": self.version, "columns": list(self.columns), "absent": list(self.absent)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Contract:
        """Raises MODEL-003 when the document lacks a field or names an unknown column."""
        try:
            columns, absent = document["columns"], document.get("absent", ())
            return cls(str(document["version"]), tuple(map(str, columns)), tuple(map(str, absent)))
        except (KeyError, TypeError, AttributeError) as error:
            raise _refused("contract", repr(error), "version, columns and absent") from error


def assemble(
    profile: Floats,
    session: Floats,
    stats: Floats,
    item_id: Ints,
    stats_status: NDArray[np.uint8],
    catalogue: Catalogue,
    contract: Contract,
) -> Floats:
    """The ranker's matrix for one user's candidates, float32 [n, columns of the contract].

    profile, session: the user's rows of those views (defaults where unknown). stats: [n, columns of
    item_stats]. item_id: int64 [n], ids of the catalogue. stats_status: `Status` per row.
    """
    one = np.zeros(len(item_id), np.int64)
    return assemble_rows(profile[None, :], session[None, :], stats, item_id, stats_status, catalogue, contract, one)


def assemble_rows(
    profile: Floats,
    session: Floats,
    stats: Floats,
    item_id: Ints,
    stats_status: NDArray[np.uint8],
    catalogue: Catalogue,
    contract: Contract,
    user_row: Ints | None = None,
) -> Floats:
    """`assemble` for rows of many users. profile: [m, 36]; session: [m, 47]; the others have n rows.

    user_row: int64 [n], row of profile and session for each row; None where m = n, one each.
    """
    rows = np.arange(len(item_id)) if user_row is None else user_row
    whole = np.concatenate(
        [
            profile[:, _PROFILE_AT][rows],
            session[:, _SESSION_AT][rows],
            stats,
            _crosses(profile, session, item_id, stats_status, catalogue, rows),
        ],
        axis=1,
        dtype=np.float32,
    )
    for name in contract.absent:
        whole[:, _POSITION[name]] = default_of(name)
    if contract.columns == INPUTS:
        return whole
    return whole[:, [_POSITION[name] for name in contract.columns]]


def default_of(name: str) -> float:
    """What a column holds when its feature is not there. name: one of INPUTS."""
    view = VIEWS.get(name.split(".", 1)[0])
    return view.default if view is not None else 0.0


def combine(p: Floats, weights: Floats) -> Floats:
    """One score per row, higher is better. p: float32 [n, 3], probabilities in the order of OBJECTIVES;
    weights: float32 [3], worth of one click, one long dwell and one conversion."""
    return (p @ np.asarray(weights, np.float32)).astype(np.float32)


def _crosses(
    profile: Floats, session: Floats, item_id: Ints, stats_status: NDArray[np.uint8], catalogue: Catalogue, rows: Ints
) -> Floats:
    """float32 [n, crosses], in the order of CROSSES."""
    topics = catalogue.item_topics[item_id]
    taste, mood = profile[:, _PROFILE_TOPICS], session[:, _SESSION_TOPICS]
    dot = _dot(taste, topics, rows)
    norms = np.sqrt((taste**2).sum(1))[rows] * np.sqrt((topics**2).sum(1))
    recent = session[:, _RECENT].astype(np.int64)
    # A row of zeros is no session but what a caller passes who has none: its zeros name no item.
    known = (recent >= 0) & (recent < catalogue.n_items) & session.any(axis=1, keepdims=True)
    creators = np.where(known, catalogue.item_creator[np.where(known, recent, 0)], -1)
    same_creator = creators[rows] == catalogue.item_creator[item_id][:, None]
    same_item = np.where(known, recent, -1)[rows] == item_id[:, None]
    language = profile[:, _LANGUAGE][rows] == catalogue.item_language[item_id]
    out: Floats = np.stack(
        [
            dot,
            np.divide(dot, norms, out=np.zeros_like(dot), where=norms > 1e-9),
            _dot(mood, topics, rows),
            language,
            same_creator.mean(axis=1),
            same_item.any(axis=1),
            known.mean(axis=1)[rows],
            stats_status == Status.PRESENT,
        ],
        axis=1,
        dtype=np.float32,
        casting="unsafe",
    )
    return out


def _dot(left: Floats, right: Floats, rows: Ints) -> Floats:
    # einsum adds up in one fixed order, so a row does not depend on how many rows come with it
    out: Floats = np.einsum("ij,ij->i", left[rows], right).astype(np.float32)
    return out


def _refused(version: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "MODEL-003",
        where=f"feature contract {version}",
        seen=seen,
        expected=expected,
        fix="ship the contract that the model's manifest names under `inputs`",
    )


_POSITION = {name: i for i, name in enumerate(INPUTS)}
