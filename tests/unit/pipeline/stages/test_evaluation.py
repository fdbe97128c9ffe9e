"""How well for whom: figures that can be told, those that cannot, the verdict, the card; and what is registered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.base import artefacts
from sandbox.base.streams import stream
from sandbox.pipeline.stages import card
from sandbox.pipeline.stages.gate import interval, judge
from sandbox.pipeline.stages.settings import Gate, PipelineConfig
from sandbox.pipeline.stages.slices import Figure, Judged, ece, figures, rates, slices, slope
from sandbox.telemetry.sql import SqlWorker
from tests.unit.pipeline.stages.small import engine, small_world
from tests.unit.pipeline.two_tastes import catalogue


def judged(n: int, *, true_slope: float = 1.0) -> Judged:
    """Rows whose clicks come with probabilities that the model says, or says too boldly."""
    draw = stream(3, "judged")
    logit = draw.normal(-1.0, 1.0, n)
    click = draw.random(n) < 1 / (1 + np.exp(-true_slope * logit))
    return Judged(click, 1 / (1 + np.exp(-logit)), np.ones(n))


def told(rows: Judged) -> dict[str, Figure]:
    return {f.metric: f for f in figures("all", rows, rows.p > 0.4)}


def test_a_group_without_clicks_has_no_rate_and_says_why() -> None:
    rows = Judged(np.zeros(4, bool), np.full(4, 0.2), np.ones(4))

    found = told(rows)

    assert {f.value for f in found.values()} == {None}
    assert found["tpr"].reason == "not estimable (0 positives)"
    assert found["tpr"].n == 4


def test_a_group_of_clicks_alone_has_none_either() -> None:
    rows = Judged(np.ones(40, bool), np.full(40, 0.2), np.ones(40))

    assert told(rows)["specificity"].reason == "not estimable (0 negatives)"


def test_specificity_is_of_those_without_a_click() -> None:
    label = np.array([True, True, False, False, False, False])
    flagged = np.array([True, False, True, False, False, False])

    assert rates(label, flagged) == (0.5, 0.75)


def test_the_calibration_error_of_the_case_that_was_worked_out() -> None:
    p = np.array([0.05, 0.15, 0.15, 0.25, 0.35, 0.65, 0.75, 0.85, 0.95, 0.95])
    y = np.array([0, 0, 1, 0, 0, 1, 1, 1, 1, 0]).astype(bool)

    assert ece(y, p, np.ones(10), bins=10) == pytest.approx(0.30)
    assert ece(y, p, np.ones(10), bins=5) == pytest.approx(0.26)


def test_a_model_that_is_too_sure_has_a_slope_below_one() -> None:
    assert slope(judged(20_000)) == pytest.approx(1.0, abs=0.1)
    assert slope(judged(20_000, true_slope=0.5)) == pytest.approx(0.5, abs=0.1)


def test_slices_by_user_leave_out_whom_nobody_knows() -> None:
    user, item = np.array([-1, 0, 1]), np.array([0, 1, 2])

    found = dict(slices(catalogue(), user, item, np.array([9.0, 9.0, 0.0]), np.array([0.0, 9.0, 9.0])))

    assert found["all"].tolist() == [True, True, True]
    assert found["region=EU"].tolist() == [False, True, False]
    assert found["new_user=true"].tolist() == [False, False, True]
    assert found["long_tail=true"].tolist() == [True, False, False]
    assert (found["creator_group=A"] | found["creator_group=B"]).all()


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(-0.005, 0.02, "pass"), (-0.03, -0.02, "fail"), (-0.03, 0.03, "hold")]
)
def test_too_little_evidence_holds(low: float, high: float, verdict: str) -> None:
    assert judge(low, high, 0.01) == verdict


def test_an_interval_by_users_holds_the_difference_that_there_is() -> None:
    rows = judged(3_000)
    user = np.arange(3_000) // 10
    worse = np.where(stream(5, "noise").random(3_000) < 0.5, rows.p, 0.5)

    better, low, high = interval(rows.click, rows.p, worse, user, 1)
    same, none_low, none_high = interval(rows.click, rows.p, rows.p, user, 1)

    assert 0 < low < better < high
    assert (same, none_low, none_high) == (0.0, 0.0, 0.0)


def test_a_card_shows_what_cannot_be_told_and_escapes_what_it_shows() -> None:
    trained = {"rows": 9, "cut_ts": 0.0, "seed": 1, "inputs": ["a"]}
    figures_ = [
        ("candidate", Figure("all", "auc", 0.7, 100, 20)),
        ("candidate", Figure("region=<b>", "auc", None, 4, 0, "not estimable (0 positives)")),
        ("live", Figure("all", "auc", 0.6, 100, 20)),
    ]

    page = card.page(trained, figures_, 0.0)

    assert "| all | 100 | 20 | 0.7000 |" in card.markdown(page)
    assert "not estimable (0 positives)" in card.html(page)
    assert "<b>" not in card.html(page).split("Figures")[1]
    assert "0.700</text>" in card.html(page)


@pytest.mark.slow
def test_a_whole_run_registers_versions_that_say_whom_they_saw(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w")
    config = PipelineConfig(gate=Gate(least_auc=0.5))

    run = engine(world).run(config)
    again = engine(world).run(config)

    assert (run.status, again.status) == ("done", "done")
    assert all(stage.cached for stage in again.stages)
    versions = {v.manifest.artifact: v.manifest for v in artefacts.versions(world / "registry")}
    assert set(versions) == {"two_tower", "ranker", "index"}
    ranker = artefacts.load(world / "registry", "ranker", versions["ranker"].version)
    saw = ranker.arrays("users.safetensors")["user_id"]
    assert saw.dtype == np.int32
    assert (np.diff(saw) > 0).all()
    assert 59 not in saw  # who allows nothing
    assert b"not estimable" in ranker.read("card.md")
    with SqlWorker(world / "pipeline" / "lake") as lake:
        seen = f"SELECT count(*) FROM model_users WHERE model_version = '{ranker.manifest.version}'"
        assert lake.query(seen).rows == [[len(saw)]]
        parents = "SELECT parent FROM artefact_parents WHERE artifact = 'index'"
        assert lake.query(parents).rows == [[versions["two_tower"].version]]
        assert lake.query("SELECT count(*) FROM eval_metrics WHERE slice = 'all'").rows[0][0] > 0


@pytest.mark.slow
def test_a_ranker_that_learned_nothing_is_stopped_at_the_gate(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w")

    run = engine(world).run(PipelineConfig(gate=Gate(least_auc=0.99)))

    assert run.blocked_by is not None
    assert run.blocked_by.check == "gate_passes"
    assert not (world / "registry").exists()
