"""Draws that belong to a place, and codes with their gaps filled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.base.streams import uniforms
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


def codes(entities: Entities, attribute: str, code: Callable[[str], int]) -> np.ndarray:
    return np.array([code(text) for text in entities.text(attribute)], dtype=np.int64)


def fill(codes: np.ndarray, drawn: np.ndarray, what: str, filled: list[str]) -> np.ndarray:
    if (codes == UNKNOWN).any():
        filled.append(what)
    return np.where(codes == UNKNOWN, drawn, codes)


def numbers(entities: Entities, attribute: str, otherwise: Callable[[], np.ndarray]) -> np.ndarray:
    known = np.array([decimal(text) for text in entities.text(attribute)], dtype=np.float64)
    return np.where(np.isnan(known), otherwise(), known)
