"""What a report says of the harm, against the harm there was. Pure.

Everything is scored on a scale that is logarithmic for sizes that stand out of the noise and linear
within it, so that twice too much costs as much as half, and a harm of nothing can be said too. A number
alone is an interval without width. Only what stands out of the noise can be sized: a number for a metric
without clear harm earns nothing. A gain counts like a harm, with its sign: what a filter saves beside what it
costs. Where the truth names a slice of users, harm is that of the slice. Source: Winkler, "A decision-theoretic approach to interval
estimation", JASA 1972; Gneiting and Raftery, "Strictly proper scoring rules", JASA 2007, section 6.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sandbox.drill.play.report import AFFECTED_USERS, Claim
from sandbox.drill.scenario.harms import METRICS, SEGMENT_EXPOSURE, UNITS
from sandbox.drill.twin.comparison import TwinResult
from sandbox.drill.twin.intervals import Estimate

CLAIMED = (*METRICS, SEGMENT_EXPOSURE)
LEVEL = 0.8  # of the interval that a report is asked for: one in five may miss
WORST = math.log(10.0)  # an order of magnitude off earns nothing
ENOUGH = 2  # clear harms that a report must name for full credit, where there are so many
NOISE = 0.005  # of a healthy day's total: less is within the noise in any case
LEAST_USERS = 3.0  # within which a number of users counts as none

Scored = tuple[float, str]  # share 0..1, and why


def winkler(low: float, high: float, truth: float, level: float = LEVEL) -> float:
    """Width of the interval, and 2 / (1 - level) times as far as the truth lies outside. Least, on
    average, for who gives their own quantiles at (1 - level) / 2 and 1 - that."""
    miss = max(0.0, low - truth, truth - high)
    return (high - low) + 2.0 / (1.0 - level) * miss


def scaled(value: float, noise: float) -> float:
    """Odd, growing like the logarithm beyond `noise`, like the value itself within."""
    return math.asinh(value / (2.0 * noise))


def claim_share(claim: Claim, truth: float, noise: float) -> float:
    """0..1: half for the number, by its error; half for the interval, by its Winkler score."""
    at, actual = scaled(claim.estimate, noise), scaled(truth, noise)
    point = max(0.0, 1.0 - abs(at - actual) / WORST)
    low, high = scaled(claim.low, noise), scaled(claim.high, noise)
    interval = max(0.0, 1.0 - winkler(low, high, actual) / (2.0 * WORST))
    return 0.5 * point + 0.5 * interval


def sizable(twin: TwinResult) -> list[str]:
    """Metrics in which there is a clear harm, or a clear gain, by the report; the clearest first."""
    found = [m for m in CLAIMED if _clear(twin.so_far[m])]
    return sorted(found, key=lambda m: -abs(twin.so_far[m].z))


def impact_share(claims: Mapping[str, Claim], twin: TwinResult) -> Scored:
    """What the claims are worth: their mean, less where clear harms were left out."""
    clear = sizable(twin)
    parts, told = [], []
    for name, claim in claims.items():
        if name == AFFECTED_USERS:
            share, was = (claim_share(claim, twin.affected, LEAST_USERS), f"{twin.affected:.4g} users")
        elif name in clear:
            truth = twin.so_far[name]
            share = claim_share(claim, truth.estimate, _noise(truth, twin.healthy_slice[name]))
            was = f"{truth.estimate:.4g} {UNITS[name]}"
        else:
            share, was = 0.0, "nothing that stands out"
        parts.append(share)
        told.append(f"{name} {claim.estimate:g}, it was {was}")
    named = [m for m in clear if m in claims]
    missed = [f"{m} ({twin.so_far[m].estimate:.4g} {UNITS[m]})" for m in clear if m not in claims]
    if not parts:
        return 0.0, f"no harm was sized; clear were {', '.join(missed[:3])}"
    coverage = min(1.0, len(named) / min(ENOUGH, len(clear)))
    if coverage < 1.0 and missed:
        told.append(f"clear and not named: {', '.join(missed[:3])}")
    return coverage * sum(parts) / len(parts), "; ".join(told[:5])


def _clear(truth: Estimate) -> bool:
    return math.isfinite(truth.estimate) and (truth.low > 0.0 or truth.high < 0.0)


def _noise(truth: Estimate, healthy: float) -> float:
    """Half the width of the truth's own interval, or a trifle of a healthy day."""
    noise = max((truth.high - truth.low) / 2, NOISE * abs(healthy), 1e-6)
    return noise if math.isfinite(noise) else 1.0
