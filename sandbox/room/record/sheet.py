"""Results as CSV that a spreadsheet shows and does not run. Pure."""

from __future__ import annotations

import csv
import io
from typing import Any

from sandbox.drill.debrief.text import visible
from sandbox.room.record.results import Results
from sandbox.room.record.skills import SKILLS

# A cell that begins so is a formula to one spreadsheet or another (OWASP, "CSV injection"), full-width forms included.
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def sheet(results: Results) -> str:
    """A row for each session, the oldest first; UTF-8, with a header."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["name", "kind", "scenario", "backend", "began", "people", "score", *SKILLS])
    for s in results.sessions:
        told = [s.name, s.kind, s.scenario, s.backend, s.began.isoformat(timespec="seconds"), "; ".join(s.people)]
        shares = [None if (share := s.skills[skill]) is None else round(share, 4) for skill in SKILLS]
        rows.writerow([*map(cell, told), s.score, *shares])
    return out.getvalue()


def cell(text: Any) -> str:
    """The text, with an apostrophe before what would be run."""
    shown = visible(str(text))
    return f"'{shown}" if shown.lstrip(" ").startswith(_RUNS) or shown.startswith(_RUNS) else shown
