"""Reports on disk: a directory each, with its document, its requests and its page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.lab.ledger import Requests
from loadtest.lab.outcome import Run, document, histograms, series
from loadtest.lab.told import acknowledged
from sandbox.base.errors import SandboxError
from sandbox.base.run import write_atomically

VERSION = 1
_JSON, _REQUESTS, _PAGE, _TOLD = "report.json", "requests.npz", "report.html", "acknowledged.txt"


@dataclass(frozen=True)
class Saved:
    """One report that was read: report.json as it is, and the requests."""

    place: Path
    whole: dict[str, Any]
    requests: Requests

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.whole["document"]
        return found

    @property
    def acknowledged(self) -> list[str]:
        """Ids of the feedback that was acknowledged."""
        return acknowledged(self.place / _TOLD)


def whole(run: Run, where: str, when: str, users: int | None = None) -> dict[str, Any]:
    """Everything that a report is made from, but its requests. where: the stack. when: world time it began. users: of
    its world."""
    plan = None if run.plan is None else {k: v for k, v in run.plan.document().items() if k != "replayed_s"}
    return {
        "version": VERSION,
        "run": where,
        "when": when,
        "users": users,
        "plan": plan,
        "document": document(run),
        "series": series(run),
        "histograms": histograms(run),
        "cpu": run.seen.cpu,
    }


def fresh(parent: Path, name: str = "") -> Path:
    """A directory of its own in `parent`: the next number, or `name` with it. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    taken = [int(p.name.split("-")[0]) for p in parent.iterdir() if p.name.split("-")[0].isdigit()]
    place = parent / f"{max(taken, default=0) + 1}{'-' + name if name else ''}"
    place.mkdir()
    return place


def save(place: Path, report: dict[str, Any], requests: Requests, acknowledged_ids: Sequence[str] = ()) -> Path:
    """The page's path. Raises OSError, on a full disk too; nothing half written is left then."""
    from loadtest.lab.report.of_run import report as page_of

    try:
        requests.save(place / _REQUESTS)
        write_atomically(place / _TOLD, "".join(f"{one}\n" for one in acknowledged_ids))
        write_atomically(place / _JSON, json.dumps(report, default=_plain))
        write_atomically(place / _PAGE, page_of(report))
    except OSError:
        for name in (_REQUESTS, _JSON, _PAGE, _TOLD):
            (place / name).unlink(missing_ok=True)
        raise
    return place / _PAGE


def read(path: Path) -> Saved:
    """A report by its directory, or any file in it. Raises CFG-002 where there is none, CFG-003 for what is none."""
    place = path.parent if path.is_file() else path
    try:
        report = json.loads((place / _JSON).read_text())
        if not isinstance(report, dict) or report.get("version") != VERSION or "document" not in report:
            raise ValueError(f"version {report.get('version') if isinstance(report, dict) else None}")
        return Saved(place, report, Requests.load(place / _REQUESTS))
    except OSError as error:
        raise SandboxError(
            "CFG-002", where="load report", seen=f"{place}: {error.strerror}", expected="a directory that `sandbox load run` left",
            fix="name one; `sandbox load run --json` says where it is, as report",
        ) from error  # fmt: skip
    except ValueError as error:
        raise SandboxError(
            "CFG-003", where=str(place / _JSON), seen=str(error)[:300], expected=f"a load report of version {VERSION}",
            fix="measure again: sandbox load run",
        ) from error  # fmt: skip


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
