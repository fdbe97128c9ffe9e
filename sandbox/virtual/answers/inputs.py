"""The ranker's matrix for a batch: `assemble_rows`, with what belongs to a request or an item looked up.

One pass over the rows instead of an array for every column.
"""

from __future__ import annotations

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.compiled import laid
from sandbox.base.features import ITEM_STATS, N_RECENT, N_TOPICS, USER_PROFILE, USER_SESSION, Rows, Status
from sandbox.virtual.answers import kernels
from services.ranking.core import CROSSES, INPUTS, Contract, Floats, Ints, default_of

_VIEWS = (USER_PROFILE, USER_SESSION)
_OF_USER = [
    np.array([view.columns.index(n.split(".")[1]) for n in INPUTS if n.startswith(f"{view.name}.")]) for view in _VIEWS
]
_TOPICS = [slice(len(view.columns) - N_TOPICS, len(view.columns)) for view in _VIEWS]
_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_RECENT = slice(_RECENT_FROM, _RECENT_FROM + N_RECENT)
_LANGUAGE = USER_PROFILE.columns.index("language_id")
_N_PLAIN = sum(map(len, _OF_USER)) + len(ITEM_STATS.columns)
assert len(INPUTS) == _N_PLAIN + len(CROSSES), "the matrix is user, item, crosses"


class InputBuilder:
    """Holds tables of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._norm = laid(np.sqrt((catalogue.item_topics**2).sum(1)), np.float32)
        self._language = laid(catalogue.item_language, np.int8)
        self._creator = laid(catalogue.item_creator, np.int32)

    def build(
        self, profile: Floats, session: Floats, stats: Rows, items: Ints, owner: Ints, contract: Contract
    ) -> Floats:
        """float32 [n, columns of the contract]. profile, session: [b, columns]; stats, items: n rows, of
        the requests `owner`, int64 [n]."""
        topics = self.catalogue.item_topics.take(items, axis=0)
        taste, mood = profile[:, _TOPICS[0]], session[:, _TOPICS[1]]
        recent = session[:, _RECENT].astype(np.int64)
        known = (recent >= 0) & (recent < self.catalogue.n_items) & session.any(axis=1, keepdims=True)
        whole = kernels.inputs(
            np.concatenate([profile[:, _OF_USER[0]], session[:, _OF_USER[1]]], axis=1),
            laid(stats.values, np.float32), stats.status == Status.PRESENT, items, owner,
            # The products stay numpy's: a loop would add up in another order.
            np.einsum("ij,ij->i", taste.take(owner, axis=0), topics),
            np.einsum("ij,ij->i", mood.take(owner, axis=0), topics),
            np.sqrt((taste**2).sum(1)), self._norm, laid(profile[:, _LANGUAGE], np.float32),
            self._language, recent, known, self._creator, len(INPUTS),
        )  # fmt: skip
        for name in contract.absent:
            whole[:, INPUTS.index(name)] = default_of(name)
        if contract.columns == INPUTS:
            return whole
        return whole[:, [INPUTS.index(name) for name in contract.columns]]
