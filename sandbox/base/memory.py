"""Memory that this process has let go of, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Lets the system have what the allocator keeps for later: tens of milliseconds for a gigabyte.

    Arrays below 32 MB come to lie between others, and glibc keeps what is free there. Of no effect elsewhere.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no C library, or one without it
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))
