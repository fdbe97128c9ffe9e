"""The process in which scenarios are read, checked, proved and run: whatever they hold, the server's own goes on.

As a program: `python -m sandbox.room.authoring.work PARENT` takes requests, a JSON document {do, …} a line, and
answers each with lines: {what, share} for how far it is, and {answer} or {problem} at last.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.drill.authoring import drafting
from sandbox.drill.authoring.check import Checked, check_text
from sandbox.drill.scenario import library
from sandbox.room.authoring import dry_run, proving, shelf, vocabulary
from sandbox.room.authoring.documents import CheckedText, Finding
from sandbox.telemetry.sql import SqlWorker

_NICE = 10  # rooms come first


class Work:
    """Everything that can be asked, by name. place: a directory of its own."""

    def __init__(self, place: Path) -> None:
        self._place, self._bookcase = place, shelf.Bookcase()
        self._worker: SqlWorker | None = None

    def library(self, progress: ProgressFn) -> dict[str, Any]:
        return self._bookcase.library().model_dump(mode="json")

    def whole(self, progress: ProgressFn, name: str) -> dict[str, Any]:
        return self._bookcase.whole(name).model_dump(mode="json")

    def words(self, progress: ProgressFn, world: str) -> dict[str, Any]:
        return vocabulary.words(world).model_dump(mode="json", by_alias=True)

    def check(self, progress: ProgressFn, name: str, text: str) -> dict[str, Any]:
        """Findings are an answer; nothing that a text can hold is a failure."""
        if self._worker is None:
            self._worker = SqlWorker(self._place / "lake")
        file = f"{name}.yaml"
        return _told(check_text(text.encode(), file, file, self._worker), name).model_dump(mode="json")

    def draft(
        self, progress: ProgressFn, name: str, source: str | None, fault: str | None, head: dict[str, Any]
    ) -> str:
        """The text of a scenario to start from: another under that name, or the gentlest with a fault."""
        origin = library.path_of(source) if source is not None else drafting.source_of(str(fault))
        return drafting.written(origin.read_text(), name, head)

    def prove(self, progress: ProgressFn, name: str, quick: bool) -> dict[str, Any]:
        return proving.document(library.named(name), quick, progress)

    def dry_run(self, progress: ProgressFn, name: str) -> dict[str, Any]:
        return dry_run.document(library.named(name), progress)


def _told(found: Checked, name: str) -> CheckedText:
    findings = [Finding(**one.document()) for one in found.findings]
    if found.scenario is not None and found.scenario.id != name:
        findings.insert(0, Finding(
            severity="error", code="bad-value", place="id", line=1, seen=found.scenario.id, expected=f"{name}, as its file is called",
            fix="write that, or save it under the other name",
        ))  # fmt: skip
        return CheckedText(ok=False, findings=findings, picture=None)
    picture = None if found.scenario is None else shelf.picture(found.scenario)
    return CheckedText(ok=found.ok, findings=findings, picture=picture)


def answered(work: Work, request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    """One request to its end. Errors of ours are answers; others end the process, which its parent tells."""

    def progress(what: str, share: float | None = None) -> None:
        tell({"what": what, "share": share})

    try:
        tell({"answer": getattr(work, request.pop("do"))(progress, **request)})
    except SandboxError as error:
        tell({"problem": error.as_json()})


@contextmanager
def _answers() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Writes to what was standard output; whatever else prints, prints to the log."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)

        def tell(document: dict[str, Any]) -> None:
            out.write(json.dumps(document, default=str) + "\n")
            out.flush()

        yield tell


def _main(parent: str) -> None:
    from sandbox.runtime.tether import tether

    tether(int(parent))
    os.nice(_NICE)
    with tempfile.TemporaryDirectory(prefix="sandbox-author-") as held, _answers() as tell:
        respond = partial(answered, Work(Path(held)), tell=tell)
        for line in sys.stdin:
            respond(json.loads(line))


if __name__ == "__main__":
    _main(*sys.argv[1:])
