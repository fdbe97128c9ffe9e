"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunDir = Annotated[Path | None, typer.Option(help="Run directory; default the latest.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
