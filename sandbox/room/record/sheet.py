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
        rows.writerow([*map(cell, told), s.score, *_shares(s.skills)])
    return out.getvalue()


def people_sheet(results: Results) -> str:
    """A row for each person in each session, the oldest first: what of it is theirs by name."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["person", "session", "scenario", "began", "roles", *SKILLS, "of which"])
    for s in results.sessions:
        for one in s.persons:
            told = [one.name, s.name, s.scenario, s.began.isoformat(timespec="seconds"), "; ".join(one.roles)]
            why = "; ".join(f"{share.how} {share.part} {share.share:.2f}" for share in one.shares)
            rows.writerow([*map(cell, told), *_shares(one.skills), cell(why)])
    return out.getvalue()


def _shares(skills: dict[str, float | None]) -> list[float | None]:
    return [None if (share := skills[skill]) is None else round(share, 4) for skill in SKILLS]


def cell(text: Any) -> str:
    """The text, with an apostrophe before what would be run."""
    shown = visible(str(text))
    return f"'{shown}" if shown.lstrip(" ").startswith(_RUNS) or shown.startswith(_RUNS) else shown
