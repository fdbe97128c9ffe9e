"""A report is complete and possible, or refused by the name of the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.drill import report as reports

GOOD = {
    "incident": True, "started_at": "2026-03-01 10:20:00", "detected_at": "2026-03-01T10:25:00Z",
    "component": "stream", "mechanism": "stream-lag", "segment": {"region": "EU"},
    "actions": ["restart service=stream"], "evidence": [{"claim": "it lags", "sql": "select 1"}],
    "confidence": 0.8,
}  # fmt: skip


def test_times_are_world_times_in_utc():
    report = reports.checked(GOOD)

    assert report.detected_at - report.started_at == 300
    assert reports.world_time(report.started_at) == "2026-03-01 10:20:00"


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("incident", None, "incident"),
        ("incident", "perhaps", "incident"),
        ("incident", False, "incident"),
        ("started_at", None, "started_at"),
        ("started_at", "half past ten", "started_at"),
        ("started_at", float("nan"), "started_at"),
        ("started_at", True, "started_at"),
        ("started_at", "2026-03-01 10:30:00", "detected_at"),
        ("component", "the server", "component"),
        ("component", "none", "incident"),
        ("mechanism", "gremlins", "mechanism"),
        ("mechanism", "chance", "incident"),
        ("segment", {"shoe_size": "42"}, "segment"),
        ("segment", "everyone", "segment"),
        ("confidence", 1.7, "confidence"),
        ("confidence", float("nan"), "confidence"),
        ("actions", ["restart stream"], "actions"),
        ("evidence", [{"claim": "no query"}], "evidence"),
        ("evidence", [{"claim": "x", "sql": "select 1"}] * 50, "evidence"),
        ("blame", "you", "blame"),
        ("notes", "x" * 10_000, "notes"),
    ],
)
def test_what_is_missing_or_absurd_is_refused_by_name(field, value, named):
    with pytest.raises(SandboxError) as caught:
        reports.checked({**GOOD, field: value})

    assert caught.value.kind.code == "DRILL-003"
    assert caught.value.where.startswith(f"report, {named}")


def test_a_file_is_refused_with_the_line(tmp_path):
    path = tmp_path / "report.yaml"
    path.write_text(
        "incident: true\nstarted_at: 2026-03-01 10:20:00\ncomponent: gateway\nmechanism: bad luck\n"
    )

    with pytest.raises(SandboxError) as caught:
        reports.load(path)

    assert caught.value.where == "report.yaml:4, mechanism"
    assert "slow-edge" in caught.value.expected


def test_the_template_becomes_a_report_once_it_has_a_time(tmp_path):
    path = tmp_path / "report.yaml"
    path.write_text(reports.TEMPLATE)
    with pytest.raises(SandboxError, match="started_at"):
        reports.load(path)

    path.write_text(reports.TEMPLATE.replace("started_at: null", "started_at: 2026-03-01 10:20:00"))

    assert reports.load(path).component == "gateway"


def test_times_outside_the_drill_are_refused():
    report = reports.checked(GOOD)
    began = report.started_at - 600

    assert reports.within(report, began, began + 3_600) is report
    with pytest.raises(SandboxError, match="report, started_at"):
        reports.within(report, began + 7_200, began + 9_000)
    with pytest.raises(SandboxError, match="report, detected_at"):
        reports.within(report, began, began + 700)


def test_nothing_wrong_is_a_whole_report():
    report = reports.checked({"incident": False, "mechanism": "mix-shift", "confidence": 0.9})

    assert report.component == "none"


@given(
    st.dictionaries(st.sampled_from(list(GOOD)), st.none() | st.integers() | st.text(max_size=8))
)
def test_no_document_gets_through_but_as_a_report_or_a_named_refusal(changes):
    try:
        report = reports.checked({**GOOD, **changes})
    except SandboxError as error:
        report = error
    assert isinstance(report, reports.Report) or report.kind.code == "DRILL-003"
