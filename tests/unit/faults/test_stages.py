"""A fault of the offline plane wraps the reading of the log, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from faults.arming import Spec
from faults.stages import stages_for
from sandbox.base.errors import SandboxError
from sandbox.pipeline.training_set import Stages

CATALOGUE = SimpleNamespace(creator_group=np.array([0, 1], np.int8), item_creator=np.array([0, 1, 1, 0], np.int32))


class Log:
    def __init__(self, item):
        self.item, self.request = item, np.arange(len(item))

    def take(self, rows):
        return Log(self.item[rows])


def stages(**spec):
    return stages_for(Spec(fault="group-underrepresented", seed=3, **spec), CATALOGUE)


def test_items_of_the_group_are_thinned_out_and_others_are_not():
    log = stages(params={"group": "B", "keep_share": 0.1}).log(Log(np.arange(4_000) % 4))

    counts = np.bincount(log.item, minlength=4)
    assert counts[0] == counts[3] == 1_000
    assert 50 < counts[1] < 150


def test_a_slow_onset_has_come_by_the_time_a_model_is_trained():
    slow = stages(onset={"shape": "ramp", "ramp_s": 7_200})

    assert len(slow.log(Log(np.ones(1_000, np.int64))).item) < 150


def test_what_is_trained_behind_it_is_cached_apart_from_healthy_training():
    assert stages().key != Stages().key
    assert stages().key != stages(params={"keep_share": 0.5}).key


def test_a_fault_of_serving_cannot_be_trained_in():
    with pytest.raises(SandboxError, match="FLT-003"):
        stages_for(Spec(fault="rpc-edge-latency"), CATALOGUE)
