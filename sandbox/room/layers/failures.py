"""Where failures commonly occur: of the faults that there are, which can lie where. The same for every drill."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from faults.base import Fault
from faults.catalogue import CATALOGUE
from faults.reach import targets


class Kind(BaseModel, frozen=True):
    """One kind of failure. about: what happens. moves: what one sees move."""

    about: str
    moves: str


class Commonly(BaseModel, frozen=True):
    """at: component of the diagram, `caller->callee` for the calls between two -> the kinds that can lie there."""

    at: dict[str, list[Kind]]


_RELEASED = {"rpc": "gateway", "client": "gateway", "training": "model"}  # layer -> where its releases show
_SHOWN_AT = {"load": "gateway", "collector": ""}  # what has no box of its own


@cache
def commonly() -> Commonly:
    """Controls are left out: they do no harm."""
    found: dict[str, list[Kind]] = {}
    for fault in CATALOGUE.values():
        if fault.control:
            continue
        kind = Kind(about=fault.describe()["summary"], moves=fault.moves)
        for place in dict.fromkeys(_SHOWN_AT.get(target, target) for target in _places(fault)):
            if place:
                found.setdefault(place, []).append(kind)
    return Commonly(at=dict(sorted(found.items())))


def _places(fault: type[Fault]) -> list[str]:
    """Edges rather than their caller; of a release the services whose settings it brings, else its layer's."""
    there = targets(fault)
    if not there:
        return [name.partition(".")[0] for name in fault.needs] or [_RELEASED.get(fault.layer, fault.layer)]
    return [place for place in there if "->" in place] or there
