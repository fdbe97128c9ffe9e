"""Faults of the offline plane: at the stages of a training run, and where a release's index is filled."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from faults.arming import Spec, wrapper
from faults.catalogue import fault_named
from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import Log
from sandbox.pipeline.training_set import Stages
from services.skeleton.seams import Call, Seam, payload_of

TRAINING_LOG, INDEX_ROWS = "training_log", "index_rows"
_LONG_AFTER_S = 1e12


def stages_for(spec: Spec, catalogue: Catalogue) -> Stages:
    """The stages of a training run with `spec` around the reading of the log.

    Raises FLT-001, FLT-002, or FLT-003 for a fault that does not act on training.
    """
    if fault_named(spec.fault).seam != TRAINING_LOG:
        raise SandboxError(
            "FLT-003",
            where="training run",
            seen=spec.fault,
            expected="a fault of training",
            fix="see `sandbox fault list`",
        )
    stage = _stage(spec)
    item_group = np.asarray(CREATOR_GROUPS)[catalogue.creator_group[catalogue.item_creator]]

    def read(log: Log) -> Log:
        attributes = {"item_group": item_group, "seed": spec.seed}
        call = Call(TRAINING_LOG, "pipeline", "log", "read", payload=log, attributes=attributes)
        result: Log = stage.run_sync(call, payload_of)
        return result

    key = hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:16]
    return Stages(log=read, key=key)


def made(spec: Spec | None, point: str, peer: str, op: str, payload: Any, **attributes: Any) -> Any:
    """What is made of a payload at a stage of the offline plane: what the fault of `spec` makes of it where it acts at
    that point, else the payload. Raises FLT-001, FLT-002, and WIRE-006 for a wrapper that failed."""
    if spec is None or fault_named(spec.fault).seam != point:
        return payload
    return _stage(spec).run_sync(Call(point, "pipeline", peer, op, payload=payload, attributes=attributes), payload_of)


def _stage(spec: Spec) -> Seam:
    """The stage at which the fault acts, with it put on."""
    clock = VirtualClock(start=_LONG_AFTER_S)  # every onset has come
    stage = Seam(fault_named(spec.fault).seam)
    stage.put(wrapper(spec.model_copy(update={"since": 0.0}), clock, clock))
    return stage
