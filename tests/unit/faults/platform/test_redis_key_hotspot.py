import pytest

from sandbox.base.errors import SandboxError
from tests.unit.faults.rounds import round_of

PARAMS = {"key": "board", "elements": 25_000}


def elements(commands):
    return [word for name, _, *words in commands if name == "RPUSH" for word in words]


def test_a_list_is_made_once_and_sorted_in_every_round(bench):
    armed = bench(fault="redis-key-hotspot", params=PARAMS)

    first, second = round_of(armed), round_of(armed, 2)

    assert elements(first) == list(range(25_000))
    assert all(len(words) < 12_000 for words in first), "made in pieces, which hold nobody up"
    assert [c[:2] for c in second] == [("SORT", "board")]
    assert first[-1] == second[-1]


def test_a_store_that_was_away_is_given_the_list_when_it_is_back(bench):
    armed = bench(fault="redis-key-hotspot", params=PARAMS)
    with pytest.raises(SandboxError):
        round_of(armed, fails=True)

    assert len(elements(round_of(armed, 2))) == 25_000


def test_a_share_of_the_rounds_is_spared(bench):
    armed = bench(fault="redis-key-hotspot", params=PARAMS, share=0.5)

    busy = [bool(round_of(armed, n)) for n in range(40)]

    assert 8 < sum(busy) < 32


def test_unwrapped_the_next_round_has_nothing_to_do(bench):
    armed = bench(fault="redis-key-hotspot", params=PARAMS)
    armed.seam.take_off(armed.armed)

    assert round_of(armed) == []
