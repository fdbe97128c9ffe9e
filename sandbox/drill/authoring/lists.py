"""Sensitivity lists that change nothing for the items of a world: told by its catalogue, where it is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faults.base import Fault
from sandbox.base.catalogue import LANGUAGES, SENSITIVITIES, Catalogue
from sandbox.base.config import SensitivityList
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.drill.authoring.armed import kind_of
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding
from sandbox.drill.scenario.scenario import Step

LEAST_ITEMS = 3  # fewer are shown to nobody in a drill
_FAULTS = ("sensitivity-overblock", "sensitivity-label-lag")


def findings(draft: Draft, world: str) -> Iterator[Finding]:
    """Faults of lists that hit hardly an item of the world."""
    steps = [(n, s, k) for n, s in draft.steps if (k := kind_of(s)) and k.name in _FAULTS]
    if not steps:
        return
    try:
        manifest = load_manifest(world)
        catalogue = Catalogue.load(world_dir(world) / "public" / "catalogue.npz")
    except SandboxError:
        return  # not built yet
    for n, step, kind in steps:
        hit = _hit(step, kind, catalogue, manifest.topics, manifest.history_end_ts)
        if hit is not None and hit < LEAST_ITEMS:
            yield draft.error(
                "no-effect",
                ("timeline", n, "fault", "params"),
                f"{hit} items of {world}",
                f"{LEAST_ITEMS} or more that the list treats otherwise than before",
                "choose a threshold, languages or topics, or a delay that reach more",
            )


def _hit(step: Step, kind: type[Fault], catalogue: Catalogue, topics: list[str], now_ts: float) -> int | None:
    """Items that are refused, or let through, as they were not before; None where that cannot be told."""
    patches = step.release.patches if step.release is not None else {}
    listed = patches.get("rules", {}).get("sensitivity")
    try:
        usual = SensitivityList.model_validate(listed)
        params: Any = kind.Params(**(step.fault.params if step.fault else {}))
    except (ValueError, TypeError):
        return None
    score = catalogue.item_sens_score
    banned = [SENSITIVITIES.index(label) for label in usual.blocked_labels if label in SENSITIVITIES]
    refused: NDArray[np.bool_] = (score >= usual.threshold) | np.isin(catalogue.item_sensitivity, banned)
    if kind.name == "sensitivity-label-lag":
        young = catalogue.item_published_ts > now_ts - params.delay_s
        return int((refused & young).sum())
    spoken = [LANGUAGES.index(name) for name in params.languages]
    about = [topics.index(name) for name in params.topics if name in topics]
    meant = np.isin(catalogue.item_language, spoken) | np.isin(catalogue.item_topics.argmax(axis=1), about)
    return int((meant & (score >= params.threshold) & ~refused).sum())
