import numpy as np

from sandbox.pipeline.index import IndexRows
from services.skeleton.seams import Call

HOUR = 3_600.0
ROWS = IndexRows(np.arange(5), np.eye(5, dtype=np.float32))
TIMES = {"published_ts": np.array([0.0, 90.0, 50.0, 95.0, 100.0]) * HOUR, "now": 100 * HOUR}


def built(bench, **spec):
    armed = bench(fault="index-stale-new-items", **spec)
    call = Call("index_rows", "pipeline", "ix-2", "build", payload=ROWS, attributes=TIMES)
    return armed, call, armed.pass_on(call)


def test_what_came_out_since_is_left_out_and_the_rest_keeps_its_vectors(bench):
    _, _, rows = built(bench, params={"paused_h": 10})

    assert rows.ids.tolist() == [0, 1, 2]
    assert np.array_equal(rows.vectors, ROWS.vectors[:3])


def test_the_longer_the_pause_the_fewer_are_left(bench):
    assert len(built(bench, params={"paused_h": 60})[2].ids) == 1
    assert len(built(bench, params={"paused_h": 4})[2].ids) == 4


def test_out_of_scope_every_item_is_there(bench):
    assert len(built(bench, scope={"callee": "ix-9"})[2].ids) == 5


def test_once_it_is_taken_off_the_next_index_is_whole(bench):
    armed, call, _ = built(bench)
    armed.seam.take_off(armed.armed)

    assert len(armed.pass_on(call).ids) == 5
