"""Which rows are asked for: from ids to the store's keys, and what passes the fetch seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.features import FeatureView, Rows, key
from services.skeleton.seams import Call

Wanted = Sequence[tuple[FeatureView, np.ndarray]]  # views, and the ids of which rows are wanted, int64 [n]


def keys_of(wanted: Wanted) -> list[bytes]:
    """The store's keys, one view after the other."""
    keys: list[bytes] = []
    for view, ids in wanted:
        if len(ids) == 1:
            keys.append(key(view, int(ids[0])).encode())
            continue
        before, after = key(view, 0).encode().split(b"0")  # no view has a 0 in its name
        keys += [b"%b%d%b" % (before, i, after) for i in ids.tolist()]
    return keys


def fetch_call(asked: Wanted, op: str, user: int, session: int, position: int, region: int) -> Call:
    """One call of the features service on its way to the store. What a wrapper does to its ids stays with it."""
    return Call(
        "fetch", "features", "redis", op, user, session, position, region,
        payload={view.name: np.array(ids) for view, ids in asked},
        attributes={"views": {view.name: view for view, _ in asked}},
    )  # fmt: skip


def wanted_by(call: Call) -> Wanted:
    """What such a call asks for. Raises STORE-002 for a view that its request did not name."""
    views: dict[str, FeatureView] = call.attributes["views"]
    if strange := sorted(call.payload.keys() - views.keys()):
        raise SandboxError(
            "STORE-002",
            where="features, fetch",
            seen=strange,
            expected=f"some of {sorted(views)}",
            fix="ask for views of the request",
        )
    return [(views[name], np.asarray(ids, np.int64)) for name, ids in call.payload.items()]


def fetched(asked: Wanted, answer: dict[str, Rows]) -> list[Rows]:
    """The rows of each view asked for. Raises STORE-003 where one has none, or another number of them."""
    for view, ids in asked:
        rows = answer.get(view.name)
        if not isinstance(rows, Rows) or rows.values.shape != (len(ids), len(view.columns)):
            raise SandboxError(
                "STORE-003",
                where=f"features, fetch of {view.name}",
                seen=repr(rows)[:100],
                expected=f"{len(ids)} rows of {len(view.columns)} columns",
                fix="see the log of features",
            )
    return [answer[view.name] for view, _ in asked]
