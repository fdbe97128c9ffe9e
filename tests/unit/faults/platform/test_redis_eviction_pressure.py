from tests.unit.faults.rounds import round_of

PARAMS = {"mb_per_s": 1.0, "lives_s": 60, "key": "page"}


def test_every_round_leaves_so_many_drafts_and_each_has_an_end(bench):
    armed = bench(fault="redis-eviction-pressure", params=PARAMS)

    first, second = round_of(armed), round_of(armed, 2)

    assert sum(len(value) for _, _, value, *_ in first) == 2**20
    assert {(name, *end) for name, _, _, *end in first} == {("SET", "PX", 60_000)}
    assert len({key for _, key, *_ in (*first, *second)}) == len(first) + len(second), "none takes the place of another"
    assert all(key.startswith("page:") for _, key, *_ in first)


def test_what_else_is_to_be_run_is_run_before_the_drafts(bench):
    armed = bench(fault="redis-eviction-pressure", params=PARAMS)
    hot = bench(fault="redis-key-hotspot", params={"key": "board", "elements": 10_000})
    armed.seam.put(hot.armed)

    names = [name for name, *_ in round_of(armed)]

    assert {"SORT", "SET"} < set(names)


def test_unwrapped_nothing_is_written_any_more(bench):
    armed = bench(fault="redis-eviction-pressure", params=PARAMS)
    armed.seam.take_off(armed.armed)

    assert round_of(armed) == []
