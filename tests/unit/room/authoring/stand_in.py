"""In place of the author's process: answers at once, slowly, wrongly or never, as it is told."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


def tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        match asked["do"]:
            case "say":
                tell({"what": "half of it", "share": 0.5})
                tell({"answer": {"said": asked["text"], "pid": os.getpid()}})
            case "refuse":
                tell({"problem": {"code": "DRILL-002", "where": "x.yaml:3", "seen": "y", "expected": "z", "fix": "-"}})
            case "die":
                os._exit(3)
            case "hang":
                tell({"what": "it hangs", "share": 0.25})
                threading.Event().wait(600)


if __name__ == "__main__":
    main()
