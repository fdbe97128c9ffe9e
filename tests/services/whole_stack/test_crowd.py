"""A crowd on a running load: more visits come at once, the usual ones go on, and off it is over."""

from __future__ import annotations

import pytest

from loadtest.runner import LOAD, Load
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from tests.services.asking import query
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack
EXTRA = 1 << 44  # session ids from here on are not the world's own (loadtest/schedule.py)


def sessions(stack, condition: str) -> int:
    sql = f"SELECT count(DISTINCT session_id) FROM requests WHERE session_id::BIGINT {condition}"
    return int(query(stack.run.lake, sql).rows[0][0])


def test_a_crowd_comes_beside_the_usual_visits_and_leaves_again(stack):
    socket = stack.run.control_socket(LOAD)
    load = Load(stack.run, rate=20)
    load.start()
    try:
        wait_for(socket.exists, 30, "the load's control socket")
        usual = sessions(stack, f"< {EXTRA}")
        wait_for(lambda: sessions(stack, f"< {EXTRA}") > usual, 20, "usual visits")
        assert sessions(stack, f">= {EXTRA}") == 0

        control.ask(Endpoint.at(socket), "arm", id="w1", fault="flash-crowd", params={"multiplier": 3})
        wait_for(lambda: sessions(stack, f">= {EXTRA}") >= 3, 30, "visits of the crowd")

        assert control.ask(Endpoint.at(socket), "disarm", id="w1") == {"was_armed": True}
    finally:
        load.stop()

    assert not socket.exists()
