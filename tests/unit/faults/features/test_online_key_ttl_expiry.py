import pytest

from services.events.places import LIVES_S, noting
from services.skeleton.seams import Call, Place


def write(*users):
    """A batch of the stream processor's, for user 1 where none is named."""
    updates = [(user, 990.0, ()) for user in users or (1,)]
    return Call(
        "write", "stream", "user_seen", "apply", payload=updates,
        attributes={"event_ts": 990.0, "n": len(updates), LIVES_S: None},
        places=lambda rows: [Place(user, position=int(ts)) for user, ts, _ in rows],
    )  # fmt: skip


@pytest.fixture
def lives(bench):
    def of(call, **spec):
        found: dict[int, float] = {}
        armed = bench(fault="online-key-ttl-expiry", **spec)
        passed, took = armed.through(call, noting(found))
        assert ([user for user, *_ in passed], took) == ([user for user, *_ in call.payload], 0)
        return found

    return of


def test_every_row_that_is_written_gets_an_end(lives):
    assert lives(write(4, 9), params={"ttl_s": 600}) == {4: 600.0, 9: 600.0}


def test_rows_of_others_have_none(lives):
    assert lives(write(4, 11), params={"ttl_s": 600}, scope={"user_buckets": [0, 10]}) == {4: 600.0}
    assert lives(write(4), scope={"callee": "user_session"}) == {}


def test_unwrapped_the_next_row_lives_on(bench):
    armed = bench(fault="online-key-ttl-expiry")
    armed.seam.take_off(armed.armed)
    found: dict[int, float] = {}

    armed.through(write(4), noting(found))

    assert found == {}
