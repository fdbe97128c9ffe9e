"""Faults of the offline plane: at the steps of a training run, and where a release's index is filled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from faults.arming import Spec, wrapper
from faults.catalogue import fault_named
from sandbox.base import sources
from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import Log
from sandbox.pipeline.stages.engine import Armed
from sandbox.pipeline.stages.spec import Tally, Work
from sandbox.pipeline.training_set import Stages
from services.skeleton.seams import Call, Seam, payload_of

TRAINING_LOG, PIPELINE, INDEX_ROWS = "training_log", "pipeline", "index_rows"
_LONG_AFTER_S = 1e12


def stages_for(spec: Spec, catalogue: Catalogue) -> Stages:
    """The stages of a training run with `spec` around the reading of the log.

    Raises FLT-001, FLT-002, or FLT-003 for a fault that does not act there.
    """
    stage = _seam(spec, TRAINING_LOG, "a fault of training")
    item_group = np.asarray(CREATOR_GROUPS)[catalogue.creator_group[catalogue.item_creator]]

    def read(log: Log) -> Log:
        attributes = {"item_group": item_group, "seed": spec.seed}
        call = Call(TRAINING_LOG, "pipeline", "log", "read", payload=log, attributes=attributes)
        result: Log = stage.run_sync(call, payload_of)
        return result

    return Stages(log=read, key=_key(spec))


def armed_stages(spec: Spec) -> dict[str, Armed]:
    """What the pipeline's engine puts around which stage. Raises FLT-001, FLT-002, or FLT-003 for a fault that does
    not act there."""
    seam = _seam(spec, PIPELINE, "a fault of the pipeline")

    def around(name: str, run: Callable[[Work], Tally]) -> Callable[[Work], Tally]:
        def passed(work: Work) -> Tally:
            call = Call(PIPELINE, "pipeline", name, "run", payload=work, attributes={"seed": spec.seed})
            tally: Tally = seam.run_sync(call, lambda call: run(call.payload))
            return tally

        return passed

    return {name: Armed(partial(around, name), _key(spec)) for name in fault_named(spec.fault).at}


def made(spec: Spec | None, point: str, peer: str, op: str, payload: Any, **attributes: Any) -> Any:
    """What is made of a payload at a stage of the offline plane: what the fault of `spec` makes of it where it acts at
    that point, else the payload. Raises FLT-001, FLT-002, and WIRE-006 for a wrapper that failed."""
    if spec is None or fault_named(spec.fault).seam != point:
        return payload
    call = Call(point, "pipeline", peer, op, payload=payload, attributes=attributes)
    return _seam(spec, point, f"a fault at {point}").run_sync(call, payload_of)


def _seam(spec: Spec, point: str, expected: str) -> Seam:
    """That point with the fault on it, its onset long past: a training run is over before its release goes out."""
    if fault_named(spec.fault).seam != point:
        raise SandboxError(
            "FLT-003", where="training run", seen=spec.fault, expected=expected, fix="see `sandbox fault list`"
        )
    clock = VirtualClock(start=_LONG_AFTER_S)
    seam = Seam(point)
    seam.put(wrapper(spec.model_copy(update={"since": 0.0}), clock, clock))
    return seam


def _key(spec: Spec) -> str:
    """Of what it does, for caches of what is trained behind it: its knobs, and its code."""
    code = sources.code_hash(fault_named(spec.fault).__module__)
    return hashlib.sha256(f"{spec.model_dump_json()}/{code}".encode()).hexdigest()[:16]
