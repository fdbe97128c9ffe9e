"""Every scenario begun on the virtual backend, and every byte searched that its trainee could read."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Load, Scenario
from sandbox.telemetry.sql import SqlWorker
from tests.unit.drill.telltales import faults_of, found_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PACK = library.load_all()
LITTLE = Load(rate_per_s=1.0)
# The index of the smallest world has fewer lists than are searched here.
WORLDS = {"smaller-languages": "laptop"}


@pytest.mark.parametrize("name", PACK)
def test_nothing_that_a_trainee_can_read_tells(name, home, tmp_path):
    """Until after the last step of the timeline and the page: files, lake, processes and their environment."""
    scenario = PACK[name].model_copy(update={"load": LITTLE})
    world = WORLDS.get(name, "tiny")
    with VirtualDesk.start(scenario, world, run_dir=tmp_path / "run") as drill:
        placed = drill.drill.scenario
        last_s = max(placed.pager.at_s, *(step.at_s for step in placed.timeline)) + 60.0
        drill.wait(drill.began_ts + last_s)
        drill.ask("SELECT count(*) FROM requests")  # what is not written yet is written now

        files = [p for d in (drill.drill.directory, tmp_path / "run") for p in d.rglob("*")]
        told = {str(p): found for p in files if p.is_file() and (found := found_in(p.read_bytes(), placed))}
        named = [str(p) for p in files if any(word in p.name for word in faults_of(placed))]

        assert told == {}
        assert named == []
        assert _in_lake(tmp_path / "run", placed) == []
        assert _in_processes(placed) == []


def _in_lake(run_dir: Path, scenario: Scenario) -> list[str]:
    """What stands in texts of the lake: its files are compressed."""
    found = []
    with SqlWorker(run_dir / "lake") as lake:
        for table in TABLES.values():
            for column in (c.name for c in table.columns if c.type == "VARCHAR"):
                rows = lake.query(f"SELECT DISTINCT {column} FROM {table.name}").rows
                text = "\n".join(str(row[0]) for row in rows)
                found += [f"{table.name}.{column}: {t}" for t in found_in(text.encode(), scenario)]
    return found


def _in_processes(scenario: Scenario) -> list[str]:
    """Of this process, which holds the drill, and of those that it has started."""
    found = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        for part in ("cmdline", "environ"):
            try:
                raw = Path(f"/proc/{process.pid}/{part}").read_bytes()
            except OSError:
                continue
            found += found_in(raw, scenario)
    return found


def test_what_a_drill_left_behind_when_it_ended_early_is_sealed_still(home, tmp_path):
    with VirtualDesk.start(PACK["slow-home"], "tiny", run_dir=tmp_path / "run") as drill:
        drill.wait(drill.began_ts + 2_400)
        with pytest.raises(SandboxError):
            drill.act("restart service=frontend")
    left = drill.drill.directory

    assert not (left / "opened").exists()
    assert not any(found_in(p.read_bytes(), PACK["slow-home"]) for p in left.iterdir())
