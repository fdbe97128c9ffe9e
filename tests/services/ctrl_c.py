"""Commands that are to hear Ctrl-C, however the tests were started."""

from __future__ import annotations

import signal


def heard() -> None:
    """For `preexec_fn`: a background job inherits SIGINT ignored; a person's command does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
