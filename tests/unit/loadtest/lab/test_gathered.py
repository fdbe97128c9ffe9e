"""Reports of several workers put together: exactly what one would have measured, and what is missing is said."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from loadtest.lab.arrivals import arrivals
from loadtest.lab.gathered import Gathered, lost, report
from loadtest.lab.histogram import Histogram
from loadtest.lab.ledger import Requests
from loadtest.lab.plan import Plan
from loadtest.runner import Crew
from sandbox.base.errors import SandboxError
from tests.unit.loadtest.lab.runs import a_run

PLAN = Plan("poisson", rate=50.0, seconds=20.0)
WHOLE = a_run(failed=0.1).requests
IDS = ("machine-b", "machine-a", "machine-c")


def told_by(part: int, reports: int = 4) -> list[dict]:
    """What the worker with this part says, in so many reports."""
    mine = WHOLE.only(np.arange(part, len(WHOLE), 3))
    edges = np.linspace(0, len(mine), reports + 1).astype(int)
    return [
        report(mine.only(np.arange(low, high)), {"click": high, "told": high}, high, [f"{part}-{n}"])
        for n, (low, high) in enumerate(itertools.pairwise(edges.tolist()))
    ]


def gathered(kill: str | None = None) -> tuple[Gathered, list[str]]:
    found, ids = Gathered(IDS), []
    for one, part in found.parts.items():
        reports = told_by(part.worker)
        for n, told in enumerate(reports[:2] if one == kill else reports):
            ids += found.take(one, told, at_s=5.0 * (n + 1), last=n == 3)
        part.gone = one == kill
    return found, ids


def test_all_reports_together_are_what_one_process_would_have_measured():
    found, ids = gathered()

    assert not found.waiting
    for name in Requests.__dataclass_fields__:
        assert np.array_equal(getattr(found.requests(), name), getattr(WHOLE, name))
    ok = WHOLE.only(WHOLE.ok)
    assert found.histograms()["latency"].encode() == Histogram.of(ok.latency_ms).encode()
    assert found.histograms()["service"].percentiles_ms() == Histogram.of(ok.service_ms).percentiles_ms()
    assert found.counts() == {"click": len(WHOLE), "told": len(WHOLE)}
    assert len(set(ids)) == 12
    assert lost(found.document(PLAN)) == []
    assert sum(w["offered"] for w in found.document(PLAN)) == len(arrivals(PLAN))


def test_a_worker_that_was_killed_keeps_what_it_told_and_is_named():
    found, ids = gathered(kill="machine-b")
    row = found.document(PLAN)[1]
    whole = sum(len(part.told) for part in found.parts.values())

    assert not found.waiting, "nobody waits for the dead"
    assert whole == 10
    assert row["id"] == "machine-b"
    assert row["lost_after_s"] == 10.0
    assert 0 < row["told"] < row["offered"]
    assert {"1-0", "1-1"} < set(ids)
    (said,) = lost(found.document(PLAN))
    assert "machine-b" in said
    assert f"{row['told']} requests" in said


def test_a_report_that_never_arrived_shows_in_the_count():
    found = Gathered(["one"])
    reports = told_by(0)
    for n in (0, 2, 3):
        found.take("one", reports[n], at_s=float(n), last=n == 3)

    (said,) = lost(found.document(None))
    assert "sent" in said
    assert "told" in said


def test_who_comes_late_or_speaks_after_the_end_changes_nothing():
    found, _ = gathered()
    before = len(found.requests())

    assert found.take("a stranger", told_by(0)[0], at_s=9.0) == []
    assert found.take("machine-a", told_by(0)[0], at_s=99.0) == []
    assert len(found.requests()) == before


@pytest.mark.parametrize(
    "absurd", [{"here": 0}, {"here": -1, "elsewhere": 2}, {"here": 1000}, {"here": 1, "port": 70_000}]
)
def test_an_absurd_crew_is_refused(absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        Crew(**absurd)
