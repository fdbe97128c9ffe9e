"""The benches on a running stack, short: that they measure, not what."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.bench import faults, features, serving
from sandbox.cli.bench import bench


@pytest.mark.slow
@pytest.mark.stack
def test_every_bench_on_a_stack_gives_its_ratios(stack):
    served = serving.measure(stack, 20).document()
    read = features.measure(stack, 20).document()
    unarmed = faults.measure(stack, 200).document()

    assert served["figures"]["kernels_cpu_ms"] > 0
    assert served["ratios"]["cpu_vs_kernels"] > served["ratios"]["cpu_vs_floor"] >= 0
    assert read["ratios"]["time_vs_floor"] > 0
    assert unarmed["ratios"]["throughput_unarmed"] > 0
    assert unarmed["figures"]["delayed_call_ms"] > 100


@pytest.mark.parametrize(("name", "n", "code"), [("speed", 0, "CFG-004"), ("serving", -1, "CFG-001")])
def test_an_unknown_bench_and_an_absurd_number_are_refused(name, n, code):
    with pytest.raises(SandboxError, match=code):
        bench(name, n=n)
