"""The JSON Schema of scenario files: `python -m sandbox.drill.schema [--check FILE]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sandbox.drill.scenario import Scenario


def schema() -> dict[str, Any]:
    """Of one scenario file, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Scenario.model_json_schema(),
    }


def text() -> str:
    """As it stands in scenarios/schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Prints the schema; with --check FILE says whether that file is current."""
    if arguments[:1] != ["--check"]:
        sys.stdout.write(text())
        return 0
    path = Path(arguments[1])
    if path.exists() and path.read_text() == text():
        return 0
    sys.stderr.write(f"{path} is out of date: make docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
