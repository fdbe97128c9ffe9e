"""Faults of the offline plane at the stages of a training run."""

from __future__ import annotations

import hashlib

import numpy as np

from faults.arming import Spec, wrapper
from faults.catalogue import fault_named
from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import Log
from sandbox.pipeline.training_set import Stages
from services.skeleton.seams import Call, Seam, payload_of

TRAINING_LOG = "training_log"
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
    clock = VirtualClock(start=_LONG_AFTER_S)  # every onset has come
    stage = Seam(TRAINING_LOG)
    stage.put(wrapper(spec.model_copy(update={"since": 0.0}), clock, clock))
    item_group = np.asarray(CREATOR_GROUPS)[catalogue.creator_group[catalogue.item_creator]]

    def read(log: Log) -> Log:
        attributes = {"item_group": item_group, "seed": spec.seed}
        call = Call(TRAINING_LOG, "pipeline", "log", "read", payload=log, attributes=attributes)
        result: Log = stage.run_sync(call, payload_of)
        return result

    key = hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:16]
    return Stages(log=read, key=key)
