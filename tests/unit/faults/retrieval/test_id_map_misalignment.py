import numpy as np

from sandbox.pipeline.index import IndexRows
from services.skeleton.seams import Call

ROWS = IndexRows(np.arange(6), np.eye(6, dtype=np.float32))


def built(bench, **spec):
    armed = bench(fault="id-map-misalignment", **spec)
    call = Call("index_rows", "pipeline", "ix-2", "build", payload=ROWS)
    return armed, call, armed.pass_on(call)


def test_every_row_stands_for_another_item_and_keeps_its_vector(bench):
    _, _, rows = built(bench, params={"offset": 2})

    assert rows.ids.tolist() == [4, 5, 0, 1, 2, 3]
    assert np.array_equal(rows.vectors, ROWS.vectors)


def test_out_of_scope_rows_stay_as_they_are(bench):
    _, _, rows = built(bench, scope={"callee": "ix-9"})

    assert np.array_equal(rows.ids, ROWS.ids)


def test_once_it_is_taken_off_the_next_index_is_right(bench):
    armed, call, _ = built(bench)
    armed.seam.take_off(armed.armed)

    assert np.array_equal(armed.pass_on(call).ids, ROWS.ids)
