"""Laws as data: what is in force when, and a file that is wrong says where."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.privacy import policy, reference, rules

PAGE = Path(__file__).parents[3] / "docs" / "privacy.md"
GOOD = """\
law: Test
title: A law for tests
jurisdictions: [gdpr]
articles:
  "1": says something
rules:
  - id: one
    article: "1"
    demands: {kind: retention, days: 3}
    effective_from: 2020-01-01
    until: 2021-01-01
    status: in-force
    source: nobody
    source_date: 2026-01-01
    sure: false
    simplified: all of it
"""
SECOND = GOOD[GOOD.index("  - id") :]


def refused(text: str) -> SandboxError:
    with pytest.raises(SandboxError) as error:
        rules.parse(text.encode(), "test.yaml")
    assert error.value.kind.code == "PRIV-001"
    return error.value


def test_a_good_law_is_read():
    law = rules.parse(GOOD.encode(), "test.yaml")
    assert law.rules[0].holds(date(2020, 1, 1))
    assert not law.rules[0].holds(date(2021, 1, 1))
    assert not law.rules[0].holds(date(2019, 12, 31))


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (('article: "1"', 'article: "2"'), 8, "2"),
        (("until: 2021-01-01", "until: 2019-01-01"), 11, "2020-01-01 until 2019-01-01"),
        (("until: 2021-01-01", "until: 2020-01-01"), 11, "2020-01-01 until 2020-01-01"),
        (("effective_from: 2020-01-01", "effective_from: 1 May"), 10, "1 May"),
        (("    source: nobody\n", ""), 7, "nothing"),
        (("days: 3", "days: 0"), 9, 0),
        (("days: 3", "weeks: 3"), 9, "nothing"),
        (("kind: retention", "kind: retain"), 9, "dict"),
        (("status: in-force", "status: proposed"), 7, "status proposed, effective_from 2020-01-01, standing ''"),
        (("    effective_from: 2020-01-01\n", ""), 7, "no effective_from"),
        (("jurisdictions: [gdpr]", "jurisdictions: [mars]"), 3, "mars"),
        (("sure: false", "sure: perhaps"), 15, "perhaps"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change, line, says):
    before, after = change
    assert before in GOOD
    error = refused(GOOD.replace(before, after, 1))
    assert error.where.startswith(f"test.yaml:{line},")
    assert error.seen == says


def test_two_versions_may_follow_each_other_and_not_overlap():
    later = SECOND.replace("2020-01-01", "2021-01-01", 1).replace("    until: 2021-01-01\n", "")
    assert [r.holds(date(2022, 1, 1)) for r in rules.parse((GOOD + later).encode(), "t").rules] == [False, True]
    error = refused(GOOD + SECOND.replace("2020-01-01", "2020-12-31", 1).replace("    until: 2021-01-01\n", ""))
    assert error.where.startswith("test.yaml:20,")
    assert "2020-12-31" in str(error.seen)


def test_no_rule_is_without_a_citation_and_no_bill_is_law():
    seen = [rule for law in rules.laws() for rule in law.rules]
    assert all(rule.source and rule.simplified for rule in seen)
    standing = {rule.id: rule.standing for rule in seen if rule.status != "in-force"}
    assert standing["c-27"] == "died 6 January 2025"
    assert standing["c-36"] == "before Parliament as of June 2026"
    assert not any(rule.holds(date(2030, 1, 1)) for rule in seen if rule.id in standing)


def test_every_jurisdiction_but_the_lawless_has_times_for_access_and_deletion():
    for jurisdiction in set(rules.JURISDICTIONS) - {"us"}:
        kinds = {c.rule.demands.kind for c in rules.in_force(jurisdiction, date(2026, 3, 2))}
        assert {"consent", "retention", "access", "deletion"} <= kinds, jurisdiction


@pytest.mark.parametrize(("day", "article"), [(date(2026, 2, 4), "22"), (date(2026, 2, 5), "22A-22D")])
def test_the_clock_decides_which_version_of_a_rule_holds(day, article):
    (cited,) = [c for c in rules.in_force("uk-gdpr", day) if c.rule.id == "uk-automated"]
    assert cited.rule.article == article


@pytest.mark.parametrize(("day", "basis"), [(date(2026, 3, 16), "opt-in"), (date(2026, 3, 17), "never")])
def test_brazils_minors_are_not_profiled_for_ads_from_the_day_of_the_law(day, basis):
    assert _basis("lgpd", "ads_profiling", "13-17", day) == basis


def test_what_a_person_is_asked_depends_on_where_and_how_old():
    day = date(2026, 3, 2)
    assert _basis("gdpr", "ads_profiling", "13-17", day) == "never"
    assert _basis("gdpr", "ads_profiling", "18-24", day) == "opt-in"
    assert _basis("gdpr", "ads_profiling", "unknown", day) == "opt-in"
    assert _basis("ccpa", "ads_profiling", "13-17", day) == "opt-in"
    assert _basis("ccpa", "ads_profiling", "35-44", day) == "opt-out"
    assert _basis("us", "sensitive", "35-44", day) == "opt-out"


def test_the_page_has_the_table_of_the_rules():
    assert PAGE.read_text() == reference.page(PAGE.read_text()), "python -m sandbox.privacy.reference docs/privacy.md"


def _basis(jurisdiction: str, purpose: str, band: str, day: date) -> str:
    (line,) = [x for x in policy.lines(day) if (x.jurisdiction, x.purpose, x.age_band) == (jurisdiction, purpose, band)]
    return line.basis
