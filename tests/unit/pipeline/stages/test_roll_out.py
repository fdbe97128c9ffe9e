"""What follows on a gate: the registry knows the verdict, a pass moves as far as was asked, and serving is watched."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base import artefacts, stages
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE
from sandbox.pipeline.stages import check, monitor, roll_out
from sandbox.pipeline.stages.arrays import read_columns, write_columns
from sandbox.pipeline.stages.book import Run
from sandbox.pipeline.stages.database import connect
from sandbox.pipeline.stages.engine import create_views
from sandbox.pipeline.stages.settings import Gate, PipelineConfig, RollOut
from sandbox.pipeline.stages.sources import live_ranker
from sandbox.pipeline.stages.spec import Made, Work
from tests.unit.pipeline.stages.small import engine, small_world

AS_OF = 1_000_000.0


def manifest(artifact: str, version: str) -> Manifest:
    data = Lineage(from_ts=0.0, to_ts=1.0, rows=2, digest="d")
    return Manifest(artifact=artifact, version=version, created_ts=1.0, code_hash="c", seed=1, data=data)


class Rolled:
    """A registry with a live generation and a new one, and the two halves of the stage over it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.registry = folder, folder / "registry"
        for artifact, prefix in (("ranker", "rk"), ("two_tower", "tt"), ("index", "ix")):
            for n in ("1", "new"):
                artefacts.register(
                    self.registry, manifest(artifact, f"{prefix}-{n}"), {"model.safetensors": n.encode()}
                )
        made = {a: manifest(a, v).model_dump() for a, v in (("ranker", "rk-new"), ("two_tower", "tt-new"))}
        (folder / "versions.json").write_text(json.dumps(made))
        (folder / "index.json").write_text(manifest("index", "ix-new").model_dump_json())

    def roll(self, verdict: str, to: str, *, live: str = "rk-1") -> stages.Stages:
        write_columns(self.root / "gate.parquet", {"verdict": np.array([verdict])})
        reads = {
            "gate": (self.root / "gate.parquet",), "versions.json": (self.root / "versions.json",),
            "index.json": (self.root / "index.json",),
            "source.live": (self.registry / "ranker" / live / "manifest.json",),
        }  # fmt: skip
        config = PipelineConfig(roll_out=RollOut.model_validate({"to": to}))
        work: Any = SimpleNamespace(reads=reads, config=config, file=lambda name: self.root / f"{name}.parquet")
        roll_out.run(work)
        roll_out.publish(Made(self.root, "p-1", AS_OF, {"roll_out": self.root / "roll_out.parquet"}, {}, 5.0))
        return stages.read(self.registry)


@pytest.fixture
def rolled(tmp_path: Path) -> Rolled:
    return Rolled(tmp_path)


def test_a_pass_goes_live_with_its_towers_and_index_and_stands_in_the_record(rolled: Rolled) -> None:
    now = rolled.roll("pass", "live")

    assert [now.live(artifact) for artifact in ("ranker", "two_tower", "index")] == ["rk-new", "tt-new", "ix-new"]
    first = now.moves[0]
    assert (first.replaced, first.actor, first.world_ts, first.evidence["run"]) == ("rk-1", "pipeline", AS_OF, "p-1")
    assert {path.parent.name for path in live_ranker(rolled.registry)} == {"rk-new"}


@pytest.mark.parametrize("verdict", ["hold", "fail"])
@pytest.mark.parametrize("to", ["shadow", "live"])
def test_a_verdict_that_is_no_pass_moves_nothing_though_its_check_was_bypassed(
    rolled: Rolled, verdict: str, to: str
) -> None:
    assert rolled.roll(verdict, to).moves == []


def test_a_shadow_is_the_ranker_alone_and_by_default_nothing_moves(rolled: Rolled) -> None:
    assert rolled.roll("pass", "candidate").moves == []
    moves = rolled.roll("pass", "shadow").moves
    assert [(m.version, m.to_stage) for m in moves] == [("rk-new", "shadow")]


def test_what_somebody_took_back_is_not_brought_again_by_the_same_run(rolled: Rolled) -> None:
    rolled.roll("pass", "live")
    stages.move(rolled.registry, "ranker", "rk-1", "live", expect="rk-new", actor="ada", at=6.0)

    assert rolled.roll("pass", "live").live("ranker") == "rk-1"


def test_a_live_version_that_it_was_not_compared_with_is_a_conflict(rolled: Rolled) -> None:
    artefacts.register(rolled.registry, manifest("ranker", "rk-7"), {"model.safetensors": b"7"})
    stages.move(rolled.registry, "ranker", "rk-7", "live", expect="rk-1", actor="ada", at=4.0)

    with pytest.raises(SandboxError) as error:
        rolled.roll("pass", "live", live="rk-1")

    assert error.value.kind.code == "MODEL-006"
    now = stages.read(rolled.registry)
    assert (now.live("ranker"), now.live("two_tower"), now.live("index")) == ("rk-7", "tt-1", "ix-1")


