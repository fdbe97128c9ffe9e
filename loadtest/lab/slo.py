"""What a load must hold, as people write it: p99<150ms. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from loadtest.lab.ledger import Requests
from sandbox.base.errors import SandboxError

_FORM = re.compile(r"\s*p(\d{1,2}(?:\.\d{1,3})?)\s*<=?\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*")
LARGEST_MS = 3_600_000.0


@dataclass(frozen=True)
class Slo:
    """So much of all requests answered within limit_ms. share: 0..1. A request that failed was not."""

    share: float
    limit_ms: float
    text: str

    @classmethod
    def of(cls, text: str) -> Slo:
        """Raises CFG-004 for what is none."""
        found = _FORM.fullmatch(text)
        share, limit_ms = 0.0, 0.0
        if found:
            share = float(found[1]) / 100
            limit_ms = float(found[2]) * (1000 if found[3] == "s" else 1)
        if not (0.01 <= share < 1 and 0 < limit_ms <= LARGEST_MS):
            raise SandboxError(
                "CFG-004", where="load knee --slo", seen=text, expected="as p99<150ms: p1 to p99.999, above 0, in ms or s",
                fix="put it in quotes, or the shell reads < as a file",
            )  # fmt: skip
        return cls(share, limit_ms, f"p{found[1]}<{found[2]}{found[3]}" if found else text)

    def value_ms(self, requests: Requests) -> float:
        """The percentile from the intended start, requests that failed being as late as can be: inf where these are too
        many, or nobody asked."""
        if not len(requests):
            return math.inf
        late = np.sort(np.where(requests.ok, requests.latency_ms, np.inf))
        return float(late[min(len(late) - 1, math.ceil(self.share * len(late)) - 1)])

    def least_requests(self) -> int:
        """So few can't tell: one in as many may be late."""
        return math.ceil(1 / (1 - self.share))
