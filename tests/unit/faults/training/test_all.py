"""What holds for every fault of the pipeline: it is kept apart by what it does, and gone with its wrapper."""

import pytest

from faults.arming import Spec
from faults.catalogue import CATALOGUE
from faults.stages import armed_stages
from sandbox.base.errors import SandboxError

OF_THE_PIPELINE = [name for name, fault in CATALOGUE.items() if fault.seam == "pipeline"]


@pytest.mark.parametrize("fault", OF_THE_PIPELINE)
def test_what_comes_out_is_kept_apart_from_the_healthy_run_from_its_stage_on(made, fault):
    first = CATALOGUE[fault].at[0]
    spoilt = made(first, fault).run.stages

    healthy = made("train" if first == "train" else "training_set").run.stages  # with the spoilt stages there already

    assert [one.outputs for one in spoilt[:-1]] == [one.outputs for one in healthy[: len(spoilt) - 1]]
    assert spoilt[-1].stage == first
    assert spoilt[-1].key != healthy[len(spoilt) - 1].key


def test_knobs_and_seed_are_part_of_the_key():
    def key(**spec):
        return armed_stages(Spec(fault="historical-label-bias", **spec))["training_set"].key

    assert len({key(), key(seed=1), key(params={"refused_share": 0.1}), key(params={"group": "A"})}) == 4


def test_a_fault_of_another_place_is_none_of_the_pipelines():
    with pytest.raises(SandboxError, match="FLT-003"):
        armed_stages(Spec(fault="group-underrepresented"))
