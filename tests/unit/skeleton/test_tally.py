"""What came of the calls over one edge, as a row of rpc_edges."""

from __future__ import annotations

from sandbox.base.schema import TABLES
from services.skeleton.tally import Tally


def sampled(tally: Tally, seconds: float = 2.0):
    row = tally.sampled(
        60.0, seconds, caller="gateway", callee="rules", instance="rules-0", path="a", conn_state="READY"
    )
    return row and dict(zip(TABLES["rpc_edges"].names, row, strict=True))


def test_an_edge_that_nobody_used_has_no_row():
    assert sampled(Tally()) is None


def test_a_sample_tells_rate_failures_and_quantiles_and_counts_anew():
    tally = Tally(durations_ms=[9.0, 1.0, 5.0, 7.0], failed=1, retries=2, inflight=3)

    row = sampled(tally)

    assert (row["rps"], row["err_rate"], row["p50_ms"], row["p99_ms"]) == (2.0, 0.25, 7.0, 9.0)
    assert (row["retries"], row["inflight"]) == (2, 3)
    assert tally == Tally(inflight=3), "calls in progress end in the same tally"


def test_calls_in_progress_show_though_none_has_ended():
    row = sampled(Tally(inflight=1))

    assert (row["rps"], row["err_rate"], row["p50_ms"], row["p99_ms"]) == (0.0, 0.0, None, None)
