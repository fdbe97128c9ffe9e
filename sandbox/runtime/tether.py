"""Ties a process to the one that started it: when that one dies, even by SIGKILL, so does this.

Also a program of its own, for commands that are not ours (redis-server), with the standard library
only, so that it costs milliseconds: `python -I -S tether.py PARENT_PID COMMAND ...`.
"""

import ctypes
import os
import signal
import sys

SUPERVISOR = "SANDBOX_SUPERVISOR"  # environment variable: pid of the supervisor
_PR_SET_PDEATHSIG = 1  # linux/prctl.h; survives execve


def tether(parent: int, by: int = signal.SIGKILL) -> bool:
    """Asks the kernel for a signal at the death of `parent`. by: another one for whoever has things to take down first.
    False where it cannot (not Linux).

    Ends the process when `parent` is gone already.
    """
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)
    return True


def tether_to_supervisor() -> None:
    """`tether` to whoever says in the environment that it supervises this process, if anybody does."""
    if supervisor := os.environ.get(SUPERVISOR):
        tether(int(supervisor))


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
