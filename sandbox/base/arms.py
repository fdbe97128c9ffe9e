"""Who is in a canary: a salted hash of the user, so one user gets one version, in every process and at every visit."""

from __future__ import annotations

import hashlib
from typing import Literal

from sandbox.base.config import Canary, ModelConfig

Arm = Literal["canary", "baseline", "rest"]


def lot_of(user: int, salt: str) -> float:
    """0 <= number < 1, the same for one user and salt wherever it is asked."""
    digest = hashlib.blake2b(f"{salt}/{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def arm_of(user: int, canary: Canary) -> Arm:
    """baseline: as many users as the canary has, to compare it with; they are served as the rest is. A user who is not
    known (below 0) is the rest."""
    lot = lot_of(user, canary.salt) if user >= 0 else 1.0
    return "canary" if lot < canary.share else "baseline" if lot < 2 * canary.share else "rest"


def ranker_of(model: ModelConfig, user: int, now: float) -> str:
    """The ranker that answers a user, -1 for one who is not known. now: world seconds."""
    canary = model.canary
    if canary is None or now >= canary.until_ts or arm_of(user, canary) != "canary":
        return model.ranker
    return canary.version
