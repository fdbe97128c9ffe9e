"""The responders that ship: what each does at its drill, and what each never does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.responders import registry
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.scenario import library
from sandbox.telemetry.sql import SqlWorker
from tests.unit.drill import lakes
from tests.unit.drill.fake_drill import BEGAN, FakeDrill, evidence_holds, nothing, with_outcome
from tests.unit.drill.scenes import scenario

NAIVE = [name for name in registry.SHIPPED if name != registry.GOLD]


def played(name, tmp_path, answer=nothing, of=None, seed=1, faults=True):
    """What a responder did and reported, and its score."""
    drills = []

    def opener(scenario, world, seed, faults, run_dir):
        drills.append(FakeDrill(scenario, seed, faults, answer))
        return with_outcome(drills[-1])

    of = of or scenario()
    with DrillEnv(of, seed=seed, faults=faults, run_dir=tmp_path, opener=opener) as env:
        env.reset()
        score = env.submit(registry.made(name, of).respond(env)).score
    return drills[-1], drills[-1].filed, score


def telling(**tables):
    """Answers by the first table that the query names, no row for any other."""

    def answer(sql: str, now: float):
        for table, rows in tables.items():
            if f"FROM {table}" in sql:
                return rows
        return ["n"], []

    return answer


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGAN + seconds, UTC).replace(tzinfo=None)


CHANGES = telling(changes=(["ts", "target", "key"], [[at(1_800), "rules", "explore_share"]]))


@pytest.mark.parametrize("name", NAIVE)
def test_all_answer_after_the_page_with_a_report_that_is_accepted(name, tmp_path):
    drill, report, _ = played(name, tmp_path)

    assert report is not None
    assert drill.clock >= BEGAN + 4_000


@pytest.mark.parametrize("name", NAIVE)
def test_none_but_gold_asks_for_the_evidence(name, tmp_path):
    of = library.named("slow-home")

    drill, _, _ = played(name, tmp_path, of=of)

    assert not {e.sql.partition("$")[0] for e in of.evidence} & {s.partition("TIME")[0] for s in drill.asked}


def test_do_nothing_does_nothing(tmp_path):
    drill, report, score = played("do-nothing", tmp_path)

    assert not report.incident
    assert (drill.acted, drill.asked) == ([], [])
    assert score < 0.1


def test_random_draws_by_drill_and_seed(tmp_path):
    def drawn(seed):
        drill, report, _ = played("random", tmp_path, seed=seed)
        return report, drill.acted

    assert drawn(1) == drawn(1)
    assert len({repr(drawn(seed)) for seed in range(6)}) > 3


def test_constant_is_chosen_on_the_other_drills(tmp_path):
    """What it answers to a drill does not change with that drill's own truth."""
    of = library.named("slow-home")
    other = of.model_copy(
        update={"truth": of.truth.model_copy(update={"mechanism": "crash-loop", "component": "store"})}
    )

    assert played("constant", tmp_path, of=of)[1] == played("constant", tmp_path, of=other)[1]


@pytest.mark.parametrize(
    ("rule", "component"),
    [
        ("latency-typical-fast-burn", "gateway"),
        ("feature-age-item_stats-slow-burn", "item_stats"),
        ("feature-age-user_session-fast-burn", "user_session"),
        ("ctr-low", "ranker"),
    ],
)
def test_first_alert_reports_what_the_name_says(rule, component, tmp_path):
    fired = telling(alerts=(["ts", "rule"], [[at(1_500), rule]]))

    _, report, _ = played("first-alert", tmp_path, fired)

    assert report.causes[0].component == component
    assert report.causes[0].started_at == BEGAN + 1_500


def test_first_alert_without_one_doubts_the_alerts(tmp_path):
    drill, report, _ = played("first-alert", tmp_path)

    assert report.causes[0].component == "monitoring"
    assert drill.acted == []


def test_last_change_takes_the_change_back_and_blames_it(tmp_path):
    drill, report, _ = played("last-change", tmp_path, CHANGES)

    assert report.causes[0].component == "rules"
    assert report.causes[0].started_at == BEGAN + 1_800
    assert [action for _, action in drill.acted] == ["revert target=rules key=explore_share"]


def test_vandal_leaves_nothing_as_it_was_and_never_beats_do_nothing(tmp_path):
    drill, _, score = played("vandal", tmp_path, CHANGES)

    done = [action for _, action in drill.acted]
    assert "restart service=redis" in done
    assert "revert target=rules key=explore_share" in done
    assert not [action for action in done if action.startswith("promote")], "was refused"
    quiet = scenario(
        timeline=[{"at_s": 600, "target": "gateway", "change": {"key": "banner", "new": "autumn"}}],
        truth={"incident": False, "component": "none", "mechanism": "chance"},
        accept=[],
    )
    assert played("vandal", tmp_path, of=quiet)[2] < played("do-nothing", tmp_path, of=quiet)[2]
    assert score <= 0.2, "what taking everything back may happen to mend"


