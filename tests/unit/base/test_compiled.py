"""Compiled loops: the plain function's results, in nobody's way who does without."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from sandbox.base.compiled import compiled, laid


def running(values, weight):
    """A sum whose last bits depend on the order, and a product that a fused operation would round once."""
    out, total = np.empty(len(values), np.float32), np.float64(0)
    for i in range(len(values)):
        total += values[i] * weight + values[i - 1]
        out[i] = total
    return out


def test_a_compiled_loop_has_the_bits_of_the_loop():
    values = np.random.default_rng(1).normal(0, 1e3, 400).astype(np.float32)
    weight = np.float32(0.1)
    assert compiled(running)(values, weight).tobytes() == running(values, weight).tobytes()


def test_what_is_laid_already_is_not_copied():
    values = np.arange(6, dtype=np.int64)
    assert laid(values, np.int64) is values
    frozen = values.view()
    frozen.flags.writeable = False
    for other in (values.astype(np.int32), values[::2], frozen):
        made = laid(other, np.int64)
        assert made.tolist() == other.tolist()
        assert (made.dtype, made.flags.c_contiguous, made.flags.writeable) == (np.int64, True, True)


def test_live_services_and_the_command_line_start_without_the_compiler():
    services = ("gateway", "retrieval", "features", "ranking", "model", "rules", "events")
    names = ", ".join(f"services.{service}.server" for service in services)
    code = f"import sys, sandbox.cli.app, {names}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
