import pytest

from services.skeleton.seams import Call


def write(event_ts):
    return Call("write", "stream", "user_session", "write", attributes={"event_ts": event_ts})


def test_a_write_waits_until_its_events_are_as_old_as_the_lag(bench):
    armed = bench(fault="session-stream-lag", params={"lag_s": 600})

    assert armed.send(write(event_ts=990.0))[1] == pytest.approx(590.0)  # it is 1000 now


def test_events_older_than_the_lag_are_written_at_once(bench):
    armed = bench(fault="session-stream-lag", params={"lag_s": 600})

    assert armed.send(write(event_ts=300.0))[1] == 0


def test_another_view_is_written_at_once(bench):
    armed = bench(fault="session-stream-lag", scope={"callee": "user_seen"})

    assert armed.send(write(event_ts=990.0))[1] == 0
