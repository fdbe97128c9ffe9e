"""What grows, what stands still, and what the samples do not tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.lab.freezer import Freezer
from loadtest.lab.killer import Killer
from loadtest.lab.report.of_soak import report
from loadtest.lab.slope import slope, told
from loadtest.lab.soak import Watch
from sandbox.base.errors import SandboxError
from sandbox.base.run import ServiceInfo, save_services
from sandbox.base.streams import stream
from sandbox.cli.load_soak import said

AT_S = np.arange(0, 1_800, 5.0)


def wandering(seed: int, step: float = 0.05) -> np.ndarray:
    """Memory that hangs together from sample to sample and goes nowhere."""
    noise = stream(seed, "test/memory").normal(0, step, len(AT_S))
    level = np.zeros(len(AT_S))
    for i in range(1, len(AT_S)):
        level[i] = 0.95 * level[i - 1] + noise[i]
    return 200 + level


def test_a_leak_of_forty_mb_an_hour_is_found_with_its_interval():
    found = told(AT_S, wandering(1) + AT_S / 3_600 * 40, 10.0)

    assert found["low"] < 40 < found["high"]
    assert found["verdict"] == "grows"


def test_a_cache_that_fills_at_the_beginning_is_no_leak():
    filling = 50 * np.minimum(AT_S / 300, 1)

    assert told(AT_S, wandering(2) + filling, 10.0)["verdict"] == "flat"


def test_intervals_hold_what_they_say_though_samples_hang_together():
    hits = [(f := slope(AT_S, wandering(seed)))["low"] <= 0 <= f["high"] for seed in range(60)]

    assert np.mean(hits) > 0.8


def test_two_samples_tell_nothing():
    assert told(np.array([0.0, 5.0]), np.array([1.0, 9.0]), 1.0)["verdict"] == "too few"
    assert told(np.empty(0), np.empty(0), 1.0)["verdict"] == "too few"


def test_a_process_that_came_back_begins_anew(tmp_path):
    watch = Watch(tmp_path, 5.0)
    for at_s in AT_S:
        watch.take("model-0", 1 if at_s < 600 else 2, at_s, 900.0 if at_s < 600 else 300.0 + at_s / 36, 20)
        watch.take("gateway-0", 7, at_s, 100.0, 30)
    found = watch.document()

    assert found["model-0"]["restarts"] == 1
    assert found["model-0"]["rss_mb"]["verdict"] == "grows"
    assert found["gateway-0"]["rss_mb"]["verdict"] == found["gateway-0"]["files"]["verdict"] == "flat"
    assert said(found) == "grows: memory of model-0"
    page = report({"processes": found, "said": said(found), "interrupted": True}, watch.seen, "here")
    assert "memory of model-0" in page


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    save_services(
        tmp_path,
        [
            ServiceInfo(name, f"{name}-0", 2**22 + n, "", "ready", True, 0, 0.0)
            for n, name in enumerate(("gateway", "model", "supervisor"))
        ],
    )  # fmt: skip  pids beyond what a system has
    return tmp_path


@pytest.mark.parametrize(
    "absurd", ["gateway", "gateway:", "gateway:-1", "gateway:nan", "gateway:20", "nobody:1", "supervisor:1", ""]
)
def test_what_cannot_be_frozen_is_refused(run_dir, absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        Freezer.of(absurd, run_dir, 30.0)


def test_a_frozen_service_is_let_go_whatever_happens(run_dir, monkeypatch):
    signs = []
    monkeypatch.setattr("loadtest.lab.freezer.os.kill", lambda pid, sign: signs.append(sign.name))
    freezer = Freezer.of("gateway:2", run_dir, 30.0)

    def ended_early() -> None:
        with freezer.sure():
            for at_s in (1.0, 10.1, 11.0):
                freezer.look(at_s)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ended_early()
    assert signs == ["SIGSTOP", "SIGCONT"]
    freezer.look(15.0)
    assert [f["process"] for f in freezer.frozen] == ["gateway-0"]
    assert signs == ["SIGSTOP", "SIGCONT"], "once only"


@pytest.mark.parametrize(
    "absurd", [{"every_s": 0}, {"every_s": float("nan")}, {"every_s": 5, "which": ("supervisor",)}]
)
def test_an_absurd_killer_is_refused(run_dir, absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        Killer(run_dir, **absurd)


def test_a_killer_takes_who_is_named_at_its_beat(run_dir, monkeypatch):
    dead = []
    monkeypatch.setattr("loadtest.lab.killer.os.kill", lambda pid, sign: dead.append((pid, sign.name)))
    killer = Killer(run_dir, 5.0, which=("model",))
    for at_s in np.arange(0, 16, 0.2):
        killer.look(float(at_s))

    assert dead == [(2**22 + 1, "SIGKILL")] * 3
    assert [k["process"] for k in killer.killed] == ["model-0"] * 3
