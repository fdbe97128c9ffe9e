"""Proofs that were made before: a pack takes hours, and who interrupts it goes on where it was.

SANDBOX_HOME/proofs/KEY.json   the document of one proof

The key holds all that a proof comes from: the scenario, the pack that its look-alikes and blind answers are taken
from (not what is written in it for people: who mends a sentence of one scenario proves that one again and no other),
the world, what was asked for, and the code that plays, compares and judges.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.base import paths
from sandbox.base.run import write_atomically
from sandbox.base.sources import code_hash
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin.arms import DECIDES, world_hash

_WRITTEN = {
    "title", "briefing", "evidence", "claims", "spoken", "hints", "teaches", "precedent", "explanation",
}  # fmt: skip
_DECIDES = ("sandbox.drill.proof.prove", "sandbox.drill.proof.proof", *DECIDES)


def key(scenario: Scenario, pack: Iterable[Scenario], world: str, n_seeds: int, quick: bool) -> str:
    """32 hexadecimal digits."""
    document = {
        "scenario": scenario.model_dump(mode="json"), "pack": sorted(s.model_dump_json(exclude=_WRITTEN) for s in pack),
        "world": world, "made_of": world_hash(paths.worlds() / world), "seeds": n_seeds, "quick": quick,
        "code": code_hash(*_DECIDES),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


def read(name: str) -> dict[str, Any] | None:
    """The document under a key; None where there is none, or none that can be read."""
    try:
        document = json.loads(_path(name).read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and "ok" in document else None


def write(name: str, document: dict[str, Any]) -> None:
    """Raises OSError where the disk does not take it."""
    _path(name).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(_path(name), json.dumps(document))


def _path(name: str) -> Path:
    return paths.home() / "proofs" / f"{name}.json"
