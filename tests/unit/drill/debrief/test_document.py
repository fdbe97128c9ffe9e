"""One document, whoever shows it: the truth beside what was said and done, in order."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from sandbox.drill.debrief.timeline import timeline
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.notebook import Look
from sandbox.drill.play.report import Report, RuledOut, Statement
from sandbox.drill.scenario import library
from sandbox.drill.terminal.debrief import render
from tests.unit.drill.debriefs import BEGAN, WALL, debrief_of, perfect
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_twin import twin_of

TWO_CAUSES = library.named("two-letters")
FALSE_ALARM = library.named("other-tongues")


def printed(told) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(render(told))
    return console.file.getvalue()


def row(told, item: str) -> dict:
    return next(i for i in told["items"] if i["item"] == item)


def test_what_was_expected_and_what_was_said_stand_beside_each_item():
    wrong = Report.blaming("store", "stream-lag", BEGAN + 1_800, {"region": "US"})

    told = debrief_of(scenario(), wrong)

    assert (row(told, "component")["expected"], row(told, "component")["said"]) == ("stream", "store")
    assert (row(told, "onset")["expected"], row(told, "onset")["said"]) == ("06:33:20", "06:43:20")
    assert (row(told, "segment")["expected"], row(told, "segment")["said"]) == ("region=EU", "region=US")
    assert row(told, "mitigation")["said"].startswith("restart service=stream")
    assert "restart service=redis" in row(told, "side_effects")["expected"]


def test_what_the_twin_measured_stands_beside_what_was_said():
    twin = twin_of().document("run")
    report = perfect(scenario(), impact={"clicks": {"estimate": 100, "low": 50, "high": 150}})

    told = debrief_of(scenario(), report, twin=twin)

    assert row(told, "impact")["said"] == "100 (50 to 150) clicks"
    assert row(told, "impact")["shown"].startswith(f"{twin['so_far']['clicks']['estimate']:.4g} clicks (95 %")


def test_each_cause_stands_beside_what_was_said_of_it():
    told = debrief_of(TWO_CAUSES, perfect(TWO_CAUSES))

    names = [r["what"] for r in told["compared"]]
    assert names == ["component 1", "mechanism", "began", "whom", "component 2", "mechanism", "began", "whom"]
    assert all(r["was"] == r["said"] for r in told["compared"])
    assert len(told["best_response"]) == 2


def test_of_a_false_alarm_it_is_told_what_explains_it():
    told = debrief_of(FALSE_ALARM, perfect(FALSE_ALARM))

    assert not told["happened"]
    assert told["compared"][0] == {
        "what": "explained by", "was": FALSE_ALARM.truth.first.mechanism, "said": FALSE_ALARM.truth.first.mechanism,
    }  # fmt: skip
    assert all(r["was"] == r["said"] for r in told["compared"])
    assert told["best_response"] == []
    assert row(told, "detection")["expected"] == "nothing wrong"


def test_a_fault_that_was_left_out_did_not_happen():
    told = debrief_of(scenario(), perfect(scenario()), faults=False)

    assert not told["happened"]
    assert {r["was"] for r in told["compared"]} == {"none", "never", "nobody"}
    assert told["best_response"] == []
    assert "the fault was left out" in printed(told)


def test_of_a_drill_that_was_given_up_nothing_was_said():
    told = debrief_of(scenario(), None)

    assert told["report"] is None
    assert {r["said"] for r in told["compared"]} == {"-"}
    assert row(told, "component")["said"] == "no report"
    assert told["timeline"][-1]["kind"] in ("abandoned", "disarmed")
    assert "given up, without marks" in printed(told)


def test_the_timeline_has_truth_page_looks_deeds_and_report_in_order_by_both_clocks():
    looks = [Look("select 1", True, BEGAN + 4_100, WALL + 70), Look("trace slowest", False, BEGAN + 4_200, WALL + 72)]

    told = debrief_of(scenario(), perfect(scenario()), looks)

    kinds = [r["kind"] for r in told["timeline"]]
    assert kinds == ["step", "armed", "page", "query", "look", "action", "report", "disarmed"]
    asked = told["timeline"][3]
    assert (asked["ts"], asked["words"], asked["at_s"]) == ("2026-02-25 07:21:40", "select 1", 4_100)
    assert asked["wall"] == "2026-05-28T20:27:50Z"
    assert [r["at_s"] for r in told["timeline"]] == sorted(r["at_s"] for r in told["timeline"])
    assert "you ask" in printed(told)


def test_a_report_of_before_that_named_one_cause_without_a_list_is_told_like_one_with_it():
    old = {"incident": True, "component": "stream", "mechanism": "stream-lag", "started_at": BEGAN + 60}
    listed = Report.model_validate(old).model_dump(mode="json")

    told = [timeline([Entry(BEGAN + 90, 0.0, "trainee", "report", {"report": r})], (), BEGAN)[0] for r in (old, listed)]

    assert told[0]["words"] == "stream: stream-lag"
    assert told[0] == told[1]


def test_what_was_asked_after_the_report_is_no_part_of_the_drill():
    late = Look("select 'afterwards'", True, BEGAN + 50_000, WALL)

    told = debrief_of(scenario(), perfect(scenario(), evidence=[]), [late])

    assert told["queries"] == []
    assert "afterwards" not in json.dumps(told["timeline"])


def test_every_query_has_its_strength_whether_it_was_quoted_or_not():
    quoted = Statement(claim="it lags", sql="select lag")
    report = perfect(
        scenario(), evidence=[quoted], ruled_out=[RuledOut(what="store", sql="select redis"), RuledOut(what="chance")]
    )
    looks = [
        Look(sql, True, BEGAN + 4_000 + n, WALL) for n, sql in enumerate(("select aside", "select lag", "select lag"))
    ]
    looks.append(Look("select before times were noted"))
    found = {
        "evidence": [{"claim": "it lags", "sql": "select lag", "value": 0.9, "column": "lag", "why": "stands out"}],
        "ruled_out": [{"claim": "not store", "sql": "select redis", "value": 0.4, "column": "x", "why": "differs"}],
        "asked": [{"claim": "", "sql": "select aside", "value": 0.0, "column": "", "why": "says the same"}],
    }

    told = debrief_of(scenario(), report, looks, looked=found)

    rows = [(q["sql"], q["used"], q["value"], q["ts"] is not None) for q in told["queries"]]
    assert rows == [
        ("select aside", None, 0.0, True),
        ("select lag", "evidence", 0.9, True),
        ("select before times were noted", None, None, False),
        ("select redis", "ruled_out", 0.4, False),
    ]
    assert row(told, "evidence")["shown"] == "strength 0.90"


@pytest.mark.parametrize("wall_ts", [None, 0.0])
def test_a_wall_clock_that_nobody_read_is_not_told(wall_ts):
    told = debrief_of(scenario(), perfect(scenario()), [Look("select 1", True, BEGAN + 4_100, wall_ts)])

    assert next(r for r in told["timeline"] if r["kind"] == "query")["wall"] is None
