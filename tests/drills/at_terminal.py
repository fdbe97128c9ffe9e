"""A command at a terminal of its own: what it shows is waited for, what a person would type is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[()=>][0-9A-B]?)")


class AtTerminal:
    """`sandbox` with these arguments on a pty. Leaving the block closes the terminal, as closing a window
    does."""

    def __init__(self, *arguments: str, width: int = 100, height: int = 40) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.cli.app", *arguments], stdin=slave, stdout=slave, stderr=slave,
            preexec_fn=own_terminal, env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )  # fmt: skip
        os.close(slave)
        self._seen = ""

    def sees(self, text: str, within_s: float = 60.0) -> str:
        """Waits until it is shown, and returns what was shown before and with it."""
        until = time.monotonic() + within_s
        while text not in self._seen:
            left = until - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} did not come, but: {self._seen[-3000:]}")
        shown, found, self._seen = self._seen.partition(text)
        return shown + found

    def types(self, line: str) -> None:
        """A line and Enter."""
        os.write(self._master, line.encode() + b"\r")

    def presses(self, key: str) -> None:
        os.write(self._master, key.encode())

    def ends(self, within_s: float = 60.0) -> int:
        """Waits until it has ended; its exit code."""
        until = time.monotonic() + within_s
        while self._read(until - time.monotonic()):
            pass
        return self.process.wait(max(0.1, until - time.monotonic()))

    def close(self) -> None:
        """Closes the terminal; then the process has to end."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self) -> AtTerminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None and kind is not None:
            self.process.kill()
        self.close()

    def _read(self, within_s: float) -> bool:
        """False at the end of what it shows, or when the time is up."""
        if not select.select([self._master], [], [], max(0.0, within_s))[0]:
            return False
        try:
            part = os.read(self._master, 65_536)
        except OSError:  # the other end was closed
            return False
        self._seen += _ESCAPES.sub("", part.decode(errors="replace"))
        return bool(part)
