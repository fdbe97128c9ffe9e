import pytest

from sandbox.base.errors import SandboxError
from sandbox.pipeline.rollout import Release
from services.features.core import batches
from services.skeleton.seams import Call

RELEASE = Release("features", "client", "2.8", "team", patches={"features": {"sample_share": 0.05}})


def rolled_out(bench, callee="client", **params):
    armed = bench(fault="feature-fetch-unbatched", params=params, scope={"callee": callee})
    call = Call("release", "features", "client", "rollout", payload=RELEASE)
    return armed.pass_on(call).patches["features"]


def test_the_release_reads_row_by_row_and_keeps_what_it_brought(bench):
    assert rolled_out(bench) == {"sample_share": 0.05, "fetch_batch": 1}


def test_two_hundred_keys_become_as_many_round_trips_as_the_batch_size_says(bench):
    keys = list(range(200))

    assert len(batches(keys, rolled_out(bench)["fetch_batch"])) == 200
    assert len(batches(keys, rolled_out(bench, batch_size=8)["fetch_batch"])) == 25
    assert batches(keys, 0) == [keys]


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, callee="banner") == {"sample_share": 0.05}


def test_no_row_at_a_time_is_refused(bench):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="feature-fetch-unbatched", params={"batch_size": 0})
