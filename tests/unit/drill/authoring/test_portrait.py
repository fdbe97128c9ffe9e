"""A scenario as a picture: everything that happens, at its time, with its truth."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from sandbox.cli.app import main
from sandbox.drill.authoring import portrait
from sandbox.drill.scenario import library
from tests.unit.drill.scenes import DOCUMENT, scenario

NAMES = sorted(library.load_all())


def with_shapes():
    timeline = [*DOCUMENT["timeline"]]
    timeline[1] = {**timeline[1], "onset": {"shape": "ramp", "ramp_s": 1200}, "until_s": 3000}
    load = {"shape": "burst", "rate_per_s": 10, "to_per_s": 30, "at_s": 2000, "until_s": 2600}
    return scenario(timeline=timeline, load=load)


def test_every_step_the_page_and_the_evidence_have_a_line_in_order():
    lines = portrait.lines_of(with_shapes())

    assert [line.kind for line in lines] == ["change", "fault", "release", "traffic", "page", "evidence"]
    assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)
    assert [line.guilty for line in lines] == [False, True, False, False, False, False]


def test_a_fault_that_comes_slowly_and_ends_is_drawn_so():
    lines = portrait.lines_of(with_shapes())
    fault = next(line for line in lines if line.kind == "fault")
    at = portrait.horizon_s(with_shapes())

    def strength(at_s: float) -> float:
        return float(fault.curve[round(at_s / at * (len(fault.curve) - 1))])

    assert strength(900) == 0
    assert strength(1800) == pytest.approx(0.5, abs=0.05)
    assert strength(2900) == 1
    assert strength(3200) == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_has_both_pictures(name):
    made = library.named(name)
    blocks, svg = portrait.in_blocks(made), portrait.as_svg(made)

    assert len(blocks.splitlines()) == 1 + len(portrait.lines_of(made))
    texts = "".join(ElementTree.fromstring(svg).itertext())
    for cause in made.truth.causes:
        assert cause.mechanism in texts


def test_the_command_shows_lists_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))

    def ran(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            main(["scenario", "show", *words])
        return int(stop.value.code or 0), capsys.readouterr().out

    code, out = ran("slow-home", "--svg", str(tmp_path / "p.svg"), "--json")
    document = json.loads(out)
    assert code == 0
    assert {line["kind"] for line in document["lines"]} >= {"fault", "page", "evidence"}
    assert (tmp_path / "p.svg").read_text().startswith("<svg")
    settings = json.loads(ran("--settings", "--json")[1])
    assert settings["settings"]["model.max_batch"]["range"] == "at least 1, at most 8192"
    assert settings["versions"]["ranker"] == ["rk-1"]
    assert "EU" in settings["regions"]
    assert ran()[0] == 2
    assert ran("slow-home", "--svg", "p.png")[0] == 2
