"""Fitting the timing: known numbers are found again in spans drawn from them."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.virtual.calibration.calibrate import errors, fit, loss, refine
from sandbox.virtual.calibration.observed import Observed, Sample, observe, together
from sandbox.virtual.machine.timing import Timing, Work, load
from tests.unit.telemetry.toy import SPEED, write_toy

N = 20_000
NO_KEYS = np.zeros(N)


def drawn(work: Work, keys: np.ndarray, seed: int) -> Sample:
    noise = np.random.default_rng(seed).normal(size=len(keys))
    return Sample((work.base_ms + work.per_key_us / 1000 * keys) * np.exp(work.sigma * noise), keys)


def seen(work: dict[str, Sample], request_ms: np.ndarray | None = None, **more) -> Observed:
    nothing = Sample(np.zeros(0), np.zeros(0))
    waits = np.full(N, 20.0) if request_ms is None else request_ms
    return Observed(**{
        "work": work, "wire": {}, "store": nothing, "request_ms": waits, "restart_s": {},
        "blocks": np.zeros((0, 2)), **more,
    })  # fmt: skip


def test_median_and_width_of_a_work_are_found_again():
    truth = Work(base_ms=3.7, sigma=0.42)

    fitted = fit(seen({"rules.Apply": drawn(truth, NO_KEYS, 1)}), load()).work["rules.Apply"]

    assert fitted.base_ms == pytest.approx(truth.base_ms, rel=0.02)
    assert fitted.sigma == pytest.approx(truth.sigma, rel=0.05)


def test_the_price_of_a_key_is_found_where_the_keys_differ():
    truth = Work(base_ms=0.5, per_key_us=4.0, sigma=0.2)
    keys = np.random.default_rng(2).integers(1, 400, N).astype(float)

    fitted = fit(seen({"features.GetItems": drawn(truth, keys, 3)}), load())

    assert fitted.work["features.GetItems"].per_key_us == pytest.approx(4.0, rel=0.1)
    assert fitted.work["features.GetItems"].base_ms == pytest.approx(0.5, rel=0.2)


def test_where_all_have_as_many_keys_the_whole_is_scaled_and_the_split_stays():
    was = load().work["ranking.Rank"]
    keys = np.full(N, 200.0)
    sample = Sample(np.full(N, 2 * (was.base_ms + 0.2 * was.per_key_us)), keys)

    fitted = fit(seen({"ranking.Rank": sample}), load()).work["ranking.Rank"]

    assert fitted.base_ms == pytest.approx(2 * was.base_ms, rel=1e-3)
    assert fitted.per_key_us == pytest.approx(2 * was.per_key_us, rel=1e-3)


def test_interruptions_are_told_from_noise():
    """One in twenty was interrupted for 40 ms on average: neither median nor width moves with it."""
    truth, rng = Work(base_ms=2.0, sigma=0.3), np.random.default_rng(4)
    sample = drawn(truth, NO_KEYS, 5)
    late = rng.random(N) < 0.05
    sample = Sample(sample.ms + late * rng.exponential(40.0, N), NO_KEYS)

    fitted = fit(seen({"rules.Apply": sample}), load())

    assert fitted.work["rules.Apply"].base_ms == pytest.approx(2.0, rel=0.05)
    assert fitted.work["rules.Apply"].sigma == pytest.approx(0.3, rel=0.1)
    assert fitted.tail_share == pytest.approx(0.05, rel=0.25)
    assert fitted.tail_ms == pytest.approx(40.0, rel=0.25)


def test_what_was_hardly_seen_keeps_its_value_and_restarts_are_taken_over():
    few = Sample(np.full(5, 99.0), np.zeros(5))

    fitted = fit(seen({"rules.Apply": few}, restart_s={"rules": 1.234}), load())

    assert fitted.work == load().work
    assert fitted.restart("rules") == 1.23


def test_processor_time_that_is_no_work_is_spent_on_the_wire():
    """A request costs 30 ms of processor time, 10 of them work; its wires take 40 ms: half of it."""
    requests = np.linspace(10, 200, 40)
    of = seen(
        {"rules.Apply": Sample(np.full(N, 10.0), NO_KEYS)},
        wire={"gateway->rules": Sample(np.full(N, 40.0), NO_KEYS)},
        blocks=np.stack([requests, 0.4 + 0.030 * requests], axis=1),
    )

    assert fit(of, load()).client_share == pytest.approx(0.5, rel=0.01)


def test_without_requests_there_is_nothing_to_fit():
    with pytest.raises(SandboxError, match="CFG-002"):
        fit(seen({}, request_ms=np.ones(3)), load())


def test_refining_takes_out_what_waiting_put_into_the_spans():
    """A stack in which every burst waits for as long again: the first fit doubles the work, and a few
    looks at virtual runs take that out."""
    truth = Work(base_ms=2.0, sigma=0.3)

    def run(timing: Timing, seed: int) -> Observed:
        own = drawn(timing.work["rules.Apply"], NO_KEYS, seed)
        return seen({"rules.Apply": Sample(2 * own.ms, own.keys)}, request_ms=2 * own.ms)

    real = load().model_copy(update={"work": {**load().work, "rules.Apply": truth}})
    live = run(real, 6)
    timing = fit(live, load())
    assert timing.work["rules.Apply"].base_ms == pytest.approx(4.0, rel=0.02)

    for seed in range(7, 10):
        timing = refine(timing, live, run(timing, seed))

    assert timing.work["rules.Apply"].base_ms == pytest.approx(2.0, rel=0.02)
    refined, first = run(timing, 11), run(fit(live, load()), 11)
    assert abs(errors(live, refined)["p50_relative"]) < 0.03
    assert loss(live, refined) < 0.1 < loss(live, first)


def test_spans_of_a_lake_are_taken_apart_into_work_wire_and_nothing_twice(tmp_path):
    """The toy's two requests: gateway 20 ms of which its call takes 16, ranking 14 of which 6; the
    second request loses 40 ms between ranking and features."""
    found = observe(write_toy(tmp_path / "lake"), SPEED)

    assert found.work["ranking.Call"].ms == pytest.approx([7.9, 7.9])  # 14 - 6 - 0.1 of queue
    assert found.work["gateway.Call"].ms == pytest.approx([3.8, 3.8])
    assert found.work["features.Call"].keys.tolist() == [200, 200]
    assert found.wire["ranking->features"].ms == pytest.approx([2.0, 42.0])
    twice = together([found, found])
    assert len(twice.work["ranking.Call"]) == 4


def test_a_folder_without_a_lake_has_no_spans(tmp_path):
    assert len(observe(tmp_path / "none", SPEED).request_ms) == 0
