"""Participants over the real stream: what their actions wait for, what is lost, what it costs, beside a bare broadcast."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.bench import stats
from sandbox.bench.processes import conditions
from sandbox.bench.programs import Program, program
from sandbox.bench.stats import Report
from sandbox.bench.warroom import page
from sandbox.bench.warroom.mix import AT_DESK
from sandbox.bench.warroom.server import served

BROWSER_TRIES = 3
WANTED = {"action_p95_ms": 500.0, "messages_lost": 0.0, "cpu_share": 0.35, "first_page_ms": 2_000.0}
WANTED_ROOMS = {"rooms_action_p95_ms": 500.0, "rooms_messages_lost": 0.0, "rooms_rss_bytes": 8e9}
_CLIENTS, _FLOOR = "sandbox.bench.warroom.clients", "sandbox.bench.warroom.broadcast"


class Measured(Protocol):
    """What is measured of a server: see `server.Server`."""

    @property
    def address(self) -> str: ...
    @property
    def codes(self) -> list[str]: ...
    def cpu_s(self) -> float: ...
    def rss_bytes(self) -> float: ...
    def pss_bytes(self) -> float: ...


Serving = Callable[[str, str, int, ProgressFn], AbstractContextManager[Measured]]  # backend, world, rooms, progress


@dataclass(frozen=True)
class Plan:
    """participants: of the one room. rooms: virtual ones beside each other, of `people` each; 0 leaves them out. seconds: wall
    time that counts, of either. rate: commands a wall second in each room, so that everybody hears of something that
    often. live: whether the one room is on a live stack. blocks: of the room and of the broadcast, in turns. warm_up_s: of
    participants at work, before what counts. late_s: that an event may take after the last command, else it is lost."""

    world: str = "laptop"
    participants: int = 50
    rooms: int = 10
    people: int = 5
    seconds: float = 90.0
    rate: float = 1.0
    live: bool = True
    blocks: int = 6
    warm_up_s: float = 3.0
    late_s: float = 20.0
    browser: bool = True

    def __post_init__(self) -> None:
        """Raises CFG-001."""
        for name, low, high in (
            ("participants", 1, 200), ("rooms", 0, 20), ("people", 1, 200), ("seconds", 1, 600), ("rate", 0.1, 10),
        ):  # fmt: skip
            if not low <= (value := getattr(self, name)) <= high:
                raise SandboxError(
                    "CFG-001", where=f"sandbox bench warroom, {name}", seen=value, expected=f"{low} to {high}",
                    fix="leave it out",
                )  # fmt: skip


def measure(plan: Plan, progress: ProgressFn, serving: Serving = served) -> Report:
    """Figures of the one room, and with `rooms_` in front of the virtual rooms beside each other.

    action_p95_ms: from when a command was due to its answer, by then on disk; talk_ of those that need no desk, desk_ of
    those that do. messages_lost: events that somebody may see and did not hear, of messages_heard. cpu_share: of a core, the
    server and its consoles, worlds of virtual rooms with them, the live stack not; idle_cpu_share: the same with a world that
    runs and nobody who watches, while the broadcast has its turn. bytes_per_client_s: what messages and answers hold, before compression. first_page_ms: the
    page with all its files, over one connection, while the others are at work; first_page_browser_ms: until its form can be
    used, in a browser. rss_bytes: the most that server and workers held. pace: world time that went by, of what was due. overview_hz:
    how often a second something in the overview was new to each who watched.
    cpu_vs_broadcast: processor time for the participants (cpu_share less idle), over that of a bare WebSocket server that
    sends the same texts at the same times to as many, in turns with it.
    """
    report = Report(conditions=conditions(
        world=plan.world, backend="live" if plan.live else "virtual", participants=plan.participants, rooms=plan.rooms,
        people=plan.people, seconds=plan.seconds, commands_per_s=plan.rate, blocks=plan.blocks,
        wanted={**WANTED, **(WANTED_ROOMS if plan.rooms else {})},
    ))  # fmt: skip
    with serving(str(report.conditions["backend"]), plan.world, 1, progress) as server:
        _one_room(report, plan, server, progress)
    if plan.rooms:
        with serving("virtual", plan.world, plan.rooms, progress) as server:
            _rooms(report, plan, server, progress)
    return report


def _one_room(report: Report, plan: Plan, server: Measured, progress: ProgressFn) -> None:
    with program(_CLIENTS) as clients, program(_FLOOR) as floor:
        address = f"ws://127.0.0.1:{floor.told()['port']}"
        progress(f"{plan.participants} participants", None)
        clients.ask(do="join", address=server.address, codes=server.codes, people=plan.participants)
        clients.ask(do="hear", address=address, n=plan.participants)
        clients.ask(do="go", seconds=plan.warm_up_s, rate=plan.rate, fetch=False)
        goes, shares, idle, bare, sent = [], list[float](), list[float](), list[float](), 0
        for n in range(plan.blocks):
            progress(f"{plan.participants} participants, beside a bare broadcast", n / plan.blocks)
            gone, share = _go(clients, server, plan, plan.seconds / plan.blocks)
            cpu_s, began = server.cpu_s(), time.perf_counter()
            told = floor.ask(tape=gone["tape"], clients=plan.participants, seconds=gone["wall_s"])
            idle.append((server.cpu_s() - cpu_s) / (time.perf_counter() - began))
            goes.append(gone)
            shares.append(share)
            bare.append(told["cpu_share"])
            sent += told["sent"]
        found = _figures(goes, shares, server, plan.participants)
        seen = page.seen_ms(server.address, server.codes[0], BROWSER_TRIES) if plan.browser else None
        if seen is not None:
            found["first_page_browser_ms"] = stats.median(seen)
        found |= _ended(clients, sent, plan.late_s)
    ratio, noise = stats.paired_ratio([a - b for a, b in zip(shares, idle, strict=True)], bare)
    report.figures |= {**found, "idle_cpu_share": stats.median(idle), "broadcast_cpu_share": stats.median(bare)}
    report.figures["cpu_vs_broadcast_noise"] = noise
    report.ratios["cpu_vs_broadcast"] = ratio


def _rooms(report: Report, plan: Plan, server: Measured, progress: ProgressFn) -> None:
    with program(_CLIENTS) as clients:
        progress(f"{plan.rooms} virtual rooms of {plan.people}", None)
        clients.ask(do="join", address=server.address, codes=server.codes, people=plan.people)
        clients.ask(do="go", seconds=plan.warm_up_s, rate=plan.rate, fetch=False)
        gone, share = _go(clients, server, plan, plan.seconds)
        found = _figures([gone], [share], server, plan.people * plan.rooms)
        found["pss_bytes"] = server.pss_bytes()
        found |= _ended(clients, 0, plan.late_s)
    report.figures |= {f"rooms_{name}": value for name, value in found.items()}


def _go(clients: Program, server: Measured, plan: Plan, seconds: float) -> tuple[dict[str, Any], float]:
    """What came of a block, and the share of a core that the server used in it."""
    cpu_s, began = server.cpu_s(), time.perf_counter()
    gone = clients.ask(do="go", seconds=seconds, rate=plan.rate, fetch=True)
    share = (server.cpu_s() - cpu_s) / (time.perf_counter() - began)
    gone["rss_bytes"] = server.rss_bytes()
    if not gone["latencies_ms"]:
        raise SandboxError(
            "RUN-008", where="bench warroom, commands", seen="; ".join(gone["refusals"]) or "none was given",
            expected="commands that are done", fix="give it more --seconds",
        )  # fmt: skip
    return gone, share


def _figures(goes: list[dict[str, Any]], shares: list[float], server: Measured, people: int) -> dict[str, float]:
    def latencies(kinds: Callable[[str], bool]) -> list[float]:
        return [ms for gone in goes for kind, of in gone["latencies_ms"].items() if kinds(kind) for ms in of]

    wall_s = sum(gone["wall_s"] for gone in goes)
    everything, paces = latencies(lambda _: True), [pace for gone in goes for pace in gone["pace"].values()]
    return {
        "action_p50_ms": stats.quantile(everything, 0.5),
        "action_p95_ms": stats.quantile(everything, 0.95),
        "talk_p95_ms": stats.quantile(latencies(lambda kind: kind not in AT_DESK), 0.95),
        "desk_p95_ms": stats.quantile(latencies(lambda kind: kind in AT_DESK), 0.95),
        "actions": float(len(everything)),
        "actions_refused": float(sum(gone["refused"] for gone in goes)),
        "cpu_share": stats.median(shares),
        "bytes_per_client_s": sum(gone["received"] for gone in goes) / wall_s / people,
        "first_page_ms": stats.quantile([ms for gone in goes for ms in gone["pages_ms"]], 0.95),
        "rss_bytes": max(gone["rss_bytes"] for gone in goes),
        "pace": stats.quantile(paces, 0.0),
        "overview_hz": stats.median([gone["seen_hz"] for gone in goes]),
        "clients_cpu_share": sum(gone["busy_s"] for gone in goes) / wall_s,
    }


def _ended(clients: Program, sent: int, late_s: float) -> dict[str, float]:
    """What was heard. sent: by the bare server; that it lost something would be the bench's own fault. Raises RUN-008."""
    end = clients.ask(do="end", late_s=late_s)
    if end["bare_heard"] < sent:
        raise SandboxError(
            "RUN-008", where="bench warroom, broadcast", seen=f"{end['bare_heard']} of {sent} texts heard",
            expected="all of them", fix="run it again, with less beside it",
        )  # fmt: skip
    told = {
        "messages_lost": float(end["lost"]), "messages_doubled": float(end["doubled"]),
        "messages_heard": float(end["heard"]), "reconnected": float(end["reconnected"]),
    }  # fmt: skip
    return told if end["request_rate"] is None else {**told, "requests_per_s": end["request_rate"]}
