"""One version is live, at every moment and for everybody; who moves it says what they expect to find."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base import artefacts, stages
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.errors import SandboxError
from sandbox.base.stages import NONE, STAGES, Stages, judged, moved

WHO = {"actor": "ada", "at": 1.0}


def registry_with(place: Path, *versions: str) -> Path:
    for version in versions:
        data = Lineage(from_ts=0.0, to_ts=1.0, rows=2, digest="d")
        made = Manifest(artifact="ranker", version=version, created_ts=1.0, code_hash="c", seed=1, data=data)
        artefacts.register(place, made, {"a.bin": version.encode()})
    return place


def code_of(act: object) -> str:
    with pytest.raises(SandboxError) as caught:
        act()  # type: ignore[operator]
    return caught.value.kind.code


def test_where_nobody_moved_anything_the_first_generation_is_live(tmp_path: Path) -> None:
    now = stages.read(registry_with(tmp_path, "rk-1", "rk-2"))

    assert now.live("ranker") == "rk-1"
    assert [now.stage_of("ranker", v) for v in ("rk-1", "rk-2")] == ["live", "candidate"]


def test_a_promotion_retires_the_one_before_and_leaves_a_record(tmp_path: Path) -> None:
    registry = registry_with(tmp_path, "rk-1", "rk-2")

    record = stages.move(
        registry, "ranker", "rk-2", "live", expect="rk-1", why="auc .72", evidence={"auc": 0.72}, **WHO
    )

    now = stages.read(registry)
    assert (now.live("ranker"), now.stage_of("ranker", "rk-1"), now.before("ranker")) == ("rk-2", "retired", "rk-1")
    assert now.moves == [record]
    assert (record.actor, record.from_stage, record.to_stage, record.replaced) == ("ada", "candidate", "live", "rk-1")
    assert record.evidence == {"auc": 0.72}


def test_who_expects_another_gets_a_conflict_and_nothing_moves(tmp_path: Path) -> None:
    registry = registry_with(tmp_path, "rk-1", "rk-2", "rk-3")
    stages.move(registry, "ranker", "rk-2", "live", expect="rk-1", **WHO)
    before = (registry / "stages.json").read_bytes()

    assert code_of(lambda: stages.move(registry, "ranker", "rk-3", "live", expect="rk-1", **WHO)) == "MODEL-006"
    assert (registry / "stages.json").read_bytes() == before


def test_the_live_version_leaves_only_when_another_comes(tmp_path: Path) -> None:
    registry = registry_with(tmp_path, "rk-1")

    assert code_of(lambda: stages.move(registry, "ranker", "rk-1", "retired", expect=None, **WHO)) == "MODEL-007"
    assert code_of(lambda: stages.move(registry, "ranker", "rk-9", "live", expect="rk-1", **WHO)) == "MODEL-001"


@pytest.mark.parametrize("verdict", ["fail", "hold"])
def test_a_gate_that_does_not_pass_keeps_a_version_from_users_unless_somebody_answers_for_it(verdict: str) -> None:
    now = judged(Stages(), "ranker", "rk-2", verdict, **WHO)  # type: ignore[arg-type]

    assert code_of(lambda: moved(now, "ranker", "rk-2", "canary", expect=NONE, **WHO)) == "MODEL-007"
    assert code_of(lambda: moved(now, "ranker", "rk-2", "live", expect="rk-1", **WHO)) == "MODEL-007"
    assert moved(now, "ranker", "rk-2", "shadow", expect=NONE, **WHO).holder("ranker", "shadow") == "rk-2"
    forced = moved(now, "ranker", "rk-2", "live", expect="rk-1", bypass="rk-1 is on fire", **WHO)
    assert (forced.live("ranker"), forced.moves[-1].bypass) == ("rk-2", "rk-1 is on fire")


def test_evidence_that_says_hold_never_promotes() -> None:
    held = {"verdict": "hold"}

    assert (
        code_of(lambda: moved(Stages(), "ranker", "rk-2", "live", expect="rk-1", evidence=held, **WHO)) == "MODEL-007"
    )
    assert moved(Stages(), "ranker", "rk-2", "live", expect="rk-1", evidence={"verdict": "pass"}, **WHO).moves


def test_a_document_that_is_none_is_an_error_and_not_the_first_generation(tmp_path: Path) -> None:
    (tmp_path / "stages.json").write_text('{"stages": {"ranker"')

    assert code_of(lambda: stages.read(tmp_path)) == "CFG-003"


VERSIONS = st.sampled_from(["rk-1", "rk-2", "rk-3"])


@given(st.lists(st.tuples(VERSIONS, st.sampled_from(STAGES), st.one_of(st.none(), VERSIONS)), max_size=12))
def test_whatever_people_try_one_is_live_and_shadow_and_canary_hold_at_most_one(tries: list) -> None:
    now = Stages()
    for version, stage, expect in tries:
        try:
            after = moved(now, "ranker", version, stage, expect=expect, **WHO)
        except SandboxError:
            continue
        assert expect is None or stage not in ("shadow", "canary", "live") or now.holder("ranker", stage) == expect
        now = after
        at = [now.stage_of("ranker", v) for v in ("rk-1", "rk-2", "rk-3")]
        assert at.count("live") == 1
        assert max(at.count("shadow"), at.count("canary")) <= 1
        assert [move.n for move in now.moves] == list(range(1, len(now.moves) + 1))


PROMOTER = """
import sys
from pathlib import Path
from sandbox.base import stages
from sandbox.base.errors import SandboxError
registry, mine = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for line in sys.stdin:  # a round: who should be live
    try:
        stages.move(registry, "ranker", mine, "live", expect=line.strip(), actor=mine, at=0.0)
        print("won", flush=True)
    except SandboxError as error:
        print(error.kind.code, flush=True)
