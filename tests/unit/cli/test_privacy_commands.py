"""`sandbox privacy`, as a program and as a person ask it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cli.app import main
from tests.unit.privacy import mini


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command on a world of seven people: exit code, stdout, stderr."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    mini.world(tmp_path / "worlds" / "w", mini.people(7), mini.yes(7), [(user, 1.0) for user in range(7)])

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sandbox", "privacy", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def test_a_program_deletes_and_is_told_store_by_store(asked):
    code, out, err = asked("delete", "3", "--world", "w", "--json")
    told = json.loads(out)
    assert (code, err, told["user"], told["complete"]) == (0, "", "3", True)
    assert told["stores"]["worlds/w/public/impressions.parquet"] == {"before": 1, "after": 0}
    assert (told["models"], len(told["receipt"]["people"])) == ([], 1)
    assert json.loads(asked("audit", "--world", "w", "--json")[1]) == []


def test_a_file_of_users_is_erased_together_or_not_at_all(asked, tmp_path):
    (tmp_path / "users.txt").write_text("1\n\n2\n99\n")
    code, _, err = asked("delete", "--from", str(tmp_path / "users.txt"), "--world", "w", "--json")
    assert (code, json.loads(err)["code"], json.loads(err)["seen"]) == (2, "PRIV-002", "99")
    (tmp_path / "users.txt").write_text("1\n2\n")
    code, out, _ = asked("delete", "--from", str(tmp_path / "users.txt"), "--world", "w", "--json")
    assert (code, json.loads(out)["users"], json.loads(out)["already"]) == (0, 2, False)


def test_who_is_asked_on_a_terminal_may_say_no(asked, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    code, _, err = asked("delete", "3", "--world", "w")
    assert (code, "nothing was erased" in err) == (1, True)
    assert asked("delete", "3", "--world", "w", "--yes")[0] == 0


def test_an_export_is_for_people_and_for_programs(asked, tmp_path):
    page = tmp_path / "mine.md"
    code, out, _ = asked("export", "key-4", "--key", "--world", "w", "--json", "--to", str(page))
    told = json.loads(out)
    assert (code, told["user"], told["jurisdiction"]) == (0, "key-4", "pipeda")
    assert "worlds/w/public/users.parquet" in page.read_text()


def test_a_breach_ends_with_one_and_the_laws_are_told(asked, tmp_path):
    mini.keep_rows(tmp_path / "worlds" / "w", [3])
    said = [*mini.yes(7), (3, "personalisation", "denied", 2.0)]
    mini.world(tmp_path / "again", mini.people(7), said, [])
    ledger = Path("public") / "consent_ledger.parquet"
    (tmp_path / "worlds" / "w" / ledger).write_bytes((tmp_path / "again" / ledger).read_bytes())
    code, out, _ = asked("audit", "--world", "w", "--json")
    (row,) = json.loads(out)
    assert (code, row["rule"], row["people"], row["rows"], row["oldest_hours"], row["models"]) == (
        1, "processed-after-withdrawal", 1, 1, 48.0, ["rk-1"],
    )  # fmt: skip
    assert "processed" in asked("audit", "--world", "w")[1]
    rules = json.loads(asked("laws", "--world", "w", "--json")[1])
    assert {"GDPR", "CCPA/CPRA", "LGPD"} <= {rule["law"] for rule in rules}
    assert "c-27" not in {rule["rule"] for rule in rules}
