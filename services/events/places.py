"""Whom entries of the event stream, and rows of features, are about: the places of what passes the seam `write`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.features import FeatureView
from services.events.core import IMPRESSIONS, Entry
from services.skeleton.seams import Call, Place, Proceed

Update = tuple[int, float, Any]  # entity id, event time in world seconds, row
LIVES_S = "lives_s"  # attribute of a write of the stream processor: world seconds, None without end


def of_entries(entries: Iterable[Entry], catalogue: Catalogue) -> list[Place]:
    """A slate that was shown is about its user alone, an event about its item too. An event that is sent again
    rolls as before."""
    places = []
    for e in entries:
        item = -1 if e.kind == IMPRESSIONS else e.items[0]
        places.append(Place(
            e.user, max(e.session, 0), zlib.crc32((e.event_id or e.request_id).encode()), _region(e.user, catalogue), item, _group(item, catalogue)
        ))  # fmt: skip
    return places


def of_updates(view: FeatureView, catalogue: Catalogue) -> Callable[[Sequence[Update]], list[Place]]:
    """For updates of that view. The time of a row is part of its dice: a batch that is done again rolls
    as before, the entity's next row anew."""
    if view.entity == "item":
        return lambda updates: [
            Place(position=int(ts), item=item, group=_group(item, catalogue)) for item, ts, _ in updates
        ]
    return lambda updates: [Place(user, position=int(ts), region=_region(user, catalogue)) for user, ts, _ in updates]


def checked_update(view: FeatureView, update: Any) -> Update:
    """An update as it can be written. Raises WIRE-006 for what is none of that view's."""
    try:
        entity, ts, row = update
        return int(entity), float(ts), np.asarray(row, np.float32).reshape(len(view.columns))
    except (TypeError, ValueError) as error:
        raise SandboxError(
            "WIRE-006",
            where=f"write of {view.name}",
            seen=repr(update)[:200],
            expected=f"(entity id, event time, {len(view.columns)} columns)",
            fix="see what is put on the seam",
        ) from error


def noting(lives: dict[int, float]) -> Proceed:
    """The end of the write seam that hands on what comes in, and notes in `lives` how many world seconds the rows of
    an entity are to live where a wrapper says so. It raises WIRE-006 for what is no such time."""

    async def proceed(call: Call) -> Any:
        lives_s = call.attributes[LIVES_S]
        if lives_s is not None:
            if not isinstance(lives_s, int | float) or not 0 < lives_s < math.inf:
                raise SandboxError(
                    "WIRE-006",
                    where=f"write of {call.peer}",
                    seen=repr(lives_s)[:100],
                    expected="world seconds above 0, or None",
                    fix="see what is put on the seam",
                )
            lives.update((int(entity), float(lives_s)) for entity, *_ in call.payload)
        return call.payload

    return proceed


def _region(user: int, catalogue: Catalogue) -> int:
    return int(catalogue.user_region[user]) if 0 <= user < catalogue.n_users else -1


def _group(item: int, catalogue: Catalogue) -> str:
    if not 0 <= item < catalogue.n_items:
        return ""
    return CREATOR_GROUPS[catalogue.creator_group[catalogue.item_creator[item]]]
