"""Is a canary worse than its baseline: pass, fail, or hold where nobody can tell.

Three answers, because two are a lie: an analysis without traffic, without enough of it, or with an error has found
nothing wrong and shows nothing either. Hold never promotes. A metric

- fails when the canary is worse beyond chance: one-sided, exact for counts (binomial, given the errors of both arms),
  by the delta method with users as units for ratios; and, for ratios, by more than its margin.
- passes when the harm it may yet have, at the upper bound of its interval, is within its margin.
- holds otherwise. Kayenta's Nodata counts 100 in its score; here no data is hold.

Fails are looked for at every look, so their error is shared by all looks and metrics (Bonferroni, valid for any number
of looks up to the plan's). A pass needs every metric, so none of its error is shared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from scipy import stats as scipy_stats

from sandbox.base.stages import Verdict

MISMATCH = 0.001  # p below which arms that should be equal are not: nothing that they say counts


@dataclass(frozen=True)
class Metric:
    """kind: `count`, of bad events out of so many, or `ratio` of two sums over users, such as clicks per impression.
    worse: the direction that harms; counts are of bad events. margin: harm that is tolerated: a share of all (counts),
    a share of the baseline's value (ratios). critical: a fail takes the canary back; else it holds it."""

    name: str
    kind: Literal["count", "ratio"]
    margin: float
    worse: Literal["up", "down"] = "up"
    critical: bool = True


@dataclass(frozen=True)
class Sample:
    """One arm's sums over `units` users, y over x. Counts: y bad events of x. Ratios also need the sums of squares
    and products over users."""

    units: int
    y: float
    x: float
    yy: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    @property
    def value(self) -> float | None:
        return self.y / self.x if self.x > 0 else None

    @property
    def variance(self) -> float:
        """Of `value`, by the delta method. Source: Deng, Knoblich and Lu, KDD 2018. NaN below two users."""
        if self.units < 2 or self.x <= 0:
            return math.nan
        n, ratio = self.units, self.y / self.x
        of = self.yy - 2 * ratio * self.xy + ratio**2 * self.xx  # the residuals' mean is 0
        return max(of, 0.0) / (n - 1) * n / self.x**2


@dataclass(frozen=True)
class Finding:
    """What one metric says. p_worse: probability of a canary that looks as bad, were it none. harm, harm_most: how much
    worse it is, and may be at most, in the metric's margin's unit. None: not known."""

    metric: str
    verdict: Verdict
    why: str
    baseline: float | None = None
    canary: float | None = None
    p_worse: float | None = None
    harm: float | None = None
    harm_most: float | None = None
    critical: bool = True


@dataclass(frozen=True)
class Judgement:
    """verdict: of all. why: one line. users: of baseline and canary. errored: it could not be made."""

    verdict: Verdict
    why: str
    users: tuple[int, int]
    findings: list[Finding] = field(default_factory=list)
    errored: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict, "why": self.why, "users": {"baseline": self.users[0], "canary": self.users[1]},
            "metrics": [f.__dict__ for f in self.findings],
        }  # fmt: skip


def judge(
    metrics: Sequence[Metric], baseline: Mapping[str, Sample], canary: Mapping[str, Sample], *,
    users: tuple[int, int], looks: int = 1, alpha: float = 0.05, least_users: int = 2,
) -> Judgement:  # fmt: skip
    """The verdict on a canary beside an equal-sized baseline. baseline, canary: samples by metric; one that is missing
    is no data. users: of the two arms. looks: how often it will be looked at in all. least_users: in each arm."""
    assert metrics, "a verdict on nothing passes nothing"
    if users[1] == 0:
        return Judgement("hold", "no canary traffic", users)
    if users[0] == 0:
        return Judgement("hold", "no baseline traffic", users)
    if scipy_stats.binomtest(users[1], sum(users)).pvalue < MISMATCH:
        return Judgement("hold", f"arms that should be equal have {users[0]} and {users[1]} users", users)
    each = alpha / (max(looks, 1) * len(metrics))
    findings = [
        _found(m, baseline.get(m.name), canary.get(m.name), each, alpha, least_users) for m in metrics
    ]  # fmt: skip
    failed = [f for f in findings if f.verdict == "fail"]
    open_ = [f for f in findings if f.verdict != "pass"]
    if any(f.critical for f in failed):
        return Judgement("fail", f"worse: {_named(f for f in failed if f.critical)}", users, findings)
    if failed:
        return Judgement("hold", f"worse, though not critical: {_named(failed)}", users, findings)
    if open_:
        return Judgement("hold", f"not enough evidence: {_named(open_)}", users, findings)
    return Judgement("pass", "no metric is worse by more than its margin", users, findings)


