"""Draws that belong to a place, and codes with their gaps filled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.base.catalogue import LANGUAGES
from sandbox.base.streams import uniforms
from sandbox.world.importers import recognise
from sandbox.world.importers.recognise import UNKNOWN
from sandbox.world.importers.rows import decimal
from sandbox.world.importers.source import Entities


def normal(seed: int, purpose: str, who: np.ndarray) -> np.ndarray:
    """Standard normal by Box and Muller, per place."""
    radius = np.sqrt(-2 * np.log1p(-uniforms(seed, f"fill/{purpose}/r", who)))
    return np.asarray(radius * np.cos(2 * np.pi * uniforms(seed, f"fill/{purpose}/a", who)))


def draw(luck: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    place = np.searchsorted(np.cumsum(shares), luck, side="right")
    return np.asarray(np.minimum(place, len(shares) - 1))


class Gaps(dict[str, int]):
    """What a source lacks, or states in words that nothing can be made of -> how often."""

    def add(self, what: str, where: np.ndarray | int) -> None:
        """where: a mask, or how many."""
        count = int(np.sum(where))
        if count:
            self[what] = self.get(what, 0) + count

    def every(self, count: int, *whats: str) -> None:
        """What no source states: of all that there are."""
        for what in whats:
            self.add(what, count)


def codes(entities: Entities, attribute: str, code: Callable[[str], int]) -> np.ndarray:
    known: dict[str, int] = {}
    for text in entities.text(attribute):
        if text not in known:
            known[text] = code(text)
    return np.array([known[text] for text in entities.text(attribute)], dtype=np.int64)


def is_stated(entities: Entities, attribute: str) -> np.ndarray:
    """bool [entities]: where the source says anything of it."""
    return np.array([bool(text) for text in entities.text(attribute)], dtype=bool)


def fill(codes: np.ndarray, drawn: np.ndarray, what: str, gaps: Gaps, stated: np.ndarray) -> np.ndarray:
    """The codes, drawn ones where they are UNKNOWN; both kinds of gap are counted."""
    unknown = codes == UNKNOWN
    gaps.add(what, unknown & ~stated)
    gaps.add(f"{what}, stated but not known here", unknown & stated)
    return np.where(unknown, drawn, codes)


def languages(entities: Entities, drawn: np.ndarray, what: str, gaps: Gaps) -> np.ndarray:
    """Codes into LANGUAGES; those of other languages than the sandbox's own become "xx"."""
    known = codes(entities, "language", recognise.language)
    stated = is_stated(entities, "language")
    other = np.array([text.casefold() not in ("xx", "other") for text in entities.text("language")])
    gaps.add(f"{what}, another one (xx)", (known == LANGUAGES.index("xx")) & stated & other)
    return fill(known, drawn, what, gaps, stated)


def numbers(
    entities: Entities, attribute: str, least: float, otherwise: Callable[[], np.ndarray], gaps: Gaps
) -> np.ndarray:
    """float64 [entities], not below `least`."""
    known = np.array([decimal(text) for text in entities.text(attribute)], dtype=np.float64)
    missing, stated = np.isnan(known), is_stated(entities, attribute)
    gaps.add(attribute, missing & ~stated)
    gaps.add(f"{attribute}, stated but not readable", missing & stated)
    gaps.add(f"{attribute}, stated below {least:g}", known < least)
    return np.maximum(least, np.where(missing, otherwise(), known) if missing.any() else known)
