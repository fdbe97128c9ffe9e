"""What a sampling profiler saw, as it writes it: flame graphs as SVG, stacks as text. Pure."""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

_FRAME = re.compile(
    r'<title>(?P<name>[^<]*?) \((?P<samples>[\d,]+) samples?, [\d.]+%\)</title><rect [^>]*?y="(?P<y>\d+)"[^>]*?'
    r'fg:x="(?P<x>\d+)" fg:w="(?P<w>\d+)"'
)
_LINE = re.compile(r":\d+\)$")
_THREAD = re.compile(r'^thread \(0x[0-9A-Fa-f]+\)(?:: "(?P<name>.*)")?$')


@dataclass(frozen=True)
class Samples:
    """Samples by thread, and by the function that was innermost in them."""

    threads: dict[str, int]
    innermost: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.threads.values())

    def top(self, n: int) -> list[tuple[str, int]]:
        """The functions with most samples of their own, the most first; of equals by name."""
        return sorted(self.innermost.items(), key=lambda pair: (-pair[1], pair[0]))[:n]


def of_stacks(text: str) -> Samples:
    """Lines of frames, outermost first, apart by semicolons, with a number of samples behind; the first is the thread."""
    threads, innermost = Counter[str](), Counter[str]()
    for line in text.splitlines():
        stack, _, n = line.rpartition(" ")
        frames = stack.split(";")
        threads[_thread(frames[0])] += int(n)
        innermost[_function(frames[-1])] += int(n)
    return Samples(dict(threads), dict(innermost))


def of_flame_graph(svg: str) -> Samples:
    """Frames lie in rows of the same y, each over those that it called; what these leave of its width is its own."""
    rows: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for found in _FRAME.finditer(svg):
        rows[int(found["y"])].append((int(found["x"]), int(found["w"]), html.unescape(found["name"])))
    threads, innermost = Counter[str](), Counter[str]()
    depths = sorted(rows)
    for i, y in enumerate(depths):
        below = rows[depths[i + 1]] if i + 1 < len(depths) else []
        for x, w, name in rows[y]:
            own = w - sum(of for at, of, _ in below if x <= at < x + w)
            if i == 1:  # the first row is everything together
                threads[_thread(name)] += w
            if i > 0 and own > 0:
                innermost[_function(name)] += own
    return Samples(dict(threads), dict(innermost))


def _thread(frame: str) -> str:
    """Its name where it has one. Of those without, all together: their numbers say nothing."""
    found = _THREAD.match(frame)
    return (found["name"] or "unnamed") if found else "unnamed"


def _function(frame: str) -> str:
    """Without the line: a function's samples are spread over its lines."""
    return _LINE.sub(")", frame)
