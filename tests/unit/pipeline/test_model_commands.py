"""`sandbox model` answers with one JSON document and names what is not there."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from sandbox.base import artefacts, stages
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.config import Config, ModelConfig
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.cli.app import main
from sandbox.cli.model import app
from sandbox.runtime.stack import Stack
from tests.unit.pipeline.two_tastes import END, tables, write_world


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    world = write_world(tmp_path / "worlds" / "two-tastes", *tables())
    made_from = Lineage(from_ts=END - 10, to_ts=END, rows=12, digest="d", pos_rate=0.25)
    manifest = Manifest(
        artifact="ranker", version="rk-1", created_ts=END, code_hash="c", seed=1, data=made_from,
        metrics={"auc": 0.75}, inputs=["item_stats.ctr_28d"],
    )  # fmt: skip
    artefacts.register(world / "registry", manifest, {"model.safetensors": b"weights"})
    return tmp_path


@pytest.fixture
def second(home: Path) -> Path:
    """The registry with rk-2 as well."""
    registry = home / "worlds" / "two-tastes" / "registry"
    first = artefacts.load(registry, "ranker", "rk-1").manifest
    artefacts.register(registry, first.model_copy(update={"version": "rk-2"}), {"model.safetensors": b"better"})
    return registry


def answer(*arguments: str) -> object:
    result = CliRunner().invoke(app, [*arguments, "--world", "two-tastes", "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_list_names_the_versions(home: Path) -> None:
    (row,) = answer("list")  # type: ignore[misc]

    assert (row["artifact"], row["version"], row["rows"]) == ("ranker", "rk-1", 12)
    assert row["metrics"] == {"auc": 0.75}


def test_show_is_the_manifest_with_its_lineage(home: Path) -> None:
    document = answer("show", "rk-1")

    assert document["data"]["pos_rate"] == 0.25  # type: ignore[index]
    assert document["inputs"] == ["item_stats.ctr_28d"]  # type: ignore[index]


def test_a_promotion_is_told_listed_and_in_the_history(second: Path, tmp_path: Path) -> None:
    (tmp_path / "auc.json").write_text('{"auc": 0.8}')

    made = answer("promote", "rk-2", "--stage", "live", "--expect", "rk-1", "--why", "auc", "--by", "ada",
                  "--evidence", str(tmp_path / "auc.json"))  # fmt: skip

    assert made == answer("history")[0]  # type: ignore[index]
    assert (made["actor"], made["replaced"], made["evidence"]) == ("ada", "rk-1", {"auc": 0.8})  # type: ignore[index, call-overload]
    assert [row["stage"] for row in answer("list")] == ["retired", "live"]  # type: ignore[attr-defined]
    assert answer("show", "rk-2")["stage"] == "live"  # type: ignore[index, call-overload]


def test_a_conflict_is_exit_code_1_and_a_typed_error(second: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model", "promote", "rk-2", "--stage", "live", "--expect", "rk-7", "--world", "two-tastes", "--json"]
    with pytest.raises(SystemExit) as done:
        main(words)

    printed = capsys.readouterr()
    assert (done.value.code, printed.out) == (1, "")
    assert json.loads(printed.err)["code"] == "MODEL-006"


def test_a_rollback_goes_back_and_needs_no_evidence(second: Path) -> None:
    stages.gate(second, "ranker", "rk-1", "fail", actor="gate", at=0.0)
    answer("promote", "rk-2", "--stage", "live", "--expect", "rk-1")

    made = answer("rollback", "--expect", "rk-2")

    assert (made["version"], made["replaced"], made["bypass"]) == ("rk-1", "rk-2", "its gate says fail")  # type: ignore[index, call-overload]
    assert stages.read(second).live("ranker") == "rk-1"


def test_half_a_version_is_shown_and_discarded(second: Path) -> None:
    (second / "ranker" / "rk-3").mkdir()

    listed = CliRunner().invoke(app, ["list", "--world", "two-tastes"])
    gone = answer("discard", "rk-3")

    assert "rk-3" in listed.stderr
    assert gone == {"version": "rk-3", "artifacts": ["ranker"]}
    assert not (second / "ranker" / "rk-3").exists()


def test_a_version_that_a_running_stack_serves_is_not_discarded(
    second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunInfo(
        run_dir=str(tmp_path / "run"), world="two-tastes", world_dir=str(second.parent), world_start=END, wall_start=0.0,
        speed=60.0, seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    run.path.mkdir()
    Config(model=ModelConfig(ranker="rk-2")).save(run.path)
    monkeypatch.setattr(Stack, "running", classmethod(lambda _: [SimpleNamespace(run=run)]))

    with pytest.raises(SandboxError, match="it is live in the stack"):
        answer("discard", "rk-2")

    assert len(artefacts.versions(second)) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("promote", "rk-2", "--stage", "golden"), "CFG-004"),
        (("promote", "rk-2", "--stage", "live"), "CFG-004"),
        (("promote", "rk-2", "--stage", "shadow", "--evidence", "/nowhere"), "CFG-004"),
        (("promote", "../rk-2", "--stage", "shadow"), "MODEL-001"),
        (("promote", "rk-1", "--stage", "retired"), "MODEL-007"),
        (("rollback",), "MODEL-007"),
        (("rollback", "ranking"), "CFG-004"),
        (("discard", "rk-1"), "MODEL-007"),
        (("discard", "rk-9"), "MODEL-001"),
        (("discard", "../.."), "MODEL-001"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_moves(second: Path, arguments: tuple[str, ...], code: str) -> None:
    with pytest.raises(SandboxError) as caught:
        answer(*arguments)

    assert caught.value.kind.code == code
    assert stages.read(second).moves == []
    assert len(artefacts.versions(second)) == 2


@pytest.mark.parametrize(
    ("arguments", "code"), [(("show", "rk-9"), "MODEL-001"), (("evaluate", "--protocol", "P9"), "MODEL-004")]
)
def test_what_is_not_there_is_named(home: Path, arguments: tuple[str, ...], code: str) -> None:
    with pytest.raises(SandboxError) as caught:
        answer(*arguments)

    assert caught.value.kind.code == code


def test_a_world_that_is_not_there_is_named(home: Path) -> None:
    result = CliRunner().invoke(app, ["list", "--world", "nowhere"])

    assert isinstance(result.exception, SandboxError)
    assert result.exception.kind.code == "WORLD-001"
