"""Random numbers that belong to a place in the world, not to the order in which they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.random import Generator

_GOLDEN_INT = 0x9E3779B97F4A7C15
_GOLDEN = np.uint64(_GOLDEN_INT)
_WORD = (1 << 64) - 1


def stream(
    seed: int, purpose: str, user: int = 0, session: int = 0, position: int = 0
) -> Generator:
    """A generator for one place. About 10 us to make: for single events, or for whole tables drawn once.

    Source: Philox4x64, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8")
    counter = np.array([0, position, session, user], dtype=np.uint64)  # word 0 counts the draws
    return Generator(np.random.Philox(key=key, counter=counter))


def uniforms(seed: int, purpose: str, *place: np.ndarray | int) -> np.ndarray:
    """Uniform [0, 1) float64 for every place, in the shape the integer arrays broadcast to.

    place: user, session, position..., in one fixed order for each purpose. Any subset of places
    gives the same numbers as the whole. About 8 ns a draw.
    Source: finaliser of SplitMix64, Steele, Lea and Flood, OOPSLA 2014.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    start, rest = int.from_bytes(digest, "little"), list(place)
    while rest and isinstance(
        rest[0], int
    ):  # plain numbers in front: the same steps, without arrays
        start = _mix_int(start + _GOLDEN_INT + _mix_int(int(rest.pop(0)) + _GOLDEN_INT))
    state = np.array([start], np.uint64)  # an array: wraps around without a warning
    for part in rest:
        state = _mix(state + _GOLDEN + _mix(np.atleast_1d(part).astype(np.uint64) + _GOLDEN))
    state >>= np.uint64(11)
    drawn: np.ndarray = state * 2.0**-53
    return drawn


def uniform(seed: int, purpose: str, *place: int) -> float:
    """One number of `uniforms`, for single events."""
    return float(uniforms(seed, purpose, *place)[0])


def seed_of(seed: int, *names: Iterable[object] | object) -> int:
    """A 63-bit seed for a library that takes only a seed (torch, scikit), derived from ours by name."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def _mix(x: np.ndarray) -> np.ndarray:
    """x: an array of its own, which is overwritten: draws are many, and memory is what they cost."""
    shifted = x >> np.uint64(30)
    x ^= shifted
    x *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(x, np.uint64(27), out=shifted)
    x ^= shifted
    x *= np.uint64(0x94D049BB133111EB)
    np.right_shift(x, np.uint64(31), out=shifted)
    x ^= shifted
    return x


def _mix_int(x: int) -> int:
    """`_mix` of one number of any size and sign, as its lowest 64 bits."""
    x &= _WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _WORD
    return x ^ (x >> 31)