def test_gold_asks_concludes_acts_and_says_what_it_cost(tmp_path):
    """Of 20 visits with 10 answers each, half before the onset with 2 clicks an answer, half after it with
    1: 100 answers came since, so 100 clicks are missing, and no two visits differ."""
    visits = [(k, 500 + 10 * k if k < 10 else 2_000 + 10 * k, 2 if k < 10 else 1) for k in range(20)]
    lakes.write(tmp_path / "lake", **answers(visits, {1: "A", 2: "A"}))

    with SqlWorker(tmp_path / "lake") as worker:
        drill, report, score = played("gold", tmp_path, beside_evidence(worker))

    assert score >= 0.9
    assert [action for _, action in drill.acted] == ["restart service=stream"]
    assert report.model_dump()["impact"] == {"clicks": {"estimate": 100, "low": 100, "high": 100}}


def test_gold_names_a_group_that_lost_its_places_and_a_tail_that_rose(tmp_path):
    """Before, one of two items was of group B and all took 10 ms; after, none and 90 ms."""
    visits = [(k, 500 + 10 * k if k < 10 else 2_000 + 10 * k, 1) for k in range(20)]
    tables = answers(visits, {1: "A", 2: "B", 3: "A"})
    for row in tables["requests"]:
        row["latency_ms"] = 10.0 if row["ts"] < BEGAN + 1_200 else 90.0
    for row in tables["impressions"]:
        if row["ts"] >= BEGAN + 1_200 and row["item_id"] == 2:
            row["item_id"] = 3
    lakes.write(tmp_path / "lake", **tables)

    with SqlWorker(tmp_path / "lake") as worker:
        _, report, _ = played("gold", tmp_path, beside_evidence(worker))

    impact = report.model_dump()["impact"]
    assert impact["exposure_gap"]["estimate"] == pytest.approx(50)
    assert impact["p99_ms"] == {"estimate": 80, "low": 80, "high": 80}
    assert impact["clicks"]["estimate"] == 0


def test_gold_gives_no_estimate_that_it_cannot_make(tmp_path):
    lakes.write(tmp_path / "lake", **answers([(1, 500, 2), (2, 2_000, 1)], {1: "A", 2: "A"}))

    with SqlWorker(tmp_path / "lake") as worker:
        _, report, _ = played("gold", tmp_path, beside_evidence(worker))

    assert report.incident
    assert not report.impact


def answers(visits, groups):
    """Tables of visits (number, begin, clicks of each answer) with ten answers of two items each."""
    tables = {"requests": [], "impressions": [], "outcomes": [], "items": []}
    for item, group in groups.items():
        tables["items"].append({"item_id": item, "creator_group": group})
    for visit, begin, clicks in visits:
        for k in range(10):
            ts, request = BEGAN + begin + k, f"{visit}-{k}"
            tables["requests"].append(
                {"ts": ts, "request_id": request, "session_id": str(visit), "n_items": 2, "latency_ms": 10.0}
            )
            for item in (1, 2):
                tables["impressions"].append(
                    {"ts": ts, "request_id": request, "session_id": str(visit), "item_id": item}
                )
            for item in (1, 2)[:clicks]:
                tables["outcomes"].append({
                    "event_ts": ts, "ingest_ts": ts, "event_id": f"{request}-{item}", "request_id": request,
                    "item_id": item, "kind": "click", "value": 1.0,
                })  # fmt: skip
    return tables


def beside_evidence(worker):
    """The evidence as the fake has it, everything else from the lake."""

    def answer(sql: str, now: float):
        if "lag_s" in sql:
            return evidence_holds(sql, now)
        found = worker.query(sql)
        return found.columns, found.rows

    return answer


def test_gold_without_the_fault_touches_nothing_and_says_so(tmp_path):
    drill, report, score = played("gold", tmp_path, nothing, faults=False)

    assert not report.incident
    assert drill.acted == []
    assert score >= 0.9


def test_responders_are_named_or_found_by_module_and_class():
    assert registry.checked(["all", "gold"]) == list(registry.SHIPPED)
    assert registry.checked(["tests.unit.drill.fake_drill:Knows"])

    for unknown in ("golden", "no_such_module:Class", "tests.unit:", ":X", "a b:C"):
        with pytest.raises(SandboxError) as refused:
            registry.checked([unknown])
        assert refused.value.kind.code == "CFG-004"


def test_the_example_of_the_page_says_when_a_figure_left_for_good(tmp_path):
    """Windows of 5 minutes of 10 ms, give or take 0.1; one of 90 ms is an outlier, three to the end are not."""
    page = (Path(__file__).resolve().parents[4] / "docs/responders.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "example_responder.py").write_text(code)

    def windows(*late_ms):
        figures = [10.0, 10.1, 9.9, 10.0, 10.1, 9.9, *late_ms]
        rows = [[at(300 * k), ms, 10.0, 0.0] for k, ms in enumerate(figures)]
        return telling(requests=(["since", "ms", "items", "degraded"], rows))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.syspath_prepend(tmp_path)
        moved = played("example_responder:Mine", tmp_path, windows(90.0, 10.0, 90.0, 91.0, 92.0))
        calm = played("example_responder:Mine", tmp_path, windows(90.0, 10.0, 10.1, 9.9, 10.0))

    assert moved[1].incident
    assert moved[1].model_dump()["causes"][0]["started_at"] == BEGAN + 300 * 8
    assert moved[0].acted == [], "it gives nobody's repair away"
    assert not calm[1].incident


def test_every_responder_that_ships_is_on_the_page():
    page = (Path(__file__).resolve().parents[4] / "docs/responders.md").read_text()

    assert all(f"| `{name}` |" in page for name in registry.SHIPPED)
