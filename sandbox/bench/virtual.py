"""What the virtual backend costs: its content and its users beside their floors, a drill with its twin,
weeks, memory, and how the cost grows."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.streams import uniforms
from sandbox.bench import stats, weeks
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.bench.virtual_floor import N_CANDIDATES, content_per_s, floor_per_s, loaded
from sandbox.runtime.building import ensure_built
from sandbox.world.behaviour import Behaviour
from services.ranking.core import INPUTS

BATCH, N_BATCHES, ROUNDS = 256, 6, 5
CHOOSERS, SLATE, CHOICE_ROUNDS = 10_000, 10, 7
CURVE = (3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)  # requests of the runs whose cost is set beside each other
_EVERY_S = 0.2  # wall time between two looks at a child's memory


def measure(world: str, n: int, with_weeks: bool, device: str, progress: ProgressFn) -> Report:
    """n: requests of the longest run of the curve. with_weeks: also the weeks of a two-armed test.

    Ratios: throughput_vs_floor, all stages' answers to batches of 256; run_vs_floor, a whole run, with its
    event loop, queues, store and users, beside a floor of batches as large as the run's own;
    choice_vs_floor, users' choices from uniform slates. Figures: see the names; scaling_exponent is the slope
    of log cost over log requests.
    Raises CFG-001 for a device that there is not.
    """
    require_device(device)
    directory = ensure_built(world, progress)
    report = Report(conditions=conditions(world=world, n=n, device=device))
    progress("content beside its floor", None)
    _throughput(report, directory)
    if device != "cpu":
        progress(f"model passes on {device}", None)
        report.ratios[f"passes_{device}_vs_cpu"] = _speedup(directory, device)
    progress("choices beside their floor", None)
    _choices(report, directory)
    peaks = [float(psutil.Process().memory_info().rss)]
    sizes = sorted({size for size in (*CURVE, n) if size <= n})
    costs = []
    for size in sizes:
        progress(f"a run of {size} requests", None)
        answer, peak = _apart("curve", world, str(size))
        costs.append((answer["requests"], answer["cpu_s"]))
        report.figures[f"cpu_s_{size}"] = answer["cpu_s"]
        report.figures[f"requests_per_cpu_s_{size}"] = answer["requests"] / answer["cpu_s"]
        report.ratios["run_vs_floor"] = answer["vs_floor"]  # of the longest run in the end
        peaks.append(peak)
    if len(costs) > 1:
        x, y = np.log(np.array(costs)).T
        report.figures["scaling_exponent"] = float(np.polyfit(x, y, 1)[0])
    progress("a drill with its twin", None)
    answer, peak = _apart("drill", world)
    report.figures["drill_with_twin_s"] = answer["wall_s"]
    report.figures["drill_requests"] = answer["requests"]
    peaks.append(peak)
    if with_weeks:
        progress("28 days of a two-armed test", None)
        found = weeks.measure(world)
        report.figures |= found
        peaks.append(found["weeks_peak_pss_bytes"])
    report.figures["peak_rss_bytes"] = max(peaks)
    return report


def require_device(device: str) -> None:
    """Raises CFG-001 for a device that this machine, or this torch, does not have."""
    import torch

    if device == "cpu" or (device == "cuda" and torch.cuda.is_available()):
        return
    raise SandboxError(
        "CFG-001",
        where="bench virtual --device",
        seen=device,
        expected="cpu" + (" or cuda" if torch.cuda.is_available() else ": torch sees no accelerator here"),
        fix="leave it out; for cuda, a machine with one and a torch that is built for it",
    )


def _throughput(report: Report, directory: Path) -> None:
    content, offline = loaded(directory)
    own, floor = [], []
    for n in range(ROUNDS):  # in turns, so that what disturbs one disturbs the other
        own.append(content_per_s(content, offline, BATCH, N_BATCHES, seed=n + 1))
        floor.append(floor_per_s(content, BATCH, N_BATCHES))
    report.figures["content_per_s"] = stats.median(own)
    report.figures["content_floor_per_s"] = stats.median(floor)
    report.ratios["throughput_vs_floor"], _ = stats.paired_ratio(own, floor)


def _speedup(directory: Path, device: str) -> float:
    """How many times quicker the ranker's pass over one batch is on the device, copies there and back
    included: the part of the content that an accelerator could take over."""
    import torch

    content, _ = loaded(directory)
    ranker, n = content.loaded.ranker, BATCH * N_CANDIDATES
    inputs = (
        torch.arange(n) % content.catalogue.n_users + 1,
        torch.arange(n) % content.catalogue.n_items + 1,
        torch.rand(n, len(INPUTS)),
    )

    @torch.inference_mode()
    def wall_s(place: str) -> float:
        model, took = copy.deepcopy(ranker).to(place), []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            model(*(x.to(place) for x in inputs)).cpu()  # the copy back waits for the device
            took.append(time.perf_counter() - began)
        return stats.median(took[1:])

    return wall_s("cpu") / wall_s(device)


def _choices(report: Report, directory: Path) -> None:
    """Decisions per CPU second: `Behaviour.respond`, and the least that a multinomial logit takes: draws,
    gathers, products, softmax."""
    behaviour = Behaviour.load(directory)
    truth = behaviour.latent
    n_users, n_items = len(truth.user_taste), len(truth.item_taste)
    own, floor = [], []
    for n in range(CHOICE_ROUNDS + 1):
        user = (uniforms(n, "bench/user", np.arange(CHOOSERS)) * n_users).astype(np.int64)
        place = (user[:, None], np.arange(SLATE)[None, :])
        item = (uniforms(n, "bench/slate", *place) * n_items).astype(np.int64)
        own.append(_cpu_s(_respond, behaviour, user, item, n))
        floor.append(_cpu_s(_logit, truth.item_taste, truth.user_taste, user, item, n))
    report.figures["choices_per_s"] = CHOOSERS / stats.median(own[1:])
    report.figures["choices_floor_per_s"] = CHOOSERS / stats.median(floor[1:])
    report.ratios["choice_vs_floor"], _ = stats.paired_ratio(floor[1:], own[1:])


def _respond(behaviour: Behaviour, user: np.ndarray, item: np.ndarray, n: int) -> None:
    ones = np.ones(len(user), np.int64)
    behaviour.respond(
        user=user, session=n * ones, request_no=ones, item=item, latency_ms=np.full(len(user), 20.0),
        satisfaction=np.full(len(user), 0.5),
    )  # fmt: skip


def _logit(items: np.ndarray, users: np.ndarray, user: np.ndarray, item: np.ndarray, n: int) -> np.ndarray:
    utility = np.einsum("nkt,nt->nk", items[item], users[user])
    utility -= utility.max(1, keepdims=True)
    weight = np.exp(utility)
    until = np.cumsum(weight, axis=1)
    drawn = uniforms(n, "bench/draw", user)[:, None] * until[:, -1:]
    chosen: np.ndarray = (until < drawn).sum(1)
    return chosen


def _cpu_s(step: Callable[..., object], *arguments: object) -> float:
    began = time.process_time()
    step(*arguments)
    return time.process_time() - began


def _apart(what: str, *arguments: str) -> tuple[dict[str, float], float]:
    """The answer of one piece, measured in a process of its own, and the most memory it held, bytes."""
    command = [sys.executable, "-m", "sandbox.bench.virtual_apart", what, *arguments]
    with tempfile.TemporaryFile() as answer:
        process = subprocess.Popen(command, stdout=answer)
        peak = 0.0
        while process.returncode is None:
            peak = max(peak, _held(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY_S)
        answer.seek(0)
        told = answer.read()
    if process.returncode:
        raise SandboxError(
            "RUN-008",
            where="bench virtual",
            seen=f"{what} ended with {process.returncode}",
            expected="a measurement",
            fix="run it by hand: " + " ".join(command[1:]),
        )
    return json.loads(told), peak


def _held(pid: int) -> float:
    """Resident bytes of a process and all below it."""
    try:
        of = psutil.Process(pid)
        return float(sum(p.memory_info().rss for p in (of, *of.children(recursive=True))))
    except psutil.NoSuchProcess:
        return 0.0
