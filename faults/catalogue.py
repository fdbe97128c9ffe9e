"""All faults by name, found by walking this package: adding one is adding its file."""

from __future__ import annotations

import importlib
import pkgutil

import faults
from faults.base import Fault
from sandbox.base.errors import SandboxError
from services.skeleton.points import POINTS


def _walk() -> dict[str, type[Fault]]:
    found: dict[str, type[Fault]] = {}
    for layer in pkgutil.iter_modules(faults.__path__, "faults."):
        if not layer.ispkg:
            continue
        package = importlib.import_module(layer.name)
        for module in pkgutil.iter_modules(package.__path__, f"{layer.name}."):
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and issubclass(thing, Fault) and thing is not Fault:
                    other = found.setdefault(thing.name, thing)
                    assert other is thing, f"two faults are called {thing.name}"
                    assert thing.layer == layer.name.removeprefix("faults."), "layer is the folder"
                    check(thing)
    return dict(sorted(found.items()))


def check(fault: type[Fault]) -> None:
    """That its class fits the point at which it says it sits. Raises FLT-003 where it can never act."""
    point = POINTS.get(fault.seam)
    where = f"{fault.__module__}, {fault.name}"
    if point is None:
        raise SandboxError(
            "FLT-003",
            where=f"{where}, seam",
            seen=fault.seam,
            expected=f"one of {list(POINTS)}",
            fix="name a point of services/skeleton/points.py",
        )
    strays = [name for name in fault.services if name not in point.processes]
    if strays or bool(fault.services) == point.stage:
        raise SandboxError(
            "FLT-003",
            where=f"{where}, services",
            seen=list(fault.services),
            expected="none: it is a stage" if point.stage else f"some of {list(point.processes)}",
            fix=f"name processes in which {fault.seam} lies",
        )
    passed = tuple(point.lies[point.name]) if point.name == "pipeline" else ()
    if bool(fault.at) != bool(passed) or not set(fault.at) <= set(passed):
        raise SandboxError(
            "FLT-003",
            where=f"{where}, at",
            seen=list(fault.at),
            expected=f"some of {list(passed)}" if passed else f"none: {fault.seam} is no stage of the pipeline",
            fix="name the stages that it wraps",
        )
    unused = "around_sync" if point.awaited else "around"
    if getattr(fault, unused) is not getattr(Fault, unused):
        raise SandboxError(
            "FLT-003",
            where=where,
            seen=unused,
            expected="around" if point.awaited else "around_sync",
            fix=f"{fault.seam} is {'' if point.awaited else 'not '}awaited: the other is never called",
        )


CATALOGUE = _walk()
# Further mechanisms that a report or a scenario may speak of, of which there is no fault to arm yet.
PLANNED = (
    "ab-training-contamination", "bad-model-promoted", "batch-job-collision",
    "batcher-queue-blowup", "bot-scrape-burst", "cache-stampede", "candidate-source-empty",
    "cold-start-no-warmup", "consent-filter-fail-open", "consent-withdrawal-lag", "cpu-starvation",
    "dead-metric-silent", "deadline-not-propagated", "default-masks-error",
    "delayed-feedback-fake-negatives", "delayed-guardrail", "deletion-incomplete",
    "denormal-slowdown", "diversity-overcap", "drift-reference-rolling", "entity-key-mismatch",
    "event-drop-mnar", "event-duplication", "gc-gen2-pause", "historical-label-bias",
    "id-map-misalignment", "index-concurrent-mutation", "index-stale-new-items",
    "join-rate-collapse", "keepalive-goaway-churn", "label-leakage-future", "lb-pick-first-pin",
    "loadgen-coordinated-omission", "materialization-stalled", "materialization-window-skip",
    "memory-leak-gradual", "minor-protection-bypass", "msg-size-cliff", "nan-scores",
    "norm-metric-mismatch", "novelty-decay-misread", "online-key-ttl-expiry",
    "optout-signal-ignored", "organic-preference-drift", "popularity-feedback-loop",
    "position-bias-untreated", "reconnect-backoff-stuck", "redis-eviction-pressure",
    "redis-fork-stall", "redis-key-hotspot", "region-tag-misroute", "replica-lag-stale-read",
    "retry-storm-metastable", "rpc-abort-slice", "rpc-blackhole-no-deadline",
    "rule-order-inversion", "rules-fail-open", "schema-silent-cast",
    "score-scale-undeclared-consumer", "selection-survivorship", "sensitive-proxy-feature",
    "server-pool-starved", "simpson-ramp", "srm-assignment-bug", "srm-telemetry-loss",
    "stale-partition-reused", "thread-oversubscription", "trace-sampling-bias", "transform-skew",
    "version-split-brain", "wrong-entity-features",
)  # fmt: skip
KNOWN = (*CATALOGUE, *(name for name in PLANNED if name not in CATALOGUE))


def fault_named(name: str) -> type[Fault]:
    """Raises FLT-001 for a name that is not in the catalogue."""
    if name not in CATALOGUE:
        raise SandboxError(
            "FLT-001",
            where="fault name",
            seen=name,
            expected=f"one of {list(CATALOGUE)}",
            fix="see `sandbox fault list`",
        )
    return CATALOGUE[name]
