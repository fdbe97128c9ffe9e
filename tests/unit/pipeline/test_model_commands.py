"""`sandbox model` answers with one JSON document and names what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.errors import SandboxError
from sandbox.cli.model import app
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
