"""The stages of the pipeline, in their order."""

from __future__ import annotations

from sandbox.pipeline.stages import (
    bots,
    build_index,
    deduplicate,
    evaluate,
    features,
    gate,
    ingest,
    labels,
    monitor,
    privacy,
    register,
    roll_out,
    sensitivity,
    train,
    training,
)
from sandbox.pipeline.stages.spec import Stage

STAGES: tuple[Stage, ...] = (
    ingest.STAGE,
    deduplicate.STAGE,
    bots.STAGE,
    privacy.STAGE,
    sensitivity.STAGE,
    labels.STAGE,
    features.STAGE,
    training.STAGE,
    train.STAGE,
    evaluate.STAGE,
    gate.STAGE,
    register.STAGE,
    build_index.STAGE,
    roll_out.STAGE,
    monitor.STAGE,
)
