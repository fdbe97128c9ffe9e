"""A request as the stages see it, and what they made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.base.features import Rows
from services.gateway.stages import Candidates, Ranked, UserRows
from services.ranking.core import Floats, Ints
from services.retrieval.core import Found
from services.rules.core import Slate

# Rows of `item_stats`, as the store gives them for ids, int64 [n], at world times: a float or float64 [n].
ItemRows = Callable[[Ints, Any], Rows]


@dataclass(slots=True)
class Request:
    """One request. user: of the catalogue; region: code of the user's region; personalised: consent;
    now: world seconds since the epoch. n_wanted: candidates, None for as many as the configuration says."""

    user: int
    session: int
    depth: int
    region: int
    k: int
    personalised: bool
    now: float
    n_wanted: int | None = None


@dataclass(slots=True)
class Answer:
    """What every stage made of one request.

    find: the sources' lists. stats: item rows of the candidates, None where the store did not answer. x:
    float32 [n, columns]; probabilities: float32 [n, 3], None where no model scored. slate: its rows index
    the ranked order, as in the gateway; None where no rule ran.
    """

    rows: UserRows
    find: Callable[[], dict[str, Found]]
    candidates: Candidates
    stats: Rows | None
    x: Floats | None
    probabilities: Floats | None
    ranked: Ranked
    slate: Slate | None

    @property
    def found(self) -> dict[str, Found]:
        """By source, visible items only; made when asked for, which few requests are."""
        return self.find()
