"""What the workers of one load told, put together: nothing twice, nothing dropped in silence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtest.lab.arrivals import arrivals
from loadtest.lab.histogram import Histogram, merged
from loadtest.lab.ledger import Requests
from loadtest.lab.plan import Plan
from loadtest.summary import document


@dataclass
class Part:
    """One worker's share: every of-th arrival from `worker` on. told: requests by its reports, in their order.
    histograms: of the same, merged as they came. counts: what its users did. last_s: of its last report, seconds since
    the load began. ended: it said that this is all. gone: it was missed by its heartbeat."""

    worker: int
    of: int
    told: list[Requests] = field(default_factory=list)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    last_s: float = 0.0
    ended: bool = False
    gone: bool = False


def report(fresh: Requests, counts: Mapping[str, int], sent: int, ids: list[str]) -> dict[str, Any]:
    """What a worker says of its requests since it last did, as bytes, words and numbers. sent: of all its reports
    together, so that whoever reads them can tell whether one is missing. ids: of feedback acknowledged since."""
    ok = fresh.only(fresh.ok)
    told = {"latency": ok.latency_ms, "service": ok.service_ms}
    return {
        "rows": fresh.packed(),
        "histograms": {name: Histogram.of(values).encode() for name, values in told.items() if len(values)},
        "counts": dict(counts),
        "sent": sent,
        "acknowledged": ids,
    }


class Gathered:
    """The reports of all workers. parts: worker's id -> its number among `of`."""

    def __init__(self, ids: Iterable[str]) -> None:
        ordered = sorted(ids)
        self.parts = {one: Part(n, len(ordered)) for n, one in enumerate(ordered)}

    def take(self, worker: str, told: Mapping[str, Any], at_s: float, *, last: bool = False) -> list[str]:
        """Adds a report, and returns the ids of feedback that it acknowledges. One of a worker that came when all was
        dealt out says nothing: it has no part."""
        part = self.parts.get(worker)
        if part is None or part.ended:
            return []
        part.told.append(Requests.unpacked(told["rows"]))
        fresh = {name: Histogram.decode(text) for name, text in told["histograms"].items()}
        part.histograms = merged([part.histograms, fresh])
        part.counts = Counter(told["counts"])
        part.sent, part.last_s, part.ended, part.gone = int(told["sent"]), at_s, last, False
        return [str(one) for one in told["acknowledged"]]

    @property
    def waiting(self) -> bool:
        """Whether somebody is there who has not told the last of it."""
        return any(not part.ended and not part.gone for part in self.parts.values())

    def requests(self) -> Requests:
        return Requests.together([Requests.none(), *(rows for part in self.parts.values() for rows in part.told)])

    def histograms(self) -> dict[str, Histogram]:
        """Of all workers, as they encoded them."""
        return merged(part.histograms for part in self.parts.values())

    def counts(self) -> dict[str, int]:
        return dict(sum((part.counts for part in self.parts.values()), Counter()))

    def document(self, plan: Plan | None) -> list[dict[str, Any]]:
        """A row a worker: {worker, id, offered, sent, told, lost_after_s, percentiles_ms}. offered: of the plan, its part;
        None for the world's visits. sent: by its own count, in its last report. told: that arrived here. lost_after_s:
        until then it is known what it did; None for one that told all."""
        at_s = None if plan is None else arrivals(plan)
        rows = []
        for one, part in self.parts.items():
            told = sum(len(rows) for rows in part.told)
            latency = part.histograms.get("latency", Histogram())
            rows.append({
                "worker": part.worker, "id": one, "offered": None if at_s is None else len(at_s.part(part.worker, part.of)),
                "sent": part.sent, "told": told, "lost_after_s": None if part.ended else part.last_s,
                "percentiles_ms": latency.percentiles_ms(),
            })  # fmt: skip
        return rows


def lost(workers: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each worker of whom not all is known."""
    said = []
    for w in workers:
        if w["lost_after_s"] is not None:
            part = "" if w["offered"] is None else f" of the {w['offered']:,} that were its part"
            said.append(
                f"Worker {w['worker']} ({w['id']}) was lost: what it told until {w['lost_after_s']:.1f} s is kept, {w['told']:,} "
                f"requests{part}. What it did after that nobody knows, and nobody took its place."
            )
        elif w["told"] != w["sent"]:
            said.append(f"Worker {w['worker']} ({w['id']}) sent {w['sent']:,} requests and told {w['told']:,} of them.")
    return said


def figures(requests: Requests, counts: Mapping[str, int]) -> dict[str, Any]:
    """The summary of a load whose requests and counts are at hand (`loadtest.summary`)."""
    return document(requests.service_ms, requests.lateness_ms, int(np.sum(~requests.ok)), counts)
