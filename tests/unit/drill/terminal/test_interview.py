"""The report by questions: nothing is taken for what it does not say, and nothing that was said is lost."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.terminal.interview import interview
from tests.unit.drill.desk import Scripted, begun_drill, collector, paged

QUERIES = ["select 1", "select 2", "select 1"]
CAUSE = ("stream", "stream-lag", "06:20", "...")  # component, mechanism, since when, whom
REST = ("...", "...", "...", "...", "...", "...")  # seen, impact, evidence, ruled out, sure, notes


@pytest.fixture
def drill(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return paged(begun_drill(tmp_path))


def reported(drill, *answers, queries=QUERIES, values=()):
    ask = Scripted(*answers)
    told, say = collector()
    report = interview(drill, ask, say, queries=queries, values_of=lambda _: values)
    assert ask.left == 0, "every answer was asked for"
    return report, ask.asked, "\n".join(told)


def test_before_the_page_no_question_is_worth_an_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    drill = begun_drill(tmp_path)

    with pytest.raises(SandboxError) as refusal:
        interview(drill, Scripted(), lambda _: None)

    assert refusal.value.kind.code == "DRILL-003"


@pytest.mark.parametrize("yes", ["...", "y", "yes", "YES", "true"])
def test_yes_in_any_form_and_enter_mean_an_incident(drill, yes):
    report, asked, _ = reported(drill, yes, *CAUSE, "no", *REST, "file")

    assert report.incident
    assert asked[0].endswith("[yes]"), "the default is shown, not typed for them"
    assert report.causes[0].component == "stream"


@pytest.mark.parametrize("unclear", ["yesy", "maybe", "incident", "0.5"])
def test_what_is_not_understood_is_asked_again_and_never_taken_as_no(drill, unclear):
    report, asked, told = reported(drill, unclear, "yes", *CAUSE, "no", *REST, "file")

    assert report.incident
    assert asked[0] == asked[1]
    assert f"{unclear!r} is neither yes nor no" in told


def test_a_false_alarm_is_one_word_and_enter_for_the_rest(drill):
    report, _, _ = reported(drill, "no", "...", "...", "...", "...", "...", "file")

    assert not report.incident
    assert report.causes[0].mechanism == "chance"


@pytest.mark.parametrize(
    ("at", "wrong", "reason"),
    [
        (1, "the stream", "there is no component 'the stream'"),
        (1, "none", "there is no component 'none'"),
        (2, "stream lagg", "did you mean stream-lag"),
        (2, "chance", "there is no mechanism 'chance'"),
        (3, "later", "is no world time like 2026-02-25"),
        (3, "05:00", "is not in the drill"),
        (3, "2026-02-26", "is not in the drill"),
        (3, "25:00", "no time of day"),
        (4, "EU", "not column=value"),
        (4, "regoin=EU", "did you mean region?"),
        (4, "region=EW", "no region is 'EW'; did you mean EU?"),
        (4, "region=", "needs a value"),
        (4, "user_bucket=20", "LOW-HIGH"),
        (5, "perhaps", "neither yes nor no"),
        (6, "06:14", "before it began"),
        (7, "clicks", "not metric=number"),
        (7, "clicks=lots", "a number, low..high"),
        (7, "clicks=9..3", "the lower number comes first"),
        (7, "click=3", "did you mean clicks?"),
        (8, "1 7", "'7' is no number from 1 to 2"),
        (9, "nobody", "there is no component or mechanism 'nobody'"),
        (10, "80", "no number from 0 to 1"),
        (10, "nan", "no number from 0 to 1"),
    ],
)
def test_every_answer_is_checked_at_once_and_asked_again_with_the_reason(drill, at, wrong, reason):
    answers = ["yes", *CAUSE, "no", *REST, "file"]

    report, asked, told = reported(drill, *answers[:at], wrong, *answers[at:], values=["EU", "US"])

    assert reason in told
    assert asked[at] == asked[at + 1]
    assert report.causes[0].mechanism == "stream-lag"


def test_several_causes_several_values_and_what_was_ruled_out(drill):
    report, _, told = reported(
        drill, "yes", *CAUSE[:3], "region=EU,US lang=de", "yes", "gateway -> features", "Slow Edge",
        "2026-02-25 06:30:00", "-", "no", "06:31", "clicks=80..120..160, p99_ms=5", "2 1", "entries wait",
        "...", "retrieval", "1", "feature contract", "2", "...", "80%", "mind the gap", "file",
    )  # fmt: skip

    first, second = report.causes
    assert (first.component, first.segment) == ("stream", {"region": ["EU", "US"], "lang": "de"})
    assert (second.component, second.mechanism) == ("gateway->features", "slow-edge")
    assert second.started_at == first.started_at + 600
    assert report.impact["clicks"].low == 80
    assert report.impact["p99_ms"].estimate == 5
    # The newest asking of a query counts: `select 1` was asked last.
    assert [(e.claim, e.sql) for e in report.evidence] == [
        ("entries wait", "select 1"),
        ("as the query says", "select 2"),
    ]
    assert [(r.what, r.sql) for r in report.ruled_out] == [("retrieval", "select 2"), ("feature-contract", "select 1")]
    assert report.confidence == 0.8
    assert report.notes == "mind the gap"
    assert "visits that end satisfied" in told, "metrics are listed with their units"


def test_nothing_is_filed_before_a_last_look_at_which_a_part_can_be_changed(drill):
    report, _, told = reported(drill, "yes", *CAUSE, "no", *REST, "...", "send", "confidence", "0.2", "file")

    assert "causes       stream, stream-lag, since 2026-02-25 06:20:00, everyone" in told
    assert "an answer is needed" in told, "Enter alone files nothing"
    assert "there is no way on 'send'" in told
    assert "confidence   20%" in told
    assert report.confidence == 0.2


def test_a_verdict_that_is_changed_has_its_other_parts_asked_for(drill):
    false_alarm = ("no", "...", "...", "...", "...", "...")
    report, _, _ = reported(drill, *false_alarm, "incident", "yes", *CAUSE, "no", "...", "...", "file")

    assert report.incident
    assert report.detected_at is not None


@pytest.mark.parametrize("way", [KeyboardInterrupt(), EOFError(), "back"])
def test_going_back_to_the_drill_files_nothing_and_keeps_what_was_said(drill, way):
    so_far = ("yes", *CAUSE, "no", *REST) if way == "back" else ("yes", *CAUSE[:2])
    report, _, _ = reported(drill, *so_far, way)

    assert report is None
    since = "..." if way == "back" else "06:20"
    enter = ("...", "...", "...", since, "...", "...", *REST)
    report, asked, _ = reported(drill, *enter, "file")
    assert "Which component? [stream]" in asked
    assert "Which mechanism, or family? [stream-lag]" in asked
    assert report.causes[0].component == "stream"


@pytest.mark.parametrize("n", range(1, 13))
def test_whatever_the_question_at_which_it_was_broken_off_enter_leads_to_the_same_report(drill, n):
    answers = ("yes", *CAUSE[:3], "region=EU", "no", "06:31", "clicks=3", "1", "it shows", "retrieval", "2",
               "...", "0.9", "fine")  # fmt: skip
    reported(drill, *answers[:n], KeyboardInterrupt())
    draft = Notebook(drill.directory).draft()
    assert draft["incident"] is True

    kept = {"Which component?": "stream", "Which mechanism, or family?": "stream-lag"}
    ask = _Defaults(dict(zip(_ORDER, answers, strict=True)))
    report = interview(drill, ask, lambda _: None, queries=QUERIES)

    assert report is not None
    assert report.causes[0].component == kept["Which component?"]
    assert report.causes[0].segment == {"region": "EU"}
    assert report.evidence[0].claim == "it shows"
    assert report.notes == "fine"


_ORDER = (
    "Was there", "Which component", "Which mechanism", "When did it begin", "Whom does it hit",
    "Another cause", "When was it seen", "How great", "Which of these queries", "What does", "What else did",
    "Which query shows", "-", "How sure", "Notes",
)  # fmt: skip


class _Defaults:
    """Takes each default there is, and gives the answer where there is none."""

    def __init__(self, answers: dict[str, str]) -> None:
        self._answers, self._ruled_out = answers, 0

    def __call__(self, question, words=()):
        if question.startswith("File it"):
            return "file"
        if question.startswith("What else did"):
            self._ruled_out += 1
            if self._ruled_out > 1:
                return ""
        fresh = {"When was it seen": "06:31", "How sure": "0.9"}
        for begin, answer in {**self._answers, **fresh}.items():
            if question.startswith(begin):
                has_default = question.endswith("]") and begin not in fresh
                as_usual = question.endswith("[as the query says]")
                return "" if has_default and not as_usual else answer
        raise AssertionError(question)
