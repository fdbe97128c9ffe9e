"""A proof of one scenario, as `sandbox scenario prove` makes and keeps it."""

from __future__ import annotations

from typing import Any

from sandbox.base.progress import ProgressFn
from sandbox.drill.proof import kept
from sandbox.drill.proof import prove as proofs
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario
from sandbox.room.authoring.shelf import proof_key
from sandbox.runtime.building import ensure_built


def document(scenario: Scenario, quick: bool, progress: ProgressFn) -> dict[str, Any]:
    """The document of `sandbox scenario prove --json`; what was proved before is looked up. Raises as `prove` does."""
    ensure_built(scenario.world, progress)
    key = proof_key(scenario, library.load_all().values(), quick)
    found = kept.read(key)
    if found is None:
        found = proofs.prove(scenario, quick=quick, progress=progress).document()
        kept.write(key, found)
    return found
