"""Settings of the collector and the objectives of the service: each with unit, range and reason."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Document(BaseModel, extra="forbid", frozen=True):
    """Unknown keys and values out of range are refused."""


class CollectorSettings(Document):
    flush_s: float = Field(0.5, gt=0, le=0.7)  # wall; with 0.4 s at the sender a row is seen within 1 s
    sample_s: float = Field(1.0, gt=0, le=10)  # wall; processes, Redis, stream
    compact_every_s: float = Field(2.0, gt=0, le=60)  # wall; merges wait for a quiet moment
    gauge_age_s: float = Field(5.0, gt=0)  # wall; a process silent for longer has no gauges
    max_connections: int = Field(256, ge=8)  # seven services, load generators, actions: far below


class IndicatorSettings(Document):
    fast_s: float = Field(300.0, gt=0)  # world; rates and latencies: 100 requests at 20 per minute
    slow_s: float = Field(3_600.0, gt=0)  # world; conversions: rarer than clicks by a factor of 20
    coverage_s: float = Field(1_800.0, gt=0)  # world; coverage and exposure, as items rotate slowly
    long_dwell_s: float = Field(30.0, gt=0)  # seconds; what the pipeline labels a long dwell
    requests_remembered: int = Field(20_000, ge=100)  # to know the region of a click, memory


class Objective(Document):
    """One promise about one indicator, kept as counts of bad among all.

    name: also of its alerts. sli: which counts. budget_share: bad that the promise allows, 0..1.
    min_events: fewer in the short window give no verdict. windows: suffixes of those that apply.
    """

    name: str
    sli: str
    budget_share: float = Field(gt=0, lt=1)
    min_events: int = Field(ge=1)
    summary: str
    windows: tuple[str, ...] = ("fast-burn", "slow-burn")


class BaselineObjective(Document):
    """A rate that must not fall below what the run itself showed in its first healthy minutes.

    tolerance_share: a fall by less is no incident. min_events: in the short window; learn_events:
    before the baseline counts as known. short_s, long_s: windows, world seconds. baseline_rate: given
    instead of learned; None: learn it.
    """

    name: str
    sli: str
    tolerance_share: float = Field(gt=0, lt=1)
    min_events: int = Field(ge=1)
    learn_events: int = Field(ge=1)
    short_s: float = Field(gt=0)
    long_s: float = Field(gt=0)
    summary: str
    baseline_rate: float | None = Field(None, gt=0, lt=1)


class BurnWindow(Document):
    """Fires when the budget burns `factor` times too fast over both windows (world seconds)."""

    suffix: str
    short_s: float = Field(gt=0)
    long_s: float = Field(gt=0)
    factor: float = Field(gt=0)
    severity: Literal["page", "ticket"]


class AlertSettings(Document):
    """Objectives and windows.

    Windows are in world time: at 60x an hour passes in a minute, so that a page comes within
    seconds and a ticket within minutes of a drill; at 1x they are the usual ones of on-call.
    """

    windows: tuple[BurnWindow, ...] = (
        BurnWindow(suffix="fast-burn", short_s=300, long_s=3_600, factor=6, severity="page"),
        BurnWindow(suffix="slow-burn", short_s=1_800, long_s=21_600, factor=2, severity="ticket"),
    )
    objectives: tuple[Objective, ...] = (
        Objective(
            name="latency", sli="latency", budget_share=0.01, min_events=50,
            summary="requests slower than the latency objective",
        ),
        Objective(
            name="latency-typical", sli="latency_typical", budget_share=0.06, min_events=50,
            summary="requests slower than nine of ten were while all was well",
            windows=("fast-burn",),  # a tenth is slower at the best of times: no ticket for that
        ),
        Objective(
            name="errors", sli="errors", budget_share=0.005, min_events=50,
            summary="requests that were answered with an error",
        ),
        Objective(
            name="degraded", sli="degraded", budget_share=0.02, min_events=50,
            summary="requests answered by a fallback",
        ),
        Objective(
            name="empty-slates", sli="empty", budget_share=0.005, min_events=50,
            summary="requests answered with no item",
        ),
        Objective(
            name="short-slates", sli="short", budget_share=0.02, min_events=50,
            summary="requests answered with fewer items than asked for",
        ),
        Objective(
            name="feature-age-user_profile", sli="age:user_profile", budget_share=0.05,
            min_events=50, summary="reads of user_profile rows older than their objective",
        ),
        Objective(
            name="feature-age-item_stats", sli="age:item_stats", budget_share=0.05,
            min_events=50, summary="reads of item_stats rows older than their objective",
        ),
        Objective(
            name="feature-age-user_session", sli="age:user_session", budget_share=0.10,
            min_events=30, summary="mid-session requests served a session row older than its objective",
        ),
    )  # fmt: skip
    baselines: tuple[BaselineObjective, ...] = (
        BaselineObjective(
            name="ctr", sli="ctr", tolerance_share=0.15, min_events=1_000, learn_events=4_000,
            short_s=900, long_s=1_800, summary="clicks per impression below the healthy band",
        ),
        BaselineObjective(
            name="conversion", sli="conversion", tolerance_share=0.30, min_events=300,
            learn_events=400, short_s=3_600, long_s=3_600, summary="conversions per click below the healthy band",
        ),
    )  # fmt: skip
    # Clients give up at 400 ms; half of it is what still feels immediate on a page. On a machine on
    # which the healthy p95 is slow already, tail_factor times that counts, or it would page for ever.
    latency_ms: float = Field(200.0, gt=0)
    tail_factor: float = Field(2.0, gt=1)
    # World seconds. Batch views: a daily run, and half a day for one that failed and was repeated.
    age_s: dict[str, float] = {"user_profile": 129_600.0, "item_stats": 129_600.0}
    session_age_s: float = Field(300.0, gt=0)  # 3 x the healthy p99 in the middle of a visit at 60x
    warmup_s: float = Field(600.0, ge=0)  # world; caches fill, the first visits begin
    baseline_s: float = Field(1_800.0, gt=0)  # world; what is learned is learned for at least so long
    median_factor: float = Field(1.8, gt=1)  # latency_typical: at least so many healthy medians
    calibrate_requests: int = Field(200, ge=20)  # before healthy latencies count as known
    z_fire: float = Field(3.5, gt=0)  # standard errors; clicks of one visit hang together, so not 3
    resolve_factor: float = Field(0.5, gt=0, lt=1)  # of the firing level: no flapping at the edge
    calm_s: float = Field(300.0, ge=0)  # world; below the resolving level for so long
