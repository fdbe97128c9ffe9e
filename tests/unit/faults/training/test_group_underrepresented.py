from dataclasses import dataclass

import numpy as np

from services.skeleton.seams import Call

GROUPS = np.array(["A", "B", "A", "B"])


@dataclass
class Log:
    request: np.ndarray
    item: np.ndarray

    def take(self, rows):
        return Log(self.request[rows], self.item[rows])


def log(n=8_000):
    return Log(np.arange(n), np.arange(n) % 4)


def read(bench, **spec):
    armed = bench(fault="group-underrepresented", **spec)
    call = Call("training_log", "pipeline", "log", "read", payload=log(), attributes={"item_group": GROUPS, "seed": 5})
    return armed.pass_on(call)


def test_the_group_is_sampled_down_to_its_share(bench):
    kept = read(bench, params={"group": "B", "keep_share": 0.25})

    of_group = int((GROUPS[kept.item] == "B").sum())
    assert abs(of_group - 1_000) < 5 * (4_000 * 0.25 * 0.75) ** 0.5


def test_the_other_group_keeps_every_row(bench):
    kept = read(bench, params={"group": "B", "keep_share": 0.02})

    assert (GROUPS[kept.item] == "A").sum() == 4_000


def test_two_readings_of_one_seed_keep_the_same_rows(bench):
    assert np.array_equal(read(bench).request, read(bench).request)


def test_an_unarmed_stage_reads_the_whole_log(bench):
    armed = bench(fault="group-underrepresented")
    armed.seam.take_off(armed.armed)

    assert len(armed.pass_on(Call("training_log", "pipeline", "log", "read", payload=log())).item) == 8_000
