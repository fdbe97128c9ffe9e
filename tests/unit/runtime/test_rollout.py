"""Stages on a running stack are its settings, and a canary is never in force without somebody who watches it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.base import artefacts, stages
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.config import Canary, Config
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.base.schema import TABLES
from sandbox.pipeline.analysis import Plan
from sandbox.pipeline.verdict import Sample
from sandbox.runtime.operate import guard
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.operate.staging import Wish, move, stages_of

BEGAN = 1_772_000_000.0
PLAN = Plan(length_s=600, every_s=60)
FINE = Sample(units=2000, y=0, x=2000)
BAD = Sample(units=2000, y=40, x=2000)
RATIO = Sample(units=2000, y=4000, x=20000, yy=9000, xx=200000, xy=40000)


class World:
    """A platform whose clock moves when somebody waits for it."""

    def __init__(self) -> None:
        self.ts, self.sent = BEGAN, []

    def now(self) -> float:
        return self.ts

    def reload(self, services: object) -> dict[str, int]:
        return {}

    def rows(self, table: str, rows: object) -> None:
        self.sent += [(table, dict(zip(TABLES[table].names, row, strict=True))) for row in rows]  # type: ignore[attr-defined]

    def versions_of(self, artifact: str) -> list[str]:
        return ["rk-1", "rk-2", "rk-3"]

    def nap(self, wall_s: float) -> None:
        self.ts += wall_s * 60


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    for version in ("rk-1", "rk-2", "rk-3"):
        data = Lineage(from_ts=0.0, to_ts=1.0, rows=2, digest="d")
        made = Manifest(artifact="ranker", version=version, created_ts=1.0, code_hash="c", seed=1, data=data)
        artefacts.register(tmp_path / "registry", made, {"a.bin": version.encode()})
    run = RunInfo(
        run_dir=str(tmp_path), world="tiny", world_dir=str(tmp_path), world_start=BEGAN, wall_start=1000.0, speed=60.0,
        seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    Config().save(tmp_path)
    return Operations(run, World())  # type: ignore[arg-type]


def wish(version: str, stage: str, expect: str | None = None, **more: object) -> Wish:
    return Wish("ranker", version, stage, expect, "ada", **more)  # type: ignore[arg-type]


def canary(version: str = "rk-2") -> Wish:
    return wish(version, "canary", canary=Canary(version=version, share=0.1, salt="s", until_ts=0.0))


def model(operations: Operations) -> object:
    return Config.load(operations.run.path).model


def code_of(operations: Operations, wanted: Wish) -> str:
    before = Config.load(operations.run.path)
    with pytest.raises(SandboxError) as caught:
        move(operations, wanted)
    assert Config.load(operations.run.path) == before
    return caught.value.kind.code


def test_a_promotion_is_a_change_of_settings_with_its_record(operations: Operations) -> None:
    made = move(operations, wish("rk-2", "live", "rk-1", why="auc .72", evidence={"auc": 0.72}))

    now = stages_of(operations)
    assert model(operations).ranker == "rk-2"  # type: ignore[attr-defined]
    assert (now.live("ranker"), now.stage_of("ranker", "rk-1"), now.before("ranker")) == ("rk-2", "retired", "rk-1")
    assert (made.from_stage, made.to_stage, made.replaced, made.evidence) == (
        "candidate",
        "live",
        "rk-1",
        {"auc": 0.72},
    )
    (row,) = [row for table, row in operations.platform.sent if table == "stage_changes"]  # type: ignore[attr-defined]
    assert (row["version"], row["replaced"], row["actor"], json.loads(row["evidence"])) == (
        "rk-2",
        "rk-1",
        "ada",
        {"auc": 0.72},
    )


def test_who_expects_another_gets_a_conflict(operations: Operations) -> None:
    move(operations, wish("rk-2", "live", "rk-1"))

    assert code_of(operations, wish("rk-3", "live", "rk-1")) == "MODEL-006"


def test_of_two_who_promote_at_once_one_wins_and_the_other_gets_a_conflict(operations: Operations) -> None:
    def promoted(version: str) -> str:
        try:
            return move(operations, wish(version, "live", "rk-1")).version
        except SandboxError as error:
            return error.kind.code

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(promoted, ("rk-2", "rk-3")))

    (winner,) = (version for version in told if version != "MODEL-006")
    assert model(operations).ranker == winner  # type: ignore[attr-defined]
    assert [m.version for m in stages_of(operations).moves] == [winner]


def test_what_there_is_not_and_what_nobody_watches_is_refused(operations: Operations) -> None:
    assert code_of(operations, wish("rk-9", "live", "rk-1")) == "MODEL-001"
    assert code_of(operations, wish("rk-2", "canary")) == "MODEL-007"
    assert code_of(operations, Wish("covisit", "cv-1", "live", None, "ada")) == "MODEL-007"


def test_an_act_and_a_revert_stand_in_the_same_history(operations: Operations) -> None:
    Action.parse(["promote", "artifact=ranker", "version=rk-3"]).run(operations, "operator")
    operations.revert(1, "operator")

    now = stages_of(operations)
    assert [(m.version, m.replaced, m.actor) for m in now.moves] == [
        ("rk-3", "rk-1", "operator"),
        ("rk-1", "rk-3", "operator"),
    ]
    assert (now.live("ranker"), now.stage_of("ranker", "rk-3")) == ("rk-1", "retired")


def test_a_version_that_goes_live_is_no_canary_and_no_shadow_any_more(operations: Operations) -> None:
    move(operations, wish("rk-3", "shadow"))
    move(operations, canary())
    assert [stages_of(operations).stage_of("ranker", v) for v in ("rk-1", "rk-2", "rk-3")] == [
        "live",
        "canary",
        "shadow",
    ]

    move(operations, wish("rk-2", "live", "rk-1"))
    move(operations, wish("rk-3", "candidate"))

    document = model(operations)
    assert (document.ranker, document.canary, document.shadow) == ("rk-2", None, None)  # type: ignore[attr-defined]


def test_a_gate_of_the_registry_holds_on_the_stack_too(operations: Operations) -> None:
    stages.gate(operations.run.registries[1], "ranker", "rk-2", "hold", actor="gate", at=0.0)

    assert code_of(operations, canary()) == "MODEL-007"
    assert code_of(operations, wish("rk-2", "live", "rk-1")) == "MODEL-007"
    assert move(operations, wish("rk-2", "live", "rk-1", bypass="rk-1 leaks")).bypass == "rk-1 leaks"
    sent = [row for table, row in operations.platform.sent if table == "registry_events"]  # type: ignore[attr-defined]
    assert [(row["version"], row["gate_result"]) for row in sent] == [("rk-2", "hold")]


def watched(operations: Operations, monkeypatch: pytest.MonkeyPatch, *looks: object, **how: object) -> guard.Outcome:
    """looks: what the canary's errors are at each look, the last one from then on; an exception is raised."""
    left = list(looks)

    def sums(_lake: object, _canary: Canary, _since: float) -> object:
        seen = left.pop(0) if len(left) > 1 else left[0]
        if callable(seen):
            seen = seen()
        if isinstance(seen, BaseException):
            raise seen
        samples = {"errors": FINE, "fallbacks": FINE, "latency_ms": RATIO, "clicks": RATIO}
        return samples, {**samples, "errors": seen}, (2000, 2000)

    monkeypatch.setattr(guard, "sums", sums)
    return guard.watch(operations, canary(), PLAN, nap=operations.platform.nap, **how)  # type: ignore[attr-defined, arg-type]


