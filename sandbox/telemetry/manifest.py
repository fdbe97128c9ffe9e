"""Which segments of the lake count: the one file that a reader needs.

    LAKE/manifest.json             {"format": 1, "generation": n, "tables": {name: [[file, rows, level], ...]}}
    LAKE/<table>/<number>.parquet

The manifest is only ever replaced as a whole, so a reader sees one generation or the next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sandbox.base.schema import TABLES

FORMAT = 1


@dataclass(frozen=True)
class Segment:
    """file: path inside the lake. rows: its number of rows. level: how often its rows were merged."""

    file: str
    rows: int
    level: int = 0


def read_manifest(root: Path) -> dict[str, list[Segment]]:
    """The live segments by table; tables without rows may be absent.

    Raises FileNotFoundError when there is no lake yet, ValueError when the manifest is not one.
    """
    document = json.loads((root / "manifest.json").read_text())
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"a lake manifest of format {FORMAT} was expected")
    return {
        table: [Segment(*entry) for entry in entries]
        for table, entries in document["tables"].items()
        if table in TABLES
    }
