"""How many threads the libraries that compute take: one each, where there is a process per core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read when numpy, torch and faiss are loaded, which is before a child process does anything of its own.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that are started inside inherit it. Their batches are small: a second thread of each waits
    on a busy core, and burns time there."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ |= ONE_THREAD
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
