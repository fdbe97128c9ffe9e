"""A scenario is checked whole before anything starts, and what is wrong is named with its line."""

from __future__ import annotations

import copy
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.drill.scenario import library, schema
from tests.unit.drill.scenes import DOCUMENT, scenario


def load(**changes):
    """The small scenario as a file, with parts changed: 'timeline.1.share' = 2."""
    document = copy.deepcopy(DOCUMENT)
    for path, value in changes.items():
        *way, last = path.split("__")
        part = document
        for key in way:
            part = part[int(key)] if key.isdigit() else part[key]
        part[int(last) if last.isdigit() else last] = value
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, text)
    parsed = strict_yaml.parse(text.getvalue().encode(), "small.yaml", "DRILL-002")
    return parsed, text.getvalue().splitlines()


def refusal(**changes) -> tuple[str, str]:
    """The line that is blamed, as it stands in the file, and the whole message."""
    parsed, lines = load(**changes)
    with pytest.raises(SandboxError) as caught:
        library.checked(parsed)
    assert caught.value.kind.code == "DRILL-002"
    line = int(caught.value.where.split(":")[1].split(",")[0])
    return lines[line - 1].strip(), str(caught.value)


def test_the_small_scenario_is_a_whole_one():
    assert library.checked(load()[0]).length_s == 36_000


def test_an_unknown_key_is_named_with_its_line():
    line, message = refusal(timeline__1__shar=0.5)
    assert line == "shar: 0.5"
    assert "timeline[1].shar" in message


def test_an_inverted_file_needs_the_name_of_the_index_that_it_becomes():
    release = {"key": "index", "new": "ix-1v", "inverted_file": {"lists": 40, "nprobe": 8}}
    _, message = refusal(timeline__0={"at_s": 0, "target": "retrieval", "release": release})
    assert "index_version" in message

    release["patches"] = {"retrieval": {"index_version": "ix-1v"}}
    whole = load(timeline__0={"at_s": 0, "target": "retrieval", "release": release})[0]
    assert library.checked(whole).timeline[0].release.index_version == "ix-1v"


def test_an_unknown_fault_and_an_unknown_knob_are_named_with_their_line():
    line, message = refusal(timeline__1__fault__name="session-stream-leg")
    assert "fault" in line or "session-stream-leg" in line
    assert "session-stream-lag" in message, "what there is"

    line, message = refusal(timeline__1__fault__params={"lag_sec": 900})
    assert line == "lag_sec: 900"
    assert "lag_s" in message


def test_a_knob_out_of_range_is_named_with_its_line():
    line, message = refusal(timeline__1__fault__params={"lag_s": 90_000})
    assert line == "lag_s: 90000"
    assert "7200" in message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stars": 6}, "stars"),
        ({"evidence__0__sql": "SELECT $now - $beginning AS x"}, "$beginning"),
        ({"stars": "many"}, "stars"),
        ({"timeline__0__at_s": 1_500}, "order of at_s"),
        ({"timeline__1__target": "gateway"}, "can be armed in stream only"),
        ({"timeline__1__ends_on": ["restart stream"]}, "name=value"),
        ({"timeline__1__share": 0}, "share"),
        ({"timeline__1__onset": {"shape": "sudden"}}, "onset.shape"),
        ({"timeline__2__release__patches": {"modell": {"max_batch": 1}}}, "no service with settings"),
        ({"timeline__2__release__patches": {"model": {"max_bach": 1}}}, "no such setting"),
        ({"timeline__2__release__patches": {"model": {"max_batch": -1}}}, "greater than or equal"),
        ({"timeline__2__release__patches": {"model": {"max_batch": "many"}}}, "valid integer"),
        ({"timeline__2__release__patches": {"rules": {"explore_share": float("nan")}}}, "explore_share"),
        ({"timeline__1__ends_on": ["reboot service=stream"]}, "none of the operations"),
        ({"penalise": ["restart serivce=*"]}, "no argument of restart"),
        ({"seed": 10**30}, "seed"),
        ({"timeline__2__fault": {"name": "session-stream-lag"}}, "comes without a release"),
        ({"timeline__1__fault": {"name": "embedding-index-version-skew"}}, "needs the release"),
        (
            {"timeline__2__fault": {"name": "sensitivity-overblock", "params": {"languages": ["de"]}}},
            "a release of rules.sensitivity, which sensitivity-overblock spoils",
        ),
        (
            {"timeline__2__fault": {"name": "group-underrepresented"}},
            "something that is made: group-underrepresented spoils it",
        ),
        ({"timeline": []}, "timeline"),
        ({"truth__component": "the database"}, "taxonomy"),
        ({"truth__mechanism": "staleness"}, "taxonomy"),
        ({"truth__onset_s": 1_300}, "at_s of a fault"),
        ({"truth__incident": False}, "incident"),
        ({"truth__segment": {"shoe_size": "42"}}, "segment"),
        ({"accept": ["restart service=*"]}, "no wildcard"),
        ({"accept": []}, "accept"),
        ({"evidence__0__predicate": "lag_s > import"}, "predicate"),
        ({"evidence_by_s": 40_000}, "past the drill"),
        ({"hints": ["one", "two"]}, "hints"),
        ({"id": "Small Drill"}, "id"),
        ({"minutes": float("nan")}, "minutes"),
    ],
)
def test_what_does_not_fit_is_refused(changes, told):
    _, message = refusal(**changes)
    assert told in message


def test_a_name_that_is_no_scenario_is_answered_with_those_there_are():
    with pytest.raises(SandboxError) as caught:
        library.named("no-such-drill")
    assert caught.value.kind.code == "DRILL-001"
    assert library.gentlest().id in caught.value.expected


def test_the_schema_on_disk_is_current():
    assert (library.root() / "schema.json").read_text() == schema.text()


@given(st.integers(0, 10_000))
def test_neither_the_clock_nor_the_page_tells_when_it_began(seed):
    early = scenario(vary_s=2_700, pager={**DOCUMENT["pager"], "at_s": 6_000, "vary_s": 1_200})

    placed = early.placed(seed)

    by_s = placed.truth.onset_s - early.truth.onset_s
    assert 0 <= by_s <= 2_700
    assert 0 <= placed.pager.at_s - early.pager.at_s - by_s <= 1_200
    assert placed.pager.at_s <= placed.evidence_by_s
    assert placed.placed(seed) == placed.placed(seed + 1) == placed, "what is placed stays"


def test_the_delay_of_the_page_is_a_draw_of_its_own():
    early = scenario(vary_s=2_700, pager={**DOCUMENT["pager"], "at_s": 6_000, "vary_s": 1_200})
    drawn = [early.placed(seed) for seed in range(60)]

    delays = {s.pager.at_s - s.truth.onset_s for s in drawn}

    assert len(delays) > 15
    assert len({s.truth.onset_s for s in drawn}) > 20
