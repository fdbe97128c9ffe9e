"""The journal outlives whoever writes it."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from sandbox.drill.play.journal import Journal, first, phase, public


def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "journal.jsonl", wall=lambda: 1_000.0)


def test_what_was_written_is_read_back_in_order(tmp_path):
    book = journal(tmp_path)
    book.append(10.0, "engine", "phase", name="baseline")
    book.append(20.5, "trainee", "action", text="restart service=stream", forms=[["restart", []]])

    entries = book.read()

    assert [(e.world_ts, e.wall_ts, e.who, e.what) for e in entries] == [
        (10.0, 1_000.0, "engine", "phase"),
        (20.5, 1_000.0, "trainee", "action"),
    ]
    assert entries[1].fields["text"] == "restart service=stream"
    assert phase(entries) == "baseline"


def test_a_line_that_was_cut_off_loses_itself_alone(tmp_path):
    book = journal(tmp_path)
    book.append(1.0, "engine", "phase", name="baseline")
    book.append(2.0, "engine", "page", text="PAGE")
    whole = book.path.read_bytes()

    first_line = whole.index(b"\n") + 1
    for cut in (first_line, first_line + 1, len(whole) - 2):
        book.path.write_bytes(whole[:cut])
        survivors = book.read()
        book.append(3.0, "engine", "phase", name="debrief")
        assert book.read() == [*survivors, book.read()[-1]]
        assert book.read()[-1].fields == {"name": "debrief"}
        assert survivors[0].what == "phase"


@pytest.mark.parametrize("fits", [0, 20])
def test_on_a_full_disk_an_entry_is_refused_whole_and_the_next_one_is_kept(tmp_path, monkeypatch, fits):
    book = journal(tmp_path)
    book.append(1.0, "engine", "phase", name="baseline")
    write = os.write

    def full(fd: int, line: bytes) -> int:
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, line[:fits])

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(OSError, match="space"):
            book.append(2.0, "trainee", "hint", text="look")
    book.append(3.0, "engine", "page", text="PAGE")

    assert [e.world_ts for e in book.read()] == [1.0, 3.0]


def test_a_sealed_line_that_was_cut_off_counts_as_damaged(tmp_path):
    book = journal(tmp_path)
    book.append(1.0, "engine", "phase", name="baseline")
    book.append(2.0, "engine", "armed", id="w1", fault="rpc-edge-latency")
    whole = book.path.read_bytes()
    assert b"rpc-edge-latency" not in whole
    first_line = whole.index(b"\n") + 1

    for cut in (first_line + 1, first_line + 30, len(whole) - 3):
        book.path.write_bytes(whole[:cut])

        assert [e.what for e in book.read()] == ["phase"]
        assert book.damaged() == 1


def test_a_journal_of_before_in_plain_lines_is_read(tmp_path):
    book = journal(tmp_path)
    book.path.write_text('{"world_ts":1,"wall_ts":2,"who":"engine","what":"armed","fields":{"id":"w1"}}\n')

    assert book.read()[0].fields == {"id": "w1"}
    assert book.damaged() == 0


def test_nothing_there_is_an_empty_journal(tmp_path):
    assert journal(tmp_path).read() == []
    assert phase([]) == "briefing"


def test_many_writers_never_tear_a_line(tmp_path):
    book = journal(tmp_path)

    def write(who: str) -> None:
        for number in range(5):
            book.append(float(number), who, "step", text="x" * 500)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(book.read()) == 20


def test_the_trainee_sees_pages_and_deeds_but_nothing_of_the_truth(tmp_path):
    book = journal(tmp_path)
    book.append(1.0, "engine", "phase", name="baseline")
    book.append(2.0, "colleague", "step", target="model", release="a -> b")
    book.append(3.0, "engine", "armed", id="w1", fault="rpc-edge-latency")
    book.append(4.0, "engine", "page", text="PAGE")

    shown = public(book.read())

    assert [e.what for e in shown] == ["phase", "page"]
    assert first(book.read(), "armed", id="w1") is not None
    assert "latency" not in str(shown)
