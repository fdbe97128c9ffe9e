"""One place names instances and processes, and every other asks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import MOST, SCALABLE, instance_of, named, process_of, processes, service_of, split
from sandbox.base.run import PROCESSES, RunInfo

ROOT = Path(__file__).parents[3]


@given(service=st.sampled_from(PROCESSES), n=st.integers(0, 99))
def test_a_process_and_its_instance_name_each_other(service, n):
    instance = named(service, n)

    assert split(instance) == (service, n)
    assert service_of(instance) == service_of(process_of(instance)) == service
    assert instance_of(process_of(instance)) == instance == instance_of(instance)
    assert (process_of(instance) == service) == (n == 0)


def test_processes_of_a_service_stand_together():
    assert processes(("redis", "model", "rules"), {"model": 3}) == ("redis", "model", "model-1", "model-2", "rules")


def test_nowhere_else_is_a_number_glued_to_a_name():
    glued = re.compile(
        r'(service|name|caller|callee|process)\}-0"|"(' + "|".join((*PROCESSES, "supervisor")) + r')-\d"'
    )
    sources = [p for folder in ("sandbox", "services", "faults", "loadtest") for p in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources
        for line in path.read_text().splitlines()
        if glued.search(line) and "xgroup_setid" not in line  # an id of a stream entry
    ]

    assert found == []


def run(**addresses):
    return RunInfo("/r", "w", "/w", 0.0, 0.0, 60.0, 1, "", addresses, dict(addresses))


def test_a_run_knows_the_instances_of_a_service_in_the_order_of_their_numbers():
    several = run(**{"model": "h:1", "rules": "h:9"}).with_process("model-2", "h:3", "h:4").with_process(
        "model-1", "h:2", "h:5"
    )  # fmt: skip

    assert list(several.instances("model").items()) == [("model-0", "h:1"), ("model-1", "h:2"), ("model-2", "h:3")]
    assert several.processes()[4:7] == ("model", "model-1", "model-2")
    assert several.without_process("model-2").processes()[4:7] == ("model", "model-1", "retrieval")


def test_documents_say_how_many_instances_there_are():
    config = Config().with_replicas({"model": 2, "rules": MOST})

    assert config.replicas == {"features": 1, "model": 2, "retrieval": 1, "ranking": 1, "rules": MOST}
    assert Config().replicas == dict.fromkeys(SCALABLE, 1)


@pytest.mark.parametrize("replicas", [{"model": 0}, {"model": MOST + 1}, {"gateway": 2}, {"nosuch": 1}])
def test_numbers_and_services_that_cannot_be_are_refused(replicas):
    with pytest.raises(SandboxError) as caught:
        Config().with_replicas(replicas)

    assert caught.value.kind.code == "CFG-001"
    assert f"1 to {MOST} instances of one of features" in str(caught.value)