def test_a_canary_that_is_worse_is_taken_back_at_the_next_look(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = watched(operations, monkeypatch, FINE, BAD, promote=True)

    assert (outcome.step, outcome.analysis.looks, outcome.promoted) == ("fail", 2, False)
    assert (model(operations).ranker, model(operations).canary) == ("rk-1", None)  # type: ignore[attr-defined]
    checks = [row for table, row in operations.platform.sent if table == "rollout_checks"]  # type: ignore[attr-defined]
    assert [r["verdict"] for r in checks if r["metric"] == "all"] == ["pass", "fail"]
    assert code_of(operations, wish("rk-2", "live", "rk-1")) == "MODEL-007"  # its canary said so
    assert stages_of(operations).moves[-1].evidence["verdict"] == "fail"


@pytest.mark.parametrize("promote", [True, False])
def test_a_pass_promotes_where_that_was_asked_for(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, promote: bool
) -> None:
    outcome = watched(operations, monkeypatch, FINE, promote=promote)

    assert (outcome.step, outcome.analysis.looks, outcome.promoted) == ("pass", 10, promote)
    assert model(operations).ranker == ("rk-2" if promote else "rk-1")  # type: ignore[attr-defined]
    assert model(operations).canary is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("seen", [Sample(2000, 0, 0), OSError("no lake")])
def test_no_data_and_an_analysis_that_fails_hold_and_never_promote(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, seen: object
) -> None:
    outcome = watched(operations, monkeypatch, seen, promote=True)

    assert outcome.document()["verdict"] == "hold"
    assert (model(operations).ranker, model(operations).canary) == ("rk-1", None)  # type: ignore[attr-defined]


def test_ctrl_c_takes_it_back(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        watched(operations, monkeypatch, FINE, KeyboardInterrupt())

    assert model(operations).canary is None  # type: ignore[attr-defined]
    assert stages_of(operations).moves[-1].evidence["verdict"] == "hold"


def test_ctrl_c_while_services_switch_takes_it_back_too(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [KeyboardInterrupt()]

    def reload(_services: object) -> dict[str, int]:
        if left:
            raise left.pop()
        return {}

    monkeypatch.setattr(operations.platform, "reload", reload)
    with pytest.raises(KeyboardInterrupt):
        watched(operations, monkeypatch, FINE)

    assert model(operations).canary is None  # type: ignore[attr-defined]


def test_the_canary_of_another_guard_is_left_alone(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    move(operations, replace(canary(), canary=Canary(version="rk-2", share=0.2, salt="theirs", until_ts=9e9)))

    with pytest.raises(SandboxError, match="MODEL-0"):
        watched(operations, monkeypatch, FINE)

    assert model(operations).canary.salt == "theirs"  # type: ignore[attr-defined]


def test_another_live_version_during_the_analysis_begins_it_anew(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def promoted() -> Sample:
        move(operations, wish("rk-3", "live", "rk-1"))
        return FINE

    outcome = watched(operations, monkeypatch, FINE, promoted, FINE, promote=True)

    assert (outcome.analysis.restarts, outcome.analysis.live, outcome.step) == (1, "rk-3", "pass")
    assert operations.platform.now() >= BEGAN + 120 + PLAN.length_s


def test_a_canary_that_somebody_takes_away_ends_without_a_verdict(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken() -> Sample:
        move(operations, wish("rk-2", "candidate"))
        return FINE

    outcome = watched(operations, monkeypatch, FINE, taken, FINE, promote=True)

    assert (outcome.step, outcome.promoted) == ("gone", False)
    assert model(operations).ranker == "rk-1"  # type: ignore[attr-defined]
