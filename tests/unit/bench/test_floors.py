"""The parts of the serving floors that need no process."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.run import SERVICES
from sandbox.bench import kernels, transport
from sandbox.bench.way import BEHIND, COUNTED, OPS, PROCESSES, WAY, called, message, read

ROOT = Path(__file__).resolve().parents[3]


def test_the_cold_floor_has_a_process_for_each_service_and_calls_them_in_the_stacks_order():
    assert set(PROCESSES) == set(SERVICES)
    assert called("gateway") == [
        "gateway", "features.GetUser", "retrieval", "model.EncodeUser", "ranking", "features.GetItems", "model.Score", "rules",
        "events.AppendImpressions",
    ]  # fmt: skip


def test_a_stack_calls_what_the_floor_calls():
    """Read in the services' sources: another edge, or one less, and the floor is no floor of it."""
    edges = {
        (op.split(".")[0], of.split(" ")[1].split(".")[0])
        for op, steps in WAY.items()
        for of in steps
        if of.startswith("call")
    }
    edges |= {(op, of.split(".")[0]) for op, of in BEHIND.items()}
    real = set()
    for service in SERVICES:
        for node in ast.walk(ast.parse((ROOT / "services" / service / "server.py").read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("host.callee", "self.host.callee"):
                real.add((service, ast.literal_eval(node.args[0])))

    assert edges == real


def test_every_core_of_the_hot_floor_runs_in_the_cold_one_once():
    cores = [step.removeprefix("core ") for op in called("gateway") for step in WAY[op] if step.startswith("core ")]

    assert sorted(cores) == sorted(kernels.STAGES)


def test_events_is_called_on_both_sides_and_counted_on_neither():
    assert "events" in PROCESSES
    assert "events" not in COUNTED
    assert "stream" not in COUNTED


def test_a_message_has_the_real_size_and_says_what_is_asked():
    sizes = {"ranking": (17_000, 1_600), "gateway": (3, 900)}

    raw = message("ranking", 41, sizes)

    assert (len(raw), read(raw)) == (17_000, ("ranking", 41, 1_600))
    assert read(message("gateway", 0, sizes)) == ("gateway", 0, 900)  # longer than three bytes, as it has to say so
    assert {read(message(op, 7, dict.fromkeys(OPS, (0, 5))))[0] for op in OPS} == set(OPS)


def test_what_a_core_is_given_comes_back_from_its_file(tmp_path):
    made = [
        {"user": 5, "x": np.ones((2, 3), np.float32), "rows": ["not for a core"]},
        {"user": 6, "seen": np.arange(2)},
    ]
    kernels.save(tmp_path / "made.npz", made)

    first, second = kernels.load(tmp_path / "made.npz")

    assert first["user"] == 5
    assert first["x"].dtype == np.float32
    assert "rows" not in first
    assert second["seen"].tolist() == [0, 1]


def test_a_floors_transport_is_what_its_name_says_whatever_the_shell_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRPC_EXPERIMENTS", "event_engine_client")

    told = transport.described()

    assert "GRPC_EXPERIMENTS" not in transport.environment()
    assert "GRPC_EXPERIMENTS" in told["inherited_and_left_out"]
    assert told["grpcio"] == version("grpcio")
    assert told["as_fixed"] == (told["grpcio"] == told["grpcio_fixed"])
    assert told["loop"] == "asyncio.SelectorEventLoop"
