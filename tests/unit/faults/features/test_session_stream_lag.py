import pytest

from services.skeleton.seams import Call, Place


def write(event_ts, *users):
    """A batch of the stream processor's, for user 1 where none is named."""
    updates = [(user, event_ts, ()) for user in users or (1,)]
    return Call(
        "write", "stream", "user_session", "apply", payload=updates,
        attributes={"event_ts": event_ts, "n": len(updates)},
        places=lambda rows: [Place(user, position=int(ts)) for user, ts, _ in rows],
    )  # fmt: skip


def test_a_write_waits_until_its_events_are_as_old_as_the_lag(bench):
    armed = bench(fault="session-stream-lag", params={"lag_s": 600})

    assert armed.send(write(990.0), None)[1] == pytest.approx(590.0)  # it is 1000 now


def test_events_older_than_the_lag_are_written_at_once(bench):
    armed = bench(fault="session-stream-lag", params={"lag_s": 600})

    assert armed.send(write(300.0), None)[1] == 0


def test_another_view_is_written_at_once(bench):
    armed = bench(fault="session-stream-lag", scope={"callee": "user_seen"})

    assert armed.send(write(990.0), None)[1] == 0


def test_a_batch_without_a_user_in_scope_is_written_at_once(bench):
    armed = bench(fault="session-stream-lag", params={"lag_s": 600}, scope={"user_buckets": [0, 10]})

    assert armed.send(write(990.0, 11, 12), None)[1] == 0
    batch, took = armed.send(write(990.0, 11, 9), None)
    assert [user for user, *_ in batch] == [11, 9]
    assert took == pytest.approx(590.0), "what is committed together waits together"