def watched(
    folder: Path, *, off: float = 0.0, of_others: bool = False, rows: int = 100
) -> tuple[dict[str, list[Any]], dict[str, str], int]:
    """What is found where one feature was served `off` away from what is recomputed, or as the value of another item,
    and another feature as it is: columns, verdicts by check, rows that have nothing beside them. rows: served; as many
    again are of another moment."""
    values = np.linspace(0, 1, 200, dtype=np.float32)
    people = {"as_of": np.full(200, AS_OF), "user_id": np.arange(200)} | dict.fromkeys(USER_PROFILE.columns, values)
    things = {"as_of": np.full(200, AS_OF), "item_id": np.arange(200)} | dict.fromkeys(ITEM_STATS.columns, values)
    write_columns(folder / "user_profile.parquet", people)
    write_columns(folder / "item_stats.parquet", things)
    served = folder / "served.parquet"
    names = [("user_profile", "user", USER_PROFILE.columns[0]), ("item_stats", "item", ITEM_STATS.columns[0])]
    table = [
        {
            "ts": 0.0, "request_id": "r", "entity": entity, "entity_id": str(n), "view": view, "feature": feature,
            "value": float(values[7 * n % rows if of_others and entity == "item" else n]) + (off if entity == "item" else 0.0),
            "feature_event_ts": np.datetime64(int((AS_OF + late) * 1e6), "us"), "status": "PRESENT", "writer_run": "1",
        }
        for view, entity, feature in names
        for n in range(rows)
        for late in (0, 7_200)
    ]  # fmt: skip
    if table:
        pq.write_table(pa.Table.from_pylist(table), served)
    reads = {name: (folder / f"{name}.parquet",) for name in ("user_profile", "item_stats")}
    reads["source.served"] = (served,) if table else ()
    with connect() as db:
        create_views(db, reads)
        tally = monitor.run(Work(db, reads, folder, None, PipelineConfig(), AS_OF, True))  # type: ignore[arg-type]
    run = Run(run="p-1", world="w", until="monitor", config={}, as_of=AS_OF, bypass={}, started=0.0)
    checks = [one for one in check.standard() if one.stage == "monitor"]
    found = check.carry_out(checks, {"served_skew": folder / "served_skew.parquet"}, None, run)
    assert not any(one.blocking for one in found)
    columns = {name: column.tolist() for name, column in read_columns(folder / "served_skew.parquet").items()}
    return columns, {one.check: one.verdict for one in found}, tally.dropped.get("nothing_beside_it", 0)


def test_a_feature_that_is_served_as_it_is_recomputed_passes_and_other_moments_are_not_compared(tmp_path: Path) -> None:
    skew, verdicts, elsewhere = watched(tmp_path)

    assert (skew["n"], skew["off_share"], elsewhere) == ([100, 100], [0.0, 0.0], 200)
    assert verdicts == {"monitor_skew": "pass", "monitor_shift": "pass"}


def test_a_feature_that_is_computed_in_two_ways_is_shifted(tmp_path: Path) -> None:
    skew, verdicts, _ = watched(tmp_path, off=0.5)

    off = dict(zip(zip(skew["view"], skew["feature"], strict=True), skew["off_share"], strict=True))
    assert off == {("item_stats", ITEM_STATS.columns[0]): 1.0, ("user_profile", USER_PROFILE.columns[0]): 0.0}
    assert verdicts == {"monitor_skew": "pass", "monitor_shift": "fail"}


def test_values_of_other_items_have_little_to_do_with_those_that_are_recomputed(tmp_path: Path) -> None:
    skew, verdicts, _ = watched(tmp_path, of_others=True)

    assert abs(skew["correlation"][skew["view"].index("item_stats")]) < 0.5
    assert verdicts == {"monitor_skew": "fail", "monitor_shift": "pass"}


def test_where_nothing_was_served_nothing_can_be_said(tmp_path: Path) -> None:
    skew, verdicts, _ = watched(tmp_path, rows=0)

    assert (skew["feature"], set(verdicts.values())) == ([], {"not estimable"})


@pytest.mark.slow
def test_a_whole_run_leaves_its_verdict_in_the_registry_and_moves_what_was_asked_for(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w")
    config = PipelineConfig(gate=Gate(least_auc=0.5), roll_out=RollOut(to="live"))

    run = engine(world).run(config)
    now = stages.read(world / "registry")

    assert [stage.stage for stage in run.stages[-3:]] == ["build_index", "roll_out", "monitor"]
    version = now.live("ranker")
    assert now.gates["ranker"][version] == "pass"
    assert [m.what for m in now.moves] == ["gate", "move", "move", "move"]
    assert live_ranker(world / "registry")[0].parent.name == version
