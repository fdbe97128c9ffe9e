"""A report is complete and possible, or refused by the name of the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.drill.play import report as reports

GOOD = {
    "incident": True, "started_at": "2026-03-01 10:20:00", "detected_at": "2026-03-01T10:25:00Z",
    "component": "stream", "mechanism": "stream-lag", "segment": {"region": "EU"},
    "actions": ["restart service=stream"], "evidence": [{"claim": "it lags", "sql": "select 1"}],
    "confidence": 0.8,
}  # fmt: skip


def test_times_are_world_times_in_utc():
    report = reports.checked(GOOD)

    assert report.detected_at - report.causes[0].started_at == 300
    assert reports.world_time(report.causes[0].started_at) == "2026-03-01 10:20:00"


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
    path.write_text("incident: true\nstarted_at: 2026-03-01 10:20:00\ncomponent: gateway\nmechanism: bad luck\n")

    with pytest.raises(SandboxError) as caught:
        reports.load(path)

    assert caught.value.where == "report.yaml:4, mechanism"
    assert "slow-edge" in caught.value.expected


def test_the_template_is_a_report_of_nothing_once_it_says_so(tmp_path):
    path = tmp_path / "report.yaml"
    path.write_text(reports.TEMPLATE.replace("incident: true ", "incident: false"))

    report = reports.load(path)

    assert not report.incident
    assert report.causes == (reports.NamedCause(),)
    assert report.confidence is None


def test_the_template_becomes_a_report_once_it_names_a_cause(tmp_path):
    path = tmp_path / "report.yaml"
    path.write_text(reports.TEMPLATE)
    with pytest.raises(SandboxError, match="incident"):
        reports.load(path)

    cause = "{component: gateway, mechanism: latency, started_at: 2026-03-01 10:20:00}"
    path.write_text(reports.TEMPLATE.replace("causes: []", f"causes: [{cause}]"))

    assert reports.load(path).causes[0].component == "gateway"


def test_one_cause_may_stand_in_the_report_directly_and_several_in_a_list():
    one = {k: GOOD[k] for k in ("component", "mechanism", "started_at", "segment")}
    rest = {k: v for k, v in GOOD.items() if k not in one}

    assert reports.checked(GOOD) == reports.checked({**rest, "causes": [one]})
    with pytest.raises(SandboxError, match=r"report, (component|mechanism|started_at|segment)"):
        reports.checked({**GOOD, "causes": [one]})
    with pytest.raises(SandboxError, match=r"report, causes\[1\].component"):
        reports.checked({**rest, "causes": [one, {**one, "component": "the server"}]})


def test_what_was_ruled_out_may_come_with_a_query():
    report = reports.checked({**GOOD, "ruled_out": ["the weather", {"what": "slow-edge", "sql": "select 1"}]})

    assert [(r.what, r.sql) for r in report.ruled_out] == [("the weather", None), ("slow-edge", "select 1")]
    with pytest.raises(SandboxError, match="ruled_out"):
        reports.checked({**GOOD, "ruled_out": [{"what": "the weather", "sql": "select 1"}]})


def test_times_outside_the_drill_are_refused():
    report = reports.checked(GOOD)
    began = report.causes[0].started_at - 600

    assert reports.within(report, began, began + 3_600) is report
    with pytest.raises(SandboxError, match="report, detected_at"):
        reports.within(report, began + 7_200, began + 9_000)
    with pytest.raises(SandboxError, match="report, detected_at"):
        reports.within(report, began, began + 700)


def test_nothing_wrong_is_a_whole_report():
    report = reports.checked({"incident": False, "mechanism": "mix-shift", "confidence": 0.9})

    assert report.causes[0].component == "none"


@given(st.dictionaries(st.sampled_from(list(GOOD)), st.none() | st.integers() | st.text(max_size=8)))
def test_no_document_gets_through_but_as_a_report_or_a_named_refusal(changes):
    try:
        report = reports.checked({**GOOD, **changes})
    except SandboxError as error:
        report = error
    assert isinstance(report, reports.Report) or report.kind.code == "DRILL-003"
