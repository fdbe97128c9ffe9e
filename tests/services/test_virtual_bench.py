"""What calibration and benches read from virtual runs, on the tiny world."""

from __future__ import annotations

import json

import pytest

from sandbox.bench import paired, parity, virtual_apart
from sandbox.cli.app import main
from sandbox.virtual.calibration.calibrate import errors, fit
from sandbox.virtual.calibration.observed import observe
from sandbox.virtual.machine.timing import load

WALL_S = 25.0


@pytest.fixture(scope="module")
def lake(home, tmp_path_factory):
    return paired.virtual("tiny", 1, 20.0, WALL_S, tmp_path_factory.mktemp("virtual"))


def test_every_part_of_the_timing_shows_in_the_spans_of_a_run(lake):
    seen, timing = observe(lake, paired.SPEED), load()

    assert set(timing.work) <= set(seen.work)
    assert set(timing.wire) <= set(seen.wire)
    assert len(seen.store)
    assert len(seen.request_ms) > 100


def test_the_virtual_backend_calibrated_to_itself_is_itself(home, lake, monkeypatch):
    monkeypatch.setattr(paired, "REFINEMENTS", 1)
    seen = observe(lake, paired.SPEED)

    timing, own = paired.calibrated(seen, load(), "tiny", 2, [(20.0, WALL_S)], lambda *_: None)

    assert abs(errors(seen, own)["p50_relative"]) < 0.15
    was, found = load().work["retrieval.Retrieve"], timing.work["retrieval.Retrieve"]
    assert found.base_ms == pytest.approx(was.base_ms, rel=0.25)
    assert fit(seen, load()).pool == load().pool


def test_a_run_is_at_parity_with_itself(lake):
    blocks = [parity.requests_of(lake, WALL_S)]

    found = parity.compared(blocks, blocks)

    assert {figure["estimate"] for figure in found.values()} == {0.0}


def test_the_cost_of_a_run_is_told_with_its_requests(home, tmp_path):
    cost = virtual_apart.run_of("tiny", 400, tmp_path)

    assert cost["requests"] > 50
    assert cost["cpu_s"] > 0


def test_the_command_fits_to_a_run_and_writes_what_the_backend_reads(home, lake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(paired, "REFINEMENTS", 0)
    path = tmp_path / "timing.json"

    with pytest.raises(SystemExit) as left:
        main(["calibrate", "--run", str(lake.parent), "--out", str(path), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert not left.value.code
    assert document["timing"] == load(path).model_dump(mode="json")
    assert set(document["errors"]) == {"p50_relative", "p99_relative"}


def test_a_run_without_traffic_and_no_run_at_all_are_refused(home, tmp_path, capsys):
    empty = paired.virtual("tiny", 1, 20.0, 0.25, tmp_path).parent

    for run, code in ((empty, "CFG-002"), (tmp_path / "none", "RUN-001")):
        with pytest.raises(SystemExit) as left:
            main(["calibrate", "--run", str(run), "--json"])
        assert left.value.code == 2
        assert json.loads(capsys.readouterr().err)["code"] == code
