"""One file checked: all findings at once, in the order of its lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.base.strict_yaml import dotted
from sandbox.drill.authoring import armed, deeds, place, points, queries, settings, times, truths, words
from sandbox.drill.authoring.rehearsal import empty, rehearse
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, shown
from sandbox.drill.scenario.scenario import Scenario
from sandbox.telemetry.sql import SqlWorker

_CODE = "DRILL-002"


@dataclass(frozen=True)
class Checked:
    """file: as it was named. scenario: None where it is refused."""

    file: str
    findings: tuple[Finding, ...]
    scenario: Scenario | None = None

    @property
    def ok(self) -> bool:
        """No error; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> list[Finding]:
        return [f for f in self.findings if f.severity == "error"]

    def document(self) -> dict[str, Any]:
        return {"file": self.file, "ok": self.ok, "findings": [f.document() for f in self.findings]}


def check(path: Path) -> Checked:
    """All that is wrong with a scenario file. Raises CFG-002 when there is no such file."""
    return check_text(strict_yaml.contents(path), path.name, str(path))


def check_text(raw: bytes, name: str, shown_as: str, worker: SqlWorker | None = None) -> Checked:
    """The same of a text that need not be on disk yet. name: of its file. shown_as: how the file is called in what is told.
    worker: as `checked` has it."""
    try:
        document = strict_yaml.parse(raw, name, _CODE)
    except SandboxError as error:
        if error.kind.code != _CODE:
            raise
        _, _, line = error.where.partition(":")
        number = int(line.split(",")[0]) if line.split(",")[0].isdigit() else 1
        found = Finding("error", "not-yaml", "", number, shown(error.seen), error.expected, error.fix)
        return Checked(shown_as, (found,))
    return checked(document, shown_as, worker)


def checked(document: strict_yaml.Document, name: str, worker: SqlWorker | None = None) -> Checked:
    """As `check`, of a document that has been read. name: how the file is called. worker: on an empty lake,
    for who checks many."""
    draft = Draft.of(document)
    found = list(draft.schema) if not draft.raw else list(_all(draft, worker))
    if not any(f.severity == "error" for f in found):
        found += points.findings(draft)
    kept = _without_echoes(draft, found)
    order = sorted(dict.fromkeys(kept), key=lambda f: (f.line, f.place, f.severity, f.code))
    sound = not any(f.severity == "error" for f in order)
    return Checked(name, tuple(order), draft.scenario if sound else None)


def _all(draft: Draft, worker: SqlWorker | None) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="sandbox-check-") as held:
        directory = Path(held)
        if worker is not None:
            yield from _parts(draft, directory, worker)
            return
        with SqlWorker(directory / "lake") as own:
            # It comes up while the rest is looked at.
            ready = Thread(target=own.query, args=("SELECT 1",), daemon=True)
            ready.start()
            yield from _parts(draft, directory, own)
            ready.join()


def _parts(draft: Draft, directory: Path, worker: SqlWorker) -> Iterator[Finding]:
    world = place.of(draft.raw.get("world", Scenario.model_fields["world"].default))
    yield from draft.schema
    yield from times.findings(draft)
    yield from armed.findings(draft)
    yield from settings.findings(draft)
    yield from place.findings(draft, world)
    yield from truths.findings(draft, world)
    yield from words.findings(draft)
    with empty(directory / "stack", world, draft.config) as stack:
        rehearse(draft, stack)
        yield from stack.found
        yield from deeds.findings(draft, stack)
    yield from queries.findings(draft, worker)


def _without_echoes(draft: Draft, found: list[Finding]) -> Iterator[Finding]:
    """The schema stops at a part's first fault and names the part: what is told more closely stays alone."""
    closer = [f.place for f in found if f not in draft.schema and f.severity == "error"]
    for one in found:
        part = dotted(draft.told_of.get(one, ())) or one.place
        within = (f"{part}.", f"{part}[")
        if (
            one not in draft.told_of
            or one.code != "bad-value"
            or not any(p == part or p.startswith(within) for p in closer)
        ):
            yield one
