"""The library as documents: cards, pictures, proofs that are kept. Read by a process of its own (`reader`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.drill.authoring import portrait
from sandbox.drill.proof import kept
from sandbox.drill.scenario import library
from sandbox.drill.scenario.library import Shelf
from sandbox.drill.scenario.scenario import Scenario
from sandbox.room.authoring import files
from sandbox.room.authoring.documents import Card, Library, Picture, PictureLine, ProofLine, RefusedFile, Whole

_POINTS = 80  # of a curve


class Bookcase:
    """What was made of the files as they were last; made anew when one of them, or a proof, has changed."""

    def __init__(self) -> None:
        self._signed: Any = None
        self._shelf = Shelf({}, {})
        self._proofs: dict[str, dict[str, Any] | None] = {}

    def library(self) -> Library:
        """All cards, and the files that are refused. Raises DRILL-002 where the core pack is broken."""
        self._look()
        packs = {name: files.pack_of(path) for name, path in files.places().items()}
        return Library(
            scenarios=[self._card(one, packs.get(one.id, files.OWN)) for one in self._shelf.scenarios.values()],
            refused=[_refused(path, why) for path, why in self._shelf.refused.items()],
        )

    def whole(self, name: str) -> Whole:
        """Raises DRILL-001, DRILL-002."""
        self._look()
        scenario = self._shelf.scenarios.get(name) or library.named(name)
        pack = files.pack_of(library.path_of(name))
        return Whole(
            card=self._card(scenario, pack), precedent=scenario.precedent, picture=picture(scenario), proof=self._proof(scenario)
        )  # fmt: skip

    def _look(self) -> None:
        signed = (
            [_sign(path) for path in files.places().values()],
            _sign(paths.home() / "proofs"),
            _sign(paths.worlds()),
        )
        if signed != self._signed:
            self._shelf, self._proofs = library.shelf(), {}
            self._signed = signed

    def _card(self, scenario: Scenario, pack: str) -> Card:
        proof = self._proof(scenario)
        line = None if proof is None else ProofLine(quick=proof["quick"], ok=proof["ok"], why=proof["why"])
        faults = dict.fromkeys(step.fault.name for step in scenario.timeline if step.fault is not None)
        return Card(
            id=scenario.id, title=scenario.title, briefing=scenario.briefing, stars=scenario.stars,
            minutes=scenario.minutes, world=scenario.world, teaches=scenario.teaches, faults=list(faults),
            incident=scenario.truth.incident, pack=pack, proof=line,
        )  # fmt: skip

    def _proof(self, scenario: Scenario) -> dict[str, Any] | None:
        if scenario.id not in self._proofs:
            self._proofs[scenario.id] = kept_proof(scenario)
        return self._proofs[scenario.id]


def kept_proof(scenario: Scenario) -> dict[str, Any] | None:
    """The proof that `sandbox scenario prove` keeps of it with its usual settings, rather the full one."""
    pack = library.load_all().values()
    for quick in (False, True):
        if (document := kept.read(proof_key(scenario, pack, quick))) is not None:
            return document
    return None


def proof_key(scenario: Scenario, pack: Iterable[Scenario], quick: bool) -> str:
    """As the command has it: in the scenario's own world, with one seed."""
    return kept.key(scenario, pack, scenario.world, 1, quick)


def picture(scenario: Scenario) -> Picture:
    """The core of `sandbox scenario show`, as numbers that a page draws in its own colours."""
    return Picture(
        length_s=portrait.horizon_s(scenario),
        told=portrait.told(scenario),
        lines=[
            PictureLine(kind=one.kind, at_s=one.at_s, label=one.label, guilty=one.guilty, curve=_thinned(one.curve))
            for one in portrait.lines_of(scenario)
        ],
    )


def _thinned(curve: np.ndarray | None) -> list[float] | None:
    if curve is None:
        return None
    return [round(float(part.max()), 3) for part in np.array_split(curve, _POINTS)]


def _refused(path: Path, why: SandboxError) -> RefusedFile:
    parts = why.as_json()
    return RefusedFile(
        id=path.stem, pack=files.pack_of(path),
        **{name: parts[name] for name in ("where", "seen", "expected", "fix")},
    )  # fmt: skip


def _sign(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size
