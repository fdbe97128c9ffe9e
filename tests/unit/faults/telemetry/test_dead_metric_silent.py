import math

import pytest

from sandbox.base.rows import row_of
from sandbox.telemetry import alerts
from sandbox.telemetry.alerts import Tick
from sandbox.telemetry.settings import AlertSettings
from services.skeleton.seams import Call

MINUTE = 60.0


def minute(i, degraded=0):
    """100 requests and 20 clicks, some of them answered by a stand-in."""
    ts = i * MINUTE
    tick = Tick(ts, {"degraded": (degraded, 100), "errors": (0, 100), "age:item_stats": (0, 9)}, (10.0 + i,) * 100)
    values = {("degraded_share", "all"): degraded / 100, ("error_share", "all"): 0.0,
              ("feature_age_s", "item_stats"): 60.0, ("latency_p99_ms", "all"): 10.0 + i}  # fmt: skip
    return tick, [row_of.metrics(ts=ts, name=n, label=label, value=v) for (n, label), v in values.items()]


def told(armed, *payload):
    return armed.pass_on(Call("collect", "collector", "indicators", "minute", payload=payload))


def values(rows, name="degraded_share"):
    return [row[3] for row in rows if row[1] == name]


def test_frozen_the_first_minute_is_told_for_ever_and_the_rest_is_right(bench):
    armed = bench(fault="dead-metric-silent")
    told(armed, *minute(1, degraded=2))

    tick, rows = told(armed, *minute(2, degraded=80))

    assert values(rows) == [0.02]
    assert tick.counts["degraded"] == (2, 100)
    assert {row[0] for row in rows} == {2 * MINUTE}
    assert (tick.ts, tick.counts["errors"], values(rows, "latency_p99_ms")) == (2 * MINUTE, (0, 100), [12.0])


@pytest.mark.parametrize("mode", ["absent", "nan"])
def test_absent_or_no_number_there_is_nothing_to_judge(bench, mode):
    tick, rows = told(bench(fault="dead-metric-silent", params={"mode": mode}), *minute(1, degraded=80))

    assert "degraded" not in tick.counts
    assert [math.isnan(value) for value in values(rows)] == ([] if mode == "absent" else [True])


def test_latencies_and_ages_die_with_what_judges_them(bench):
    armed = bench(fault="dead-metric-silent",
                  params={"mode": "absent", "metrics": ["latency_p99_ms", "feature_age_s"]})  # fmt: skip

    tick, rows = told(armed, *minute(1))

    assert (tick.latency_ms, "age:item_stats" in tick.counts) == ((), False)
    assert {row[1] for row in rows} == {"degraded_share", "error_share"}


@pytest.mark.parametrize(("mode", "fires"), [(None, True), ("frozen", False), ("absent", False), ("nan", False)])
def test_the_alert_that_should_come_does_not(bench, mode, fires):
    armed = bench(fault="dead-metric-silent", params={"mode": mode}) if mode else None
    state, fired = alerts.State(), []
    for i in range(1, 120):
        payload = minute(i, degraded=80 if i > 60 else 0)
        tick, _ = told(armed, *payload) if armed else payload
        state, events = alerts.step(state, tick, AlertSettings())
        fired += [event.rule for event in events if event.rule.startswith("degraded")]

    assert bool(fired) == fires
