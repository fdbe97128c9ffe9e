"""`sandbox load fit` on files: what it answers, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.lab import measurements
from sandbox.cli.app import main


def fit(path: Path, capsys) -> tuple[int, dict, dict]:
    with pytest.raises(SystemExit) as left:
        main(["load", "fit", str(path), "--json"])
    said = capsys.readouterr()
    code = left.value.code or 0
    return code, json.loads(said.out or "null"), json.loads(said.err or "null")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "m.csv"
    path.write_text(text)
    return path


def test_a_file_of_measurements_gets_its_law(tmp_path, capsys):
    rows = zip([1, 18, 36, 72, 108, 144, 216], [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2], strict=True)
    path = written(tmp_path, "x,n,host\n" + "".join(f"{x},{n},a\n" for n, x in rows) + "\n")
    code, told, _ = fit(path, capsys)

    assert code == 0
    assert {"alpha", "beta", "gamma", "peak_n", "peak_x", "limit", "intervals", "no_peak"} <= told.keys()
    assert told["peak_n"] == pytest.approx(96.52, abs=5e-3)
    assert told["intervals"]["peak_n"][0] < told["peak_n"] < told["intervals"]["peak_n"][1]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("n,x\n1,10\n2,18\n", "2 different n"),
        ("n,x\n1,10\n-2,18\n3,20\n", "n from -2"),
        ("n,x\n1,10\n2,nan\n3,20\n", "line 3"),
        ("n,x\n1,10\n2,many\n3,20\n", "line 3"),
        ("n,x\n1,10\n2\n3,20\n", "line 3"),
        ("users,rate\n1,10\n2,18\n3,20\n", "columns users, rate"),
        ("", "columns none"),
    ],
)
def test_measurements_that_are_none_are_refused_with_their_place(tmp_path, capsys, text, seen):
    code, told, refused = fit(written(tmp_path, text), capsys)

    assert (code, told, refused["code"]) == (2, None, "CFG-003")
    assert seen in refused["seen"]


def test_a_huge_file_is_refused_unread(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measurements, "LARGEST_BYTES", 100)
    code, _, refused = fit(written(tmp_path, "n,x\n" + "1,1\n" * 100), capsys)

    assert (code, refused["code"]) == (2, "CFG-003")
    assert "bytes" in refused["seen"]


def test_no_file_a_directory_and_no_text_are_refused(tmp_path, capsys):
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00n")

    assert fit(tmp_path / "none.csv", capsys)[2]["code"] == "CFG-002"
    assert fit(tmp_path, capsys)[2]["code"] == "CFG-002"
    assert fit(tmp_path / "b.csv", capsys)[2]["code"] == "CFG-003"
