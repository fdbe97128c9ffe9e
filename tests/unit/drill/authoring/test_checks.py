"""A check finds what would fail later: one thing changed in a sound scenario, and where it says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from sandbox.drill.authoring.check import check, checked
from sandbox.drill.scenario import library
from sandbox.drill.scenario.finding import CODES, SHOWN
from sandbox.telemetry.sql import SqlWorker
from tests.unit.drill.broken import GONE, changed, look, sound, text_of, told
from tests.unit.drill.siblings import SIBLINGS


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorker]:
    with SqlWorker(tmp_path_factory.mktemp("empty") / "lake") as worker:
        yield worker


@pytest.fixture(autouse=True)
def no_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets are known before they are built."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(("name", "changes", "severity", "where"), SIBLINGS)
def test_one_thing_wrong_is_told_of_where_it_stands(worker, name, changes, severity, where):
    found = look(worker, changes, name)

    assert sorted(told(found, severity)) == where
    assert found.ok == (severity == "warning")
    assert all(f.code in CODES and f.expected and f.fix for f in found.findings)


@pytest.mark.parametrize("path", sorted(library.root().rglob("*.yaml")), ids=lambda p: p.stem)
def test_nothing_is_found_in_the_core_pack(worker, path):
    found = checked(strict_yaml.read(path, "DRILL-002"), path.name, worker)

    assert list(found.findings) == []
    assert found.scenario is not None


def test_all_that_is_wrong_is_told_at_once_each_on_its_own_line(worker):
    changes = {
        "stars": 9, "minutes": GONE, "load": {"rate": 3}, "timeline.3.at_s": 10,
        "timeline.2.scope": {"ops": ["Get"]}, "timeline.1.release.patches": {"modl": {}},
        "truth.component": "gatway", "evidence.0.sql": "SELCT 1", "evidence.1.predicate": "ms > 1",
        "accept.0": "pth x=1", "look_alikes.0": "pool", "hints": ["one", "two"], "pager.rule": "x",
        "world": "moon",
    }  # fmt: skip
    text = text_of(changed(sound(), changes))
    found = checked(strict_yaml.parse(text.encode(), "x.yaml", "DRILL-002"), "x.yaml", worker)

    places = {f.place for f in found.errors}
    assert places >= {
        "stars", "minutes", "load.rate", "timeline[3].at_s", "timeline[2].scope.ops[0]",
        "timeline[1].release.patches.modl", "truth.component", "evidence[0].sql",
        "evidence[1].predicate", "accept[0]", "look_alikes[0]", "hints", "pager.rule", "world",
    }  # fmt: skip
    lines = text.splitlines()
    for finding in found.errors:
        key = finding.place.rpartition(".")[2].partition("[")[0]
        there = lines[finding.line - 1]
        assert key in there or finding.code in ("missing-key", "unreachable", "bad-action", "unknown-name")


def test_a_missing_key_is_told_on_the_line_of_the_part_that_lacks_it(worker):
    text = text_of(changed(sound(), {"timeline.2.target": GONE}))
    found = checked(strict_yaml.parse(text.encode(), "x.yaml", "DRILL-002"), "x.yaml", worker)
    step = next(f for f in found.errors if f.place == "timeline[2].target")

    assert text.splitlines()[step.line - 1].strip() == "- at_s: 2100"


def test_a_long_value_is_cut(worker):
    found = look(worker, {"timeline.0.target": "x" * 190})
    seen = next(f.seen for f in found.errors)

    assert len(str(seen)) == SHOWN


def test_the_same_query_twice_is_no_more_evidence(worker):
    again = {**sound()["evidence"][0], "id": "again"}
    again["sql"] = "-- the same\n" + again["sql"].replace("\n", "  \n").replace("SELECT", "select")

    assert ("duplicate", "evidence[3].sql") in told(look(worker, {"evidence.3": again}))


def test_what_holds_on_an_empty_lake_convinces_nobody(worker):
    one = {"id": "e", "claim": "c", "sql": "SELECT count(*) AS n, 3 AS m FROM requests", "predicate": "n < m"}

    assert told(look(worker, {"evidence": [one]})) == {("predicate", "evidence")}
    assert ("predicate", "evidence[1].predicate") in told(look(worker, {"evidence.1": one}), "warning")


def test_queries_behind_sentences_are_run_as_well(worker):
    claim = {"says": "it is slow", "sql": "SELECT count(*) AS n FROM nothing", "predicate": "n > 3"}

    assert told(look(worker, {"claims": [claim]})) == {("query-fails", "claims[0].sql")}


def test_each_of_several_causes_is_checked(worker):
    one = dict(sound()["truth"])
    del one["incident"]
    causes = [
        {**one, "accept": ["path caller=gateway callee=features path=b"]},
        {**one, "component": "ranking", "onset_s": 2101, "accept": ["restart service=rankng"],
         "segment": {"lang": "nowhere"}},
    ]  # fmt: skip

    assert told(look(worker, {"truth": {"incident": True, "causes": causes}})) == {
        ("bad-action", "truth.causes[1].accept[0]"),
        ("no-onset", "truth.causes[1].onset_s"),
        ("segment", "truth.causes[1].segment.lang"),
    }


def test_what_is_no_yaml_is_one_finding_with_its_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("id: x\nid: y\n")

    found = check(path)

    assert [(f.code, f.line) for f in found.findings] == [("not-yaml", 2)]
    path.write_text("- a\n- b\n")
    assert [f.code for f in check(path).findings] == ["bad-value"]
    with pytest.raises(SandboxError, match="CFG-002"):
        check(tmp_path / "none.yaml")


def cli(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(["scenario", "check", *words])
    return int(stop.value.code or 0), capsys.readouterr().out


def test_the_command_exits_with_2_where_there_is_an_error(capsys, tmp_path):
    bad, warned = tmp_path / "bad.yaml", tmp_path / "warned.yaml"
    bad.write_text(text_of(changed(sound(), {"world": "moon"})))
    warned.write_text(text_of(changed(sound(), {"title": "The slow edge"})))

    code, out = cli(capsys, str(warned))
    assert code == 0
    assert out.rstrip().endswith("1 warning")
    code, out = cli(capsys, str(warned), str(bad))
    assert code == 2
    assert re.search(r"bad\.yaml:\d+, world\n", out)
    code, out = cli(capsys, str(bad), "--json")
    document = json.loads(out)
    assert code == 2
    assert not document["ok"]
    assert set(document["findings"][0]) == {"severity", "code", "place", "line", "seen", "expected", "fix"}
