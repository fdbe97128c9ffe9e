"""The JSON Schema of scenario files: `python -m sandbox.drill.scenario.schema [--check FILE]`."""

from __future__ import annotations

import json
import sys
from typing import Any

from sandbox.base.printed import print_or_check
from sandbox.drill.scenario.scenario import Scenario


def schema() -> dict[str, Any]:
    """Of one scenario file, draft 2020-12."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scenario.model_json_schema()}


def text() -> str:
    """As it stands in scenarios/schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(print_or_check(text(), sys.argv[1:]))
