"""The scripted responder concludes only from what it was answered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.responders.autopilot import respond
from tests.unit.drill.scenes import FakeDesk, scenario

BEGAN = 1_000_000.0


def desk(lag_s, page_s: float = 2_000.0) -> FakeDesk:
    """A stack whose query answers lag_s(seconds since the drill began), and an onset at 1,200 s."""
    onset = datetime.fromtimestamp(BEGAN + 1_200, UTC).replace(tzinfo=None)

    def answer(now: float):
        return ["lag_s", "onset"], [[lag_s(now - BEGAN), onset]]

    return FakeDesk(answer, clock=BEGAN, page_at=BEGAN + page_s)


def test_it_waits_for_the_page_then_for_the_evidence_then_acts_and_reports():
    at = desk(lambda s: 0 if s < 3_000 else 900)

    report, finding = respond(scenario(), at, BEGAN)

    assert finding.convinced
    assert report.incident
    assert report.causes[0].started_at == BEGAN + 1_200
    assert BEGAN + 3_000 <= report.detected_at < BEGAN + 3_200
    assert [action for _, action in at.acted] == ["restart service=stream"]
    assert at.acted[0][0] > report.detected_at, "it looks twice before it acts"


def test_unconvinced_it_reports_that_nothing_is_wrong_and_touches_nothing():
    at = desk(lambda _: 299)

    report, _ = respond(scenario(), at, BEGAN)

    assert not report.incident
    assert at.acted == []
    assert at.clock >= BEGAN + 9_000, "it has waited as long as evidence may take"


def test_where_the_evidence_needs_a_look_it_looks_first_and_once_as_soon_as_it_is_paged():
    looking = scenario().model_copy(update={"probes": ("load-test rate=30 minutes=5",)})
    at = desk(lambda s: 0 if s < 3_000 else 900)

    report, _ = respond(looking, at, BEGAN)

    assert [action for _, action in at.acted] == ["load-test rate=30 minutes=5", "restart service=stream"]
    assert BEGAN + 2_000 <= at.acted[0][0] < BEGAN + 2_100
    assert list(report.actions) == ["restart service=stream"]


def test_one_lucky_answer_does_not_convince():
    at = desk(lambda s: 900 if 3_000 <= s < 3_100 else 0)

    report, _ = respond(scenario(), at, BEGAN)

    assert not report.incident


def test_an_unanswered_query_is_no_evidence_and_a_broken_one_is_an_error():
    def too_slow(_: float):
        raise SandboxError("LAKE-002", where="SQL", seen="11 s", expected="10 s", fix="less")

    report, _ = respond(scenario(), FakeDesk(too_slow, clock=BEGAN, page_at=BEGAN), BEGAN)
    assert not report.incident

    def broken(_: float):
        raise SandboxError("LAKE-004", where="SQL", seen="no such column", expected="SQL", fix="fix")

    with pytest.raises(SandboxError, match="no such column"):
        respond(scenario(), FakeDesk(broken, clock=BEGAN, page_at=BEGAN), BEGAN)
