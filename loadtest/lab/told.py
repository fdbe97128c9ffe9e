"""What became of what users told: which of it was acknowledged, and whether the lake has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.telemetry.sql import SqlWorker

MOST = 1_000_000  # events of one look at the lake
SHOWN = 20


class Acknowledgements:
    """Gathers what a load's feedback calls came to. made: events of all calls. acknowledged: ids of those whose call was
    answered; nobody knows of the rest: the call may have arrived and its answer not. path: where ids are left as
    they come, None for nowhere. hold: keep them until somebody takes them (`fresh`), whatever the path."""

    def __init__(self, path: Path | None = None, *, hold: bool = False) -> None:
        self.made, self._path, self._hold, self._fresh, self.n_acknowledged = 0, path, hold, list[str](), 0

    def sent(self, ids: Iterable[str], *, answered: bool) -> None:
        told = list(ids)
        self.made += len(told)
        if answered:
            self.n_acknowledged += len(told)
            if self._path is not None or self._hold:
                self._fresh.extend(told)

    def fresh(self) -> list[str]:
        """Those acknowledged since it was last asked, where they are held."""
        taken, self._fresh = self._fresh, []
        return taken

    def flush(self) -> None:
        """Raises OSError."""
        if self._path is not None and not self._hold and self._fresh:
            append(self._path, self._fresh)
            self._fresh.clear()

    def document(self) -> dict[str, int]:
        return {"made": self.made, "acknowledged": self.n_acknowledged, "unsure": self.made - self.n_acknowledged}


def append(path: Path, ids: Sequence[str]) -> None:
    """Raises OSError."""
    with path.open("a") as file:
        file.write("".join(f"{one}\n" for one in ids))


def acknowledged(path: Path) -> list[str]:
    """The ids that were left there; a line cut off by a crash is left out, and there may be none at all."""
    if not path.exists():
        return []
    text = path.read_text()
    return text[: text.rfind("\n") + 1].split()


def accounts(acknowledged_ids: Sequence[str], recorded: Iterable[str]) -> dict[str, Any]:
    """{acknowledged, recorded, missing, twice, equal, missing_ids}: of the acknowledged events, how many the lake has,
    lacks, and has more than once. Pure."""
    counts = Counter(recorded)
    wanted = set(acknowledged_ids)
    missing = sorted(wanted - counts.keys())
    twice = sum(counts[one] > 1 for one in wanted)
    return {
        "acknowledged": len(wanted),
        "recorded": len(wanted) - len(missing),
        "missing": len(missing),
        "twice": twice,
        "equal": not missing and not twice,
        "missing_ids": missing[:SHOWN],
    }


def recorded(lake: Path) -> list[str]:
    """Ids of all outcomes of a lake. Raises LAKE-* as its worker does, CFG-001 for more than one look can hold."""
    with SqlWorker(lake) as worker:
        found = worker.query("SELECT event_id FROM outcomes", timeout_s=60, max_rows=MOST)
    if found.truncated:
        raise SandboxError(
            "CFG-001", where="load verify", seen=f"more than {MOST} outcomes", expected="a run with fewer",
            fix="verify a shorter run",
        )  # fmt: skip
    return [str(row[0]) for row in found.rows]
