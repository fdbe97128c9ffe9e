"""The partition of an earlier day is taken in again: to the byte, and under the date of today."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from faults.arming import Spec
from faults.stages import armed_stages
from sandbox.pipeline.events import DAY_S
from sandbox.pipeline.stages.settings import PipelineConfig
from tests.unit.pipeline.stages.small import dataset, engine

FAULT = "stale-partition-reused"
TIMES = {"impressions": "ts", "outcomes": "event_ts"}


def stage(run, name):
    return next(one for one in run.stages if one.stage == name)


def newest(made, name):
    ((ts,),) = made.rows(name, "SELECT max(event_ts) FROM t")
    return ts


@pytest.mark.parametrize("days", [1, 2])
def test_what_was_known_some_days_ago_is_taken_in_and_nothing_since(made, days):
    healthy, stale = made("ingest"), made("ingest", FAULT, days_old=days)
    until = healthy.run.as_of - days * DAY_S

    for name in ("impressions_in", "outcomes_in"):
        known = f"SELECT * FROM t WHERE greatest(event_ts, known_ts) < {until} ORDER BY ALL"
        assert stale.rows(name, "SELECT * FROM t ORDER BY ALL") == healthy.rows(name, known)
        assert newest(stale, name) < until <= newest(healthy, name)


def test_it_is_stamped_with_today_and_every_stage_is_well(made):
    healthy, stale = made("features"), made("features", FAULT)

    of_today = "SELECT max(as_of), count(*) FILTER (as_of = (SELECT max(as_of) FROM t)) > 0 FROM t"
    for view in ("user_profile", "item_stats"):
        assert stale.rows(view, of_today) == healthy.rows(view, of_today) == [(healthy.run.as_of, True)]
    assert (stale.run.status, [one.stage for one in stale.run.stages]) == (
        "done",
        [one.stage for one in healthy.run.stages],
    )
    was, now = stage(healthy.run, "features"), stage(stale.run, "features")
    assert now.newest_ts < was.newest_ts - DAY_S / 2
    assert "not_known_yet" not in stale.dropped("ingest"), "later rows lie in other partitions, and are not seen"


def yesterday_and_today(two_tastes, books, *, stale):
    """(what was taken in by the run of yesterday and by that of today, checks of today's). The source of today has
    what came since, in a file of its own."""
    built = engine(two_tastes, books=books)
    today = built.sources.as_of
    early, late = books / "early", books / "late"
    parts = {name: [] for name in TIMES}
    for folder in (early, late):
        folder.mkdir(parents=True)
    for name, column in TIMES.items():
        whole = pq.read_table(built.sources.files[name][0])
        known = whole["ingest_ts"] if "ingest_ts" in whole.column_names else whole[column]
        before = [
            a < today - DAY_S and b < today - DAY_S
            for a, b in zip(whole[column].to_pylist(), known.to_pylist(), strict=True)
        ]
        for folder, keep in ((early, before), (late, [not one for one in before])):
            pq.write_table(whole.filter(keep), folder / f"{name}.parquet")
            parts[name].append(folder / f"{name}.parquet")
    bypass = {check.name: "a test" for check in built.checks}
    then = replace(built, sources=built.sources.handing_in(**{name: (files[0],) for name, files in parts.items()}))
    first = then.run(PipelineConfig(as_of=today - DAY_S), until="deduplicate", bypass=bypass)
    armed = armed_stages(Spec(fault=FAULT)) if stale else {}
    now = replace(
        built, armed=armed, sources=built.sources.handing_in(**{n: tuple(files) for n, files in parts.items()})
    )
    second = now.run(PipelineConfig(as_of=today), until="deduplicate", bypass=bypass)
    taken = [
        [dataset(built, run, name).read_bytes() for name in ("impressions_in", "outcomes_in")]
        for run in (first, second)
    ]
    return taken, {found.check: found.verdict for found in second.checks}, (first, second)


def test_the_digest_repeats_and_the_check_of_what_was_taken_in_says_so(two_tastes, tmp_path):
    (before, now), verdicts, (first, second) = yesterday_and_today(two_tastes, tmp_path / "stale", stale=True)

    assert now == before
    assert stage(second, "ingest").outputs == stage(first, "ingest").outputs
    assert stage(second, "ingest").inputs != stage(first, "ingest").inputs, "the source itself has what came since"
    assert (verdicts["ingest_same_input"], verdicts["deduplicate_same_input"]) == ("pass", "fail")


def test_without_it_the_next_run_takes_in_what_came_since(two_tastes, tmp_path):
    (before, now), verdicts, _ = yesterday_and_today(two_tastes, tmp_path / "healthy", stale=False)

    assert now != before
    assert (verdicts["ingest_same_input"], verdicts["deduplicate_same_input"]) == ("pass", "pass")
