"""Keeps one stack of whichever checkout's code it is run with: `python -P holder.py RUN_DIR WORLD`, PYTHONPATH being that.

Tells on stdout, a line of JSON each: {progress: [what, share]}, then {run_dir} or {error}. Then takes orders on stdin, a word
a line, and answers each by {}: pause, resume. At the end of its stdin, or SIGTERM, the stack is taken down: whoever asked
for it may have been killed. It imports from that checkout nothing but what starts a stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import psutil


def tell(**document: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


def pids(run_dir: Path) -> list[int]:
    """Of the stack, and of what they have started; the supervisor first, as it must see none of the others stopped."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        found.append(int((run_dir / "supervisor.pid").read_text()))
    with contextlib.suppress(OSError, ValueError):
        found += [row["pid"] for row in json.loads((run_dir / "services.json").read_text()) if row["pid"]]
    for pid in list(found):
        with contextlib.suppress(psutil.Error):
            found += [child.pid for child in psutil.Process(pid).children(recursive=True) if child.pid not in found]
    return found


def send(run_dir: Path, number: int) -> None:
    there = pids(run_dir)
    for pid in reversed(there) if number == signal.SIGCONT else there:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def orders(run_dir: Path, ready: threading.Event) -> None:
    """Until stdin ends; then it is as if somebody had pressed Ctrl-C, also while the stack still comes up."""
    for line in sys.stdin:
        ready.wait()
        send(run_dir, signal.SIGSTOP if line.strip() == "pause" else signal.SIGCONT)
        tell()
    os.kill(os.getpid(), signal.SIGINT)


def main(run_dir: Path, world: str) -> int:
    ready = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever starts us in the background has the first ignored
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=orders, args=(run_dir, ready), daemon=True).start()
    stack = None
    try:
        from sandbox.base.errors import SandboxError
        from sandbox.runtime.stack import Stack

        try:
            stack = Stack.up(world, run_dir=run_dir, progress=lambda what, share: tell(progress=[what, share]))
        except SandboxError as error:
            tell(error=error.as_json())
            return 3
        tell(run_dir=str(stack.run_dir))
        ready.set()
        signal.pause()
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # it is on its way down already
            signal.signal(number, signal.SIG_IGN)
    finally:
        if stack is not None:
            send(run_dir, signal.SIGCONT)  # who is stopped can't drain
            stack.down()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
