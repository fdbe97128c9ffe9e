"""Runs of the pipeline: kept by content, whole or absent, and on record."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base.errors import SandboxError
from sandbox.pipeline.stages.engine import Armed
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.telemetry.sql import SqlWorker
from tests.unit.pipeline.stages.small import bytes_of, dataset, engine, small_world
from tests.unit.pipeline.two_tastes import tables


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return small_world(tmp_path / "w")


def stopping(error: BaseException):
    """A stage that has written all it writes, and is stopped before that counts."""

    def wrapper(run):
        def stopped(work):
            run(work)
            raise error

        return stopped

    return Armed(wrapper, "")


def test_a_second_run_makes_nothing_again_and_finds_the_same(world: Path) -> None:
    first = engine(world).run(PipelineConfig(), until="labels")
    made = bytes_of(world)

    second = engine(world).run(PipelineConfig(), until="labels")

    assert not any(stage.cached for stage in first.stages)
    assert all(stage.cached for stage in second.stages)
    assert [s.outputs for s in first.stages] == [s.outputs for s in second.stages]
    assert bytes_of(world) == made


def test_a_setting_runs_again_what_reads_it_and_what_stands_on_that(world: Path) -> None:
    engine(world).run(PipelineConfig(), until="labels")

    changed = engine(world).run(PipelineConfig(labels={"click_h": 0.001}), until="labels")

    assert [stage.stage for stage in changed.stages if not stage.cached] == ["labels"]
    assert changed.stages[-1].dropped == {"outside_window": changed.stages[-1].dropped["outside_window"]}


def test_a_stage_stopped_between_writing_and_committing_leaves_nothing_and_the_run_goes_on_from_there(
    world: Path,
) -> None:
    undisturbed = small_world(world.parent / "other")
    engine(undisturbed).run(PipelineConfig(), until="labels")
    with pytest.raises(KeyboardInterrupt):
        engine(world, armed={"bots": stopping(KeyboardInterrupt())}).run(PipelineConfig(), until="labels")

    resumed = engine(world).resume("p-1")

    assert [s.stage for s in resumed.stages if s.cached] == ["ingest", "deduplicate"]
    assert bytes_of(world) == bytes_of(undisturbed)
    assert not list((world / "pipeline" / "cache").glob("*/.*.part"))


def test_a_query_that_is_interrupted_is_ctrl_c(world: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        engine(world, armed={"ingest": stopping(RuntimeError("Query interrupted"))}).run(
            PipelineConfig(), until="ingest"
        )

    assert bytes_of(world) == {}


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_seen_to_be_dead_and_can_be_resumed(world: Path) -> None:
    killed = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from sandbox.pipeline.stages.engine import Armed\n"
        "from sandbox.pipeline.stages.settings import PipelineConfig\n"
        "from tests.unit.pipeline.stages.small import engine\n"
        "def wrapper(run):\n"
        "    return lambda work: (run(work), os.kill(os.getpid(), signal.SIGKILL))[0]\n"
        f"engine(Path({str(world)!r}), armed={{'deduplicate': Armed(wrapper, '')}}).run(PipelineConfig(), until='bots')\n"
    )
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}

    ended = subprocess.run([sys.executable, "-c", killed], env=place, check=False)

    assert ended.returncode == -9
    again = engine(world)
    assert again.book.read("p-1").status == "running"
    assert not again.book.is_alive("p-1")
    resumed = again.resume("p-1")
    assert (resumed.run, resumed.status) == ("p-1", "done")
    assert [stage.cached for stage in resumed.stages] == [True, False, False]
    assert not list((world / "pipeline" / "cache").glob("*/.*.part"))


def test_two_runs_of_one_stage_at_once_make_it_once(world: Path) -> None:
    entered, go_on, made = threading.Event(), threading.Event(), []

    def wrapper(run):
        def counted(work):
            made.append(1)
            entered.set()
            assert go_on.wait(30)
            return run(work)

        return counted

    armed = {"ingest": Armed(wrapper, "counted")}
    results: list = []
    first = threading.Thread(
        target=lambda: results.append(engine(world, armed=armed).run(PipelineConfig(), until="ingest"))
    )
    first.start()
    assert entered.wait(30)
    second = threading.Thread(
        target=lambda: results.append(engine(world, armed=armed).run(PipelineConfig(), until="ingest"))
    )
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)

    assert len(made) == 1
    assert {run.run for run in results} == {"p-1", "p-2"}
    assert results[0].stages[0].outputs == results[1].stages[0].outputs


def test_a_source_that_changes_while_it_is_read_is_refused_and_nothing_is_kept(world: Path) -> None:
    def wrapper(run):
        def meanwhile(work):
            tally = run(work)
            shown, _ = tables(seed=1)
            pq.write_table(pa.table(shown), world / "public" / "impressions.parquet")
            return tally

        return meanwhile

    with pytest.raises(SandboxError, match="PIPE-002") as caught:
        engine(world, armed={"ingest": Armed(wrapper, "")}).run(PipelineConfig(), until="ingest")

    assert "impressions.parquet" in caught.value.where
    assert bytes_of(world) == {}
    assert engine(world).book.read("p-1").status == "failed"
    assert engine(world).resume("p-1").status == "done"


def test_a_damaged_dataset_is_made_again(world: Path) -> None:
    built = engine(world)
    run = built.run(PipelineConfig(), until="ingest")
    file = dataset(built, run, "outcomes_in")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])

    again = engine(world).run(PipelineConfig(), until="ingest")

    assert not again.stages[0].cached
    assert file.read_bytes() == whole


def test_zero_rows_stop_the_run_with_the_check_that_says_so(tmp_path: Path) -> None:
    shown, outcomes = tables()
    none = {name: column[:0] for name, column in shown.items()}
    world = small_world(tmp_path / "empty", none, {name: column[:0] for name, column in outcomes.items()})

    run = engine(world).run(PipelineConfig())

    assert (run.status, [s.stage for s in run.stages]) == ("blocked", ["ingest"])
    assert run.blocked_by is not None
    assert run.blocked_by.check == "ingest_impressions"
    assert "at least 1 expected" in run.blocked_by.reason


def test_a_bypass_lets_the_run_go_on_and_is_on_record(tmp_path: Path) -> None:
    shown, outcomes = tables()
    outcomes["kind"] = np.where(np.arange(len(outcomes["kind"])) == 0, "wink", outcomes["kind"].astype(object)).astype(
        str
    )
    world = small_world(tmp_path / "w", shown, outcomes)
    stopped = engine(world).run(PipelineConfig(), until="bots")

    let = engine(world).run(PipelineConfig(), until="bots", bypass={"ingest_kinds": "a new client winks"})

    assert stopped.blocked_by is not None
    assert stopped.blocked_by.check == "ingest_kinds"
    assert (let.status, let.blocked_by) == ("done", None)
    with SqlWorker(world / "pipeline" / "lake") as lake:
        assert lake.query("SELECT key, new, note FROM changes").rows == [
            ["check ingest_kinds", "bypassed", "a new client winks"]
        ]
        verdicts = "SELECT run, verdict, bypassed FROM data_checks WHERE check_name = 'ingest_kinds' ORDER BY run"
        assert lake.query(verdicts).rows == [["p-1", "fail", False], ["p-2", "fail", True]]


def test_the_book_can_be_asked_by_sql_which_version_was_read(world: Path) -> None:
    run = engine(world).run(PipelineConfig(), until="privacy")

    with SqlWorker(world / "pipeline" / "lake") as lake:
        read = lake.query(
            "SELECT d.digest, m.stage FROM pipeline_datasets d JOIN pipeline_datasets m"
            " ON m.digest = d.digest AND m.role = 'wrote' AND m.stage = d.producer"
            " WHERE d.role = 'read' AND d.stage = 'privacy' AND d.dataset = 'impressions_human'"
        ).rows
        dropped = lake.query("SELECT reason, rows FROM pipeline_drops WHERE stage = 'privacy'").rows
        state = lake.query("SELECT run, status, until_stage FROM pipeline_runs").rows
    assert [run.stages[-1].inputs["impressions_human"], "bots"] in read
    assert dropped == [["no_consent", run.stages[-1].dropped["no_consent"]]]
    assert state == [["p-1", "done", "privacy"]]


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda e: e.run(PipelineConfig(), until="polish"), "PIPE-001"),
        (lambda e: e.run(PipelineConfig(), bypass={"luck": "why not"}), "PIPE-001"),
        (lambda e: e.resume("p-7"), "PIPE-001"),
    ],
)
def test_what_there_is_not_is_named(world: Path, ask, code: str) -> None:
    with pytest.raises(SandboxError, match=code):
        ask(engine(world))


def test_a_run_that_is_done_is_not_resumed(world: Path) -> None:
    engine(world).run(PipelineConfig(), until="ingest")

    with pytest.raises(SandboxError, match="PIPE-003"):
        engine(world).resume("p-1")
