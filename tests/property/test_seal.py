"""What is sealed comes back whole or not at all, and cannot be read in between."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.play.seal import KEY_BYTES, Seal

KEY = bytes(range(KEY_BYTES))


@given(st.binary(max_size=2_000))
def test_what_was_sealed_comes_back_and_is_one_line(text):
    line = Seal(KEY).close(text)

    assert Seal(KEY).open(line) == text
    assert line.isascii()
    assert "\n" not in line


@given(st.binary(max_size=300), st.data())
def test_a_line_that_was_cut_off_or_changed_is_refused(text, data):
    line = Seal(KEY).close(text)
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    place = data.draw(st.integers(0, len(line) - 5))  # the last four may hold bits of no meaning
    changed = line[:place] + ("A" if line[place] != "A" else "B") + line[place + 1 :]

    for bad in (cut, changed):
        with pytest.raises(ValueError, match="seal"):
            Seal(KEY).open(bad)


def test_one_text_is_sealed_differently_each_time_and_by_each_key():
    lines = {Seal(KEY).close(b"restart service=stream") for _ in range(20)}

    assert len(lines) == 20
    with pytest.raises(ValueError, match="key"):
        Seal(bytes(KEY_BYTES)).open(lines.pop())


def test_processes_that_come_at_once_share_one_key(tmp_path):
    made: list[str] = []

    def come() -> None:
        made.append(Seal.beside(tmp_path).close(b"x"))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {Seal.beside(tmp_path).open(line) for line in made} == {b"x"}
    assert len(made) == 8
    assert [p.name for p in tmp_path.iterdir()] == ["key"], "nothing half made is left"
