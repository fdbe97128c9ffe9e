"""Files of lines that several processes append to: each line stands whole, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


def append_line(path: Path, line: bytes, *, sync: bool = False) -> None:
    """Adds a line of its own, even where a crash cut the last one off. line: without its end.

    sync: returns only when it is on disk. The file is made where there is none, readable by this
    user alone. Raises OSError on a full disk; the file is then as it was.
    """
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        cut_off = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        whole = (b"\n" if cut_off else b"") + line + b"\n"
        try:
            if os.write(fd, whole) < len(whole):
                raise OSError(errno.ENOSPC, "no space left for a whole line")
        except OSError:
            os.ftruncate(fd, size)  # half a line is none
            raise
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
