"""Who looks at the wrong place: what their last looks name, beside what is to blame. Pure; for the instructor alone.

A look is a query, a preview or an action, once the page has come. It names a place where the name of a component, or of a
service that is one end of an edge, stands in it as a word. Looks that name none are about the whole, and right or wrong about
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

LAST = 6  # looks that count
LEAST = 3  # of them that have to name a place before anything is said


def places(text: str, known: Collection[str]) -> set[str]:
    """Those of the known places that a look names. known: names of components, an edge as `caller->callee`."""
    words = set(_words(text.lower()))
    ends = {name: set(name.lower().split("->")) for name in known}
    return {name for name, parts in ends.items() if parts <= words}


def wrong(looks: Iterable[str], known: Collection[str], blamed: Collection[str]) -> list[str]:
    """The places that somebody's last looks name where none of them names one to blame, most often named first; empty
    where they are right, or too few to say."""
    right = {part for name in blamed for part in (name, *name.split("->"))}
    last = [named for text in list(looks)[-LAST:] if (named := places(text, known))]
    if not blamed or len(last) < LEAST or any(named & right for named in last):
        return []
    counts: dict[str, int] = {}
    for named in last:
        for name in named:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z_]+", text))
