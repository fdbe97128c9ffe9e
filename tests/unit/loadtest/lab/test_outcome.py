"""What a run's document and report say of requests that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from loadtest.lab import saved
from loadtest.lab.histogram import Histogram
from loadtest.lab.ledger import Ledger, Requests
from loadtest.lab.outcome import document, histograms, series
from loadtest.lab.report.of_run import report
from loadtest.lab.saturation import Machine, Process, resources, saturated
from loadtest.lab.telemetry import Seen
from sandbox.base.errors import SandboxError
from tests.unit.loadtest.lab.runs import a_run, requests


def test_latency_counts_from_the_intended_start_and_lateness_is_the_generators():
    run = replace(a_run(), requests=requests(np.arange(0, 20, 0.02), 0.010, late_s=0.030))
    told = document(run)

    assert told["percentiles_ms"]["50"] == pytest.approx(40, rel=2e-3)
    assert told["sent_percentiles_ms"]["50"] == pytest.approx(10, rel=2e-3)
    assert told["generator_lateness_p99_ms"] == pytest.approx(30, rel=2e-3)
    assert told["in_flight"] == pytest.approx(0.5, rel=0.01)


def test_counts_errors_and_what_was_never_sent_add_up():
    run = a_run(failed=0.1)
    n = len(run.requests)
    told = document(replace(run, requests=run.requests.only(np.arange(n) % 10 > 0)))

    assert told["offered"] == n
    assert told["sent"] == told["ok"] + sum(told["errors"].values()) < n
    assert set(told["errors"]) == {"DEADLINE_EXCEEDED"}
    assert {"percentiles_ms", "closed_loop_percentiles_ms", "generator_lateness_p99_ms", "saturated"} <= told.keys()
    assert list(told["percentiles_ms"]) == ["50", "75", "90", "95", "99", "99.9", "99.99"]


def test_a_run_without_one_answer_has_no_percentiles_but_a_report():
    run = a_run(failed=1.0)
    told = document(run)

    assert told["ok"] == 0
    assert told["percentiles_ms"] is None
    assert "DEADLINE_EXCEEDED" in report(saved.whole(run, "x", "now"))
    nothing = replace(run, requests=run.requests.only(np.zeros(len(run.requests), bool)))
    assert document(nothing)["sent"] == 0
    assert report(saved.whole(nothing, "x", "now"))


def test_the_resource_that_is_full_is_named_with_what_shows_it():
    told = document(a_run())

    assert told["saturated"]["resource"] == "model-0 cpu"
    assert "0.95 of one core" in told["saturated"]["evidence"]


def test_on_a_full_machine_it_is_said_who_fills_it():
    found = resources(Machine(2, 1.98, 0.2), [Process("model-0", 0.5)], 3.0)

    assert saturated(found)["resource"] == "machine cpu"
    assert "other programs 1.28" in saturated(found)["evidence"]


def test_where_nothing_is_full_nothing_is_named():
    assert saturated(resources(Machine(8, 1.0, 0.1), [Process("model-0", 0.5)], 1.0))["resource"] is None
    assert saturated([])["resource"] is None
    pool = resources(Machine(8, 1.0, 0.1), [Process("model-0", 0.5, queued=0.6)], 1.0)
    assert saturated(pool)["resource"] == "model-0 handlers"


def test_series_and_histograms_hold_every_request():
    run = a_run(failed=0.05)
    rows, kept = series(run), histograms(run)
    counted = [Histogram.decode(text).count for name, text in kept.items() if name == "latency" or "error/" in name]

    assert sum(r["offered_per_s"] for r in rows) == pytest.approx(len(run.requests))
    assert sum(counted) == len(run.requests)


def test_a_report_is_read_back_as_it_was_saved(tmp_path):
    run = a_run()
    page = saved.save(saved.fresh(tmp_path / "load"), saved.whole(run, "here", "now"), run.requests)
    again = saved.read(page)

    assert page.parent.name == "1"
    assert saved.fresh(tmp_path / "load").name == "2"
    assert again.document == json.loads(json.dumps(document(run)))
    assert np.array_equal(again.requests.done_s, run.requests.done_s)
    assert np.array_equal(again.requests.error, run.requests.error)


def test_a_disk_that_fills_up_leaves_no_half_of_a_report(tmp_path, monkeypatch):
    run = a_run()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved, "write_atomically", full)
    place = saved.fresh(tmp_path)
    with pytest.raises(OSError, match="space"):
        saved.save(place, saved.whole(run, "here", "now"), run.requests)

    assert list(place.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', "no json"])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)

    with pytest.raises(SandboxError, match="CFG-003"):
        saved.read(tmp_path)
    with pytest.raises(SandboxError, match="CFG-002"):
        saved.read(tmp_path / "none")


class _Outside(HTMLParser):
    """What a page would fetch, and its scripts."""

    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe") or any(name in ("src", "href") for name, _ in attrs):
            self.found.append(tag)


def test_the_page_needs_nothing_else_and_escapes_what_others_wrote():
    run = replace(a_run(), seen=Seen(note="<script>alert(1)</script>"))
    parser = _Outside()
    parser.found = []
    text = report(saved.whole(run, "<b>", "now"))
    parser.feed(text)

    assert parser.found == []
    assert "&lt;script&gt;" in text
    assert text.count("<svg") >= 3


def test_a_late_generator_and_an_early_end_are_noticed_on_the_page():
    run = replace(a_run(), requests=requests(np.arange(0, 20, 0.02), 0.010, late_s=0.5), interrupted=True)
    text = report(saved.whole(run, "x", "now"))

    assert "The generator was late" in text
    assert "ended early" in text


def test_a_ledger_keeps_requests_in_the_order_of_their_intended_start(tmp_path):
    ledger = Ledger()
    ledger.add(2.0, 2.1, 2.2, 0, "ok", False)
    ledger.add(1.0, 1.0, 3.0, 1, "UNAVAILABLE", False)
    ledger.add(1.5, 1.5, 1.6, 0, "ok", True)
    found = ledger.requests()
    found.save(tmp_path / "r.npz")

    assert found.intended_s.tolist() == [1.0, 1.5, 2.0]
    assert found.error.tolist() == ["UNAVAILABLE", "ok", "ok"]
    assert found.latency_ms.tolist() == pytest.approx([2000, 100, 200])
    assert Requests.load(tmp_path / "r.npz").fallback.tolist() == [False, True, False]
    assert len(Ledger().requests()) == 0


def test_requests_of_two_workers_are_one_run():
    whole = a_run().requests
    parts = [whole.only(np.arange(len(whole)) % 2 == worker) for worker in (0, 1)]

    assert np.array_equal(Requests.together(parts).done_s, whole.done_s)


def test_a_file_that_holds_no_requests_is_refused(tmp_path):
    (tmp_path / "r.npz").write_bytes(b"PK\x03\x04 half")

    with pytest.raises(SandboxError, match="LOAD-001"):
        Requests.load(tmp_path / "r.npz")
