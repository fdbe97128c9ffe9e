"""The benches on a running stack, short: that they measure, not what."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.progress import quiet
from sandbox.base.run import GRPC_PROCESSES
from sandbox.bench import against, faults, features, serving
from sandbox.bench.checkout import OWN
from sandbox.bench.profile import measure as profiling
from sandbox.cli.bench import bench
from sandbox.runtime.stack import Stack


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(600)
def test_every_bench_on_a_stack_gives_its_ratios(stack):
    served = serving.measure(stack, 20).document()
    ratios, intervals = served["ratios"], served["intervals"]
    read = features.measure(stack, 20).document()
    unarmed = faults.measure(stack, 200).document()

    assert served["figures"]["kernels_cpu_ms"] > 0
    assert served["figures"]["cold_floor_cpu_ms"] > 0
    assert ratios["cpu_vs_kernels"] > ratios["cpu_vs_floor"] >= 0
    assert intervals.keys() == {"cpu_vs_kernels", "cpu_vs_floor", "cpu_vs_cold_floor"}
    assert all(intervals[name]["low"] <= ratios[name] <= intervals[name]["high"] for name in intervals)
    assert served["conditions"]["floor"]["loop"] == "asyncio.SelectorEventLoop"
    assert read["ratios"]["time_vs_floor"] > 0
    assert unarmed["ratios"]["throughput_unarmed"] > 0
    assert unarmed["figures"]["delayed_call_ms"] > 100


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(600)
def test_two_checkouts_are_measured_in_turns_and_nothing_of_them_is_left(home):
    """This one twice: what differs then is the machine's doing, and no bound is put on that."""
    before = set(psutil.pids())

    told = against.measure("tiny", OWN, 20, False, quiet).document()

    assert {"cpu_ms_this", "cpu_ms_against", "cpu_gateway_ms_this", "cpu_gateway_ms_against"} <= told["figures"].keys()
    assert told["intervals"]["cpu_vs_against"]["low"] <= told["ratios"]["cpu_vs_against"]
    assert told["conditions"]["sides"]["this"] == told["conditions"]["sides"]["against"]
    left = [
        " ".join(p.cmdline())
        for p in psutil.process_iter()
        if p.pid not in before and "/against/run" in str(p.cmdline())
    ]
    assert not left


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_profile_has_a_flame_graph_of_each_process_of_python(stack, tmp_path):
    told = profiling.measure(stack, 2.0, 5.0, tmp_path / "out", quiet)

    names = {row["name"] for row in told["processes"]}
    assert names == {*GRPC_PROCESSES, "collector", "materialiser"}
    gateway = next(row for row in told["processes"] if row["name"] == "gateway")
    assert gateway["cpu_share"] > 0
    assert gateway["samples"] > 0
    assert all(Path(row["flame_graph"]).read_text().rstrip().endswith("</svg>") for row in told["processes"])


@pytest.mark.parametrize("seconds", [0.0, 601.0, float("nan")])
def test_a_profile_of_an_absurd_length_is_refused_and_leaves_nothing(tmp_path, seconds):
    with pytest.raises(SandboxError, match="CFG-004"):
        profiling.measure(Stack(tmp_path), seconds, 5.0, tmp_path / "out", quiet)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"name": "features", "against": Path()}, {"name": "serving", "knee": True}], ids=str)
def test_an_option_that_belongs_to_another_bench_is_refused(wrong):
    with pytest.raises(SandboxError, match="CFG-004"):
        bench(**{"n": 0, "against": None, "knee": False, "run_dir": None, **wrong})


@pytest.mark.parametrize(("name", "n", "code"), [("speed", 0, "CFG-004"), ("serving", -1, "CFG-001")])
def test_an_unknown_bench_and_an_absurd_number_are_refused(name, n, code):
    with pytest.raises(SandboxError, match=code):
        bench(name, n=n)
