"""A run directory that is used again: the new drill knows nothing of the one before, and nothing of that is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.locks import at_once
from sandbox.base.run import STACK_LOCK, RunInfo
from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.drill.scenario import library
from sandbox.telemetry.sql import SqlWorker
from tests.drills.test_room import own_home  # noqa: F401
from tests.drills.test_twists import SOME

COUNTED = "SELECT count(*), count(DISTINCT request_id) FROM requests"


def begun(place: Path) -> VirtualDesk:
    scenario = library.named("slow-home").model_copy(update={"load": SOME})
    return VirtualDesk.start(scenario, "tiny", run_dir=place)


def test_a_second_drill_there_sees_neither_the_deeds_nor_the_requests_of_the_first(own_home: Path, tmp_path: Path):  # noqa: F811
    place = tmp_path / "run"
    seen = []
    for n in (1, 2, 3):
        with begun(place) as desk:
            desk.wait(desk.began_ts + 300)
            if n == 1:
                desk.act("breaker caller=gateway callee=rules switch=on open_s=10")
            desk.wait(desk.began_ts + 330)
            seen.append((sum(entry.what == "action" for entry in desk.drill.entries()), desk.ask(COUNTED).rows[0]))
            desk.abandon()

    (actions, (n, distinct)), second, third = seen
    assert actions == 1
    assert n == distinct > 0
    assert second == third == (0, [distinct, distinct])
    earlier = sorted(tmp_path.glob("run.earlier-*"))
    assert [RunInfo.load(path).lake for path in earlier] == [path / "lake" for path in earlier]
    assert [path.name for path in earlier] == ["run.earlier-1", "run.earlier-2"]
    with SqlWorker(earlier[0] / "lake") as before:
        assert before.query(COUNTED).rows[0] == [n, n]


def test_where_a_stack_is_up_nothing_is_moved(own_home: Path, tmp_path: Path):  # noqa: F811
    place = tmp_path / "run"
    (place / "lake").mkdir(parents=True)
    with at_once(place / STACK_LOCK), pytest.raises(SandboxError, match="in use"):
        begun(place)
    assert (place / "lake").is_dir()
