import numpy as np
import pytest

from services.retrieval.core import SOURCES, Found, merge
from services.skeleton.points import POINTS
from services.skeleton.seams import Call

FOUND = {
    source: Found(np.arange(10) + 10 * i, np.linspace(1, 0, 10, dtype=np.float32)) for i, source in enumerate(SOURCES)
}


def asked(bench, source, empty="followed", **spec):
    armed = bench(fault="candidate-source-empty", params={"sources": [empty]}, **spec)
    call = Call("source", "retrieval", source, "find", user=7, region=0, payload=10)
    return Found(*armed.send(call, (FOUND[source].ids, FOUND[source].scores))[0])


@pytest.mark.parametrize("source", SOURCES)
def test_one_source_finds_nothing_and_the_others_what_they_always_find(bench, source):
    found = asked(bench, source)

    assert len(found.ids) == (0 if source == "followed" else 10)


def test_the_merge_is_as_full_as_before_and_the_source_is_on_no_slate(bench):
    without = {source: asked(bench, source) for source in SOURCES}

    merged = merge(without, 40)

    assert len(merged.ids) == 40
    assert not (merged.sources & 1 << SOURCES.index("followed")).any()


def test_users_out_of_scope_keep_the_source(bench):
    assert len(asked(bench, "followed", scope={"user_buckets": [50, 100]}).ids) == 10


def test_it_knows_the_sources_that_there_are():
    assert tuple(POINTS["source"].lies["retrieval"]) == SOURCES