def errored(why: str) -> Judgement:
    """Of an analysis that could not be made."""
    return Judgement("hold", f"the analysis failed: {why}", (0, 0), errored=True)


def _found(metric: Metric, b: Sample | None, c: Sample | None, each: float, alpha: float, least: int) -> Finding:
    if b is None or c is None or not all(map(math.isfinite, (b.y, b.x, c.y, c.x))) or min(b.x, c.x) <= 0:
        return Finding(metric.name, "hold", "no data", critical=metric.critical)
    p_worse, harm, harm_most = (_count if metric.kind == "count" else _ratio)(metric, b, c, alpha)
    verdict: Verdict
    if not math.isfinite(p_worse):
        verdict, why = "hold", "no data"
    elif p_worse <= each and (metric.kind == "count" or harm > metric.margin):
        verdict, why = "fail", f"worse by {harm:.3g}, p {p_worse:.3g} at {each:.3g}"
    elif min(b.units, c.units) < least:
        verdict, why = "hold", f"fewer than {least} users in an arm"
    elif harm_most <= metric.margin:
        verdict, why = "pass", f"worse by {harm_most:.3g} at most, of {metric.margin:g}"
    else:
        verdict, why = "hold", f"may be worse by {harm_most:.3g}, more than {metric.margin:g}"
    return Finding(
        metric.name, verdict, why, b.value, c.value, _known(p_worse), _known(harm), _known(harm_most), metric.critical
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _count(metric: Metric, b: Sample, c: Sample, alpha: float) -> tuple[float, float, float]:
    """Exact: how the bad events of both arms fall on the two, given how many there are."""
    bad_b, bad_c = round(b.y), round(c.y)
    total, share = bad_b + bad_c, c.x / (b.x + c.x)
    p = float(scipy_stats.binom.sf(bad_c - 1, total, share)) if total else 1.0
    most = _upper(bad_c, c.x, alpha / 2) - _lower(bad_b, b.x, alpha / 2)
    return p, bad_c / c.x - bad_b / b.x, most


def _ratio(metric: Metric, b: Sample, c: Sample, alpha: float) -> tuple[float, float, float]:
    """Relative to the baseline's value, which is taken as it is measured."""
    rb, rc = b.y / b.x, c.y / c.x
    se = math.sqrt(b.variance + c.variance)
    if rb == 0 or not math.isfinite(se):
        return math.nan, math.nan, math.nan
    worse = (rc - rb) if metric.worse == "up" else (rb - rc)
    z = scipy_stats.norm.ppf(1 - alpha)
    p = float(scipy_stats.norm.sf(worse / se)) if se > 0 else float(worse <= 0)
    return p, worse / abs(rb), (worse + z * se) / abs(rb)


def _upper(k: int, n: float, alpha: float) -> float:
    """Clopper and Pearson's upper bound of a share."""
    return 1.0 if k >= n else float(scipy_stats.beta.ppf(1 - alpha, k + 1, n - k))


def _lower(k: int, n: float, alpha: float) -> float:
    return 0.0 if k == 0 else float(scipy_stats.beta.ppf(alpha, k, n - k + 1))


def _named(findings: Any) -> str:
    return "; ".join(f"{f.metric} ({f.why})" for f in findings)