"""


def test_two_processes_race_to_promote_and_a_reader_sees_one_live_version_at_every_look(tmp_path: Path) -> None:
    """P30: a reader looks every millisecond; in each round two promoters expect the same version; one wins, the other
    is told of a conflict."""
    registry = registry_with(tmp_path, "rk-1", "rk-2", "rk-3")
    seen: list[list[str]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.001):
            now = stages.read(registry)
            seen.append([v for v in ("rk-1", "rk-2", "rk-3") if now.stage_of("ranker", v) == "live"])

    command = [sys.executable, "-c", PROMOTER, str(registry)]
    racers = [
        subprocess.Popen([*command, mine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for mine in ("rk-2", "rk-3")
    ]
    reader = threading.Thread(target=look)
    try:
        assert [r.stdout.readline() for r in racers] == ["ready\n"] * 2  # type: ignore[union-attr]
        reader.start()
        for _ in range(10):
            for racer in racers:
                racer.stdin.write("rk-1\n")  # type: ignore[union-attr]
            for racer in racers:
                racer.stdin.flush()  # type: ignore[union-attr]
            told = sorted(r.stdout.readline().strip() for r in racers)  # type: ignore[union-attr]
            assert told == ["MODEL-006", "won"]
            stages.move(registry, "ranker", "rk-1", "live", expect=stages.read(registry).live("ranker"), **WHO)
    finally:
        stop.set()
        reader.join()
        for racer in racers:
            racer.communicate(timeout=10)

    assert len(seen) > 10
    assert all(len(live) == 1 for live in seen)
    assert len(stages.read(registry).moves) == 20


def test_a_promoter_that_is_killed_between_write_and_rename_has_moved_nothing(tmp_path: Path) -> None:
    registry = registry_with(tmp_path, "rk-1", "rk-2")
    code = """
import os, pathlib, sys
from sandbox.base import stages
pathlib.Path.replace = lambda *_: os._exit(9)
stages.move(pathlib.Path(sys.argv[1]), "ranker", "rk-2", "live", expect="rk-1", actor="a", at=0.0)
"""
    assert subprocess.run([sys.executable, "-c", code, str(registry)], check=False).returncode == 9

    assert stages.read(registry).live("ranker") == "rk-1"
    stages.move(registry, "ranker", "rk-2", "live", expect="rk-1", **WHO)  # and its lock is gone with it
