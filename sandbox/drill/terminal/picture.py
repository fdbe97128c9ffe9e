"""Draws the debrief as the terminal shows it, for the README: a document of `sandbox drill debrief --json` comes in,
SVG goes out. `sandbox drill debrief --json | python -m sandbox.drill.terminal.picture > docs/img/debrief.svg`"""

from __future__ import annotations

import io
import json
import re
import sys
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from sandbox.drill.terminal.debrief import render

COLUMNS = 110
# Rich's own form without the fonts that it would load from elsewhere.
_FORM = re.sub(r"<!--.*?-->|@font-face \{\{.*?\}\}|Fira Code, ", "", CONSOLE_SVG_FORMAT, flags=re.S)


def picture(document: dict[str, Any]) -> str:
    """document: of `debrief.document`. The same document gives the same picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(render(document))
    return console.export_svg(title="sandbox drill debrief", unique_id="debrief", code_format=_FORM)


if __name__ == "__main__":
    sys.stdout.write(picture(json.load(sys.stdin)) + "\n")
