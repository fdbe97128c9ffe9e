"""`sandbox bench warroom` as it is typed, in a small form; and that Ctrl-C leaves nothing of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.drills.test_room import below, gone
from tests.services.ctrl_c import heard
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SMALL = (
    "bench", "warroom", "--world", "tiny", "--no-live", "--participants", "3", "--rooms", "2", "--seconds", "12", "--json",
)  # fmt: skip
COMMAND = [sys.executable, "-m", "sandbox.cli.app", *SMALL]


def test_the_command_measures_one_room_and_several(home: Path):
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=os.environ.copy())

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    for name in (
        "action_p95_ms",
        "messages_lost",
        "cpu_share",
        "bytes_per_client_s",
        "first_page_ms",
        "rss_bytes",
        "pace",
    ):
        assert figures[name] >= 0, name
        assert figures[f"rooms_{name}"] >= 0, name
    assert figures["messages_lost"] == figures["rooms_messages_lost"] == 0
    assert figures["actions_refused"] == figures["rooms_actions_refused"] == 0
    assert figures["rooms_actions"] == 24


def test_ctrl_c_ends_all_that_it_started(home: Path):
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heard) as process:
        started = wait_for(lambda: _all_of_it(process), within_s=120, what="clients of a room")
        process.send_signal(signal.SIGINT)

        assert process.wait(120) == 130
    wait_for(lambda: gone(started), within_s=20)


def _all_of_it(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """What it has started, once participants are there; before that, nothing."""
    found = below(process)
    lines = [" ".join(p.cmdline()) for p in found]
    wanted = ("warroom.clients", "warroom.broadcast", "apart.nursery")
    return found if all(any(part in line for line in lines) for part in wanted) else []
