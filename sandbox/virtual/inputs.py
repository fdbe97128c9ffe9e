"""The ranker's matrix for a batch: `assemble_rows`, with what belongs to a request or an item looked up.

Which recent clicks share an item's creator is counted once for a request instead of for each candidate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import (
    ITEM_STATS,
    N_RECENT,
    N_TOPICS,
    USER_PROFILE,
    USER_SESSION,
    Rows,
    Status,
)
from services.ranking.core import CROSSES, INPUTS, Contract, Floats, Ints, default_of

_VIEWS = (USER_PROFILE, USER_SESSION)
_OF_USER = [
    np.array([view.columns.index(n.split(".")[1]) for n in INPUTS if n.startswith(f"{view.name}.")])
    for view in _VIEWS
]
_TOPICS = [slice(len(view.columns) - N_TOPICS, len(view.columns)) for view in _VIEWS]
_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_RECENT = slice(_RECENT_FROM, _RECENT_FROM + N_RECENT)
_LANGUAGE = USER_PROFILE.columns.index("language_id")
_N_OF_USER = sum(map(len, _OF_USER))
_CROSS_FROM = _N_OF_USER + len(ITEM_STATS.columns)
assert len(INPUTS) == _CROSS_FROM + len(CROSSES), "the matrix is user, item, crosses"


class InputBuilder:
    """Holds tables of a catalogue; not to be used by two threads at once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._norm = np.sqrt((catalogue.item_topics**2).sum(1))
        self._n_creators = len(catalogue.creator_group)

    def build(
        self, profile: Floats, session: Floats, stats: Rows, items: Ints, owner: Ints, contract: Contract
    ) -> Floats:  # fmt: skip
        """float32 [n, columns of the contract]. profile, session: [b, columns]; stats, items: n rows, of
        the requests `owner`, int64 [n]."""
        catalogue = self.catalogue
        whole = np.empty((len(items), len(INPUTS)), np.float32)
        of_user = np.concatenate([profile[:, _OF_USER[0]], session[:, _OF_USER[1]]], axis=1)
        whole[:, :_N_OF_USER] = of_user[owner]
        whole[:, _N_OF_USER:_CROSS_FROM] = stats.values
        topics = catalogue.item_topics[items]
        taste, mood = profile[:, _TOPICS[0]], session[:, _TOPICS[1]]
        dot = np.einsum("ij,ij->i", taste[owner], topics)
        norms = np.sqrt((taste**2).sum(1))[owner] * self._norm[items]
        recent = session[:, _RECENT].astype(np.int64)
        known = (recent >= 0) & (recent < catalogue.n_items) & session.any(axis=1, keepdims=True)
        crosses = (
            dot,
            np.divide(dot, norms, out=np.zeros_like(dot), where=norms > 1e-9),
            np.einsum("ij,ij->i", mood[owner], topics),
            profile[:, _LANGUAGE][owner] == catalogue.item_language[items],
            self._by_creator(recent, known)[owner, catalogue.item_creator[items]] / N_RECENT,
            self._clicked(recent, known)[owner, items],
            known.mean(axis=1)[owner],
            stats.status == Status.PRESENT,
        )
        for column, values in enumerate(crosses, _CROSS_FROM):
            whole[:, column] = values
        for name in contract.absent:
            whole[:, INPUTS.index(name)] = default_of(name)
        if contract.columns == INPUTS:
            return whole
        return whole[:, [INPUTS.index(name) for name in contract.columns]]

    def _by_creator(self, recent: Ints, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """[b, creators]: recent clicks on items of each creator."""
        row, at = known.nonzero()
        keys = row * self._n_creators + self.catalogue.item_creator[recent[row, at]]
        counts = np.bincount(keys, minlength=len(recent) * self._n_creators)
        return counts.reshape(len(recent), -1).astype(np.float64)

    def _clicked(self, recent: Ints, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[b, items]: whether the item is among the recent clicks."""
        marked = np.zeros((len(recent), self.catalogue.n_items), bool)
        row, at = known.nonzero()
        marked[row, recent[row, at]] = True
        return marked
