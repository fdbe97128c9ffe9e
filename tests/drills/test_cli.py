"""`sandbox drill` for programs: one document on stdout, errors with code and exit status."""

from __future__ import annotations

import json

import pytest

from sandbox.cli.app import main
from sandbox.drill.play import drills
from sandbox.drill.scenario import library


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["drill", *arguments])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_the_list_holds_what_is_promised_and_no_answers(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))

    code, out, _ = run(capsys, "list", "--json")

    rows = json.loads(out)
    assert code == 0
    assert len(rows) >= 7
    assert set(rows[0]) == {"name", "title", "difficulty", "teaches", "minutes"}
    assert rows[0]["difficulty"] == 1, "the gentlest first"
    assert {row["teaches"] for row in rows} == {None}


def test_what_a_drill_teaches_is_told_after_its_debrief(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    played = library.named("all-new")
    (tmp_path / "run").mkdir()
    drill = drills.create(played, run_dir=tmp_path / "run", seed=1, faults=True, autopilot=False, own_stack=True)

    def taught() -> dict[str, str]:
        rows = json.loads(run(capsys, "list", "--json")[1])
        return {row["name"]: row["teaches"] for row in rows if row["teaches"]}

    assert taught() == {}
    drill.unseal()
    assert taught() == {"all-new": played.teaches}
    assert "teaches" in run(capsys, "list")[1]


def test_an_instructor_sees_all_of_it_whole(capsys):
    rows = json.loads(run(capsys, "list", "--spoilers", "--json")[1])
    _, shown, _ = run(capsys, "list", "--spoilers")

    for row in rows:
        of = library.named(row["name"])
        faults = [step.fault.name for step in of.timeline if step.fault]
        assert (row["teaches"], row["precedent"], row["faults"]) == (of.teaches, of.precedent, faults)
        assert row["truth"] == of.truth.model_dump(mode="json")
        assert all(name in shown for name in faults), "names are not cut"


def test_a_scenario_shows_its_briefing_and_keeps_its_truth(capsys):
    code, out, _ = run(capsys, "show", "all-new", "--json")

    assert code == 0
    assert "truth" not in out
    assert "evidence" not in out
    assert json.loads(out)["name"] == "all-new"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["start", "no-such-drill", "--autopilot"], "DRILL-001"),
        (["start"], "CFG-004"),
        (["start", "missing.yaml"], "CFG-002"),
        (["start", "slow-home", "--seed", "-1"], "CFG-001"),
        (["start", "slow-home", "--speed", "0"], "CFG-001"),
        (["start", "slow-home", "--speed", "nan"], "CFG-001"),
        (["start", "slow-home", "--run-dir", f"{__file__}/run"], "CFG-002"),
        (["report", "--file", "no-such-report.yaml"], "RUN-001"),
        (["show", "no-such-drill"], "DRILL-001"),
        (["status"], "RUN-001"),
        (["hint"], "RUN-001"),
        (["report"], "RUN-001"),
        (["debrief", "--run-dir", "nowhere"], "DRILL-006"),
        (["stop"], "CFG-004"),
    ],
)
def test_what_cannot_be_done_is_an_error_for_programs(capsys, tmp_path, monkeypatch, arguments, code):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))

    status, out, err = run(capsys, *arguments, "--json")

    assert status != 0
    assert out == ""
    document = json.loads(err.strip().splitlines()[-1])
    assert document["code"] == code
    assert set(document) == {"code", "title", "where", "seen", "expected", "fix"}


def test_a_broken_scenario_file_is_refused_before_anything_starts(capsys, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\ntitle: Mine\nstars: 1\nstars: 2\n")

    status, _, err = run(capsys, "start", str(path), "--autopilot", "--json")

    assert status == 2
    assert "mine.yaml:4" in json.loads(err)["where"]


def test_an_empty_report_is_printed_to_be_filled_in(capsys):
    code, out, _ = run(capsys, "report", "--template")

    assert code == 0
    assert "incident: true" in out
    _, document, _ = run(capsys, "report", "--template", "--json")
    assert json.loads(document) == {"template": out}


def test_the_words_of_a_report_are_listed(capsys):
    _, out, _ = run(capsys, "words", "--json")

    words = json.loads(out)
    assert "gateway->features" in words["components"]
    assert "slow-edge" in words["mechanisms"]["latency"]
    assert "region" in words["segment_columns"]
