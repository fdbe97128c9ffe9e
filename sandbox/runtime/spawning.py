"""Worker processes that start from nothing: what they compute is ours, none of it in the user's script.

`multiprocessing` has a spawned process import the main module again. A script that starts workers and
has no `if __name__ == "__main__"` would then run from its beginning in each of them, and so on. Our
workers need nothing of it, so it is not told to them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

_TURN = threading.Lock()


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # the hook by which a context starts its processes
        with _no_main():
            return SpawnProcess._Popen(process_obj)


class WithoutMain(SpawnContext):
    """For `Process`, and as the mp_context of an executor. What is handed to its processes must not be
    of the main module."""

    Process = _Process


@contextmanager
def _no_main() -> Iterator[None]:
    """For a moment the main module has neither a name nor a file to be imported by."""
    main = sys.modules["__main__"]
    with _TURN:
        known: dict[str, object] = {
            name: main.__dict__[name] for name in ("__spec__", "__file__") if name in main.__dict__
        }
        main.__spec__ = None
        main.__dict__.pop("__file__", None)
        try:
            yield
        finally:
            main.__dict__.update(known)
