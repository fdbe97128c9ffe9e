"""The hot floor: all cores in this one process, and calls to one echo server, each over and over.

`python -m sandbox.bench.hot RUN_DIR` takes orders, a line of JSON each: {do: prepare, n, path} leaves what n recommendations
are made from in a file, for the cold floor, and tells {sizes}; {do: kernels, first, n} and {do: echo, address, pid, sizes, n} tell
their CPU milliseconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from sandbox.base.run import RunInfo
from sandbox.bench import echo, transport
from sandbox.bench.driving import users_of
from sandbox.bench.kernels import Kernels, save, sizes_of

WARM_UP = 50  # recommendations: allocators and caches


class Hot:
    def __init__(self, run_dir: Path) -> None:
        self.kernels = Kernels(RunInfo.load(run_dir))
        self._kernels(0, WARM_UP)

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        match order:
            case {"do": "prepare", "n": n, "path": path}:
                return self._prepare(n, Path(path))
            case {"do": "kernels", "first": first, "n": n}:
                return {"cpu_ms": self._kernels(first, n)}
            case {"do": "echo", "address": address, "pid": pid, "sizes": sizes, "n": n}:
                return _echoed(address, pid, sizes, n)
        raise ValueError(f"no such order: {order}")

    def _prepare(self, n: int, path: Path) -> dict[str, Any]:
        users = users_of(self.kernels.catalogue, n, self.kernels.run.seed).tolist()
        made = [self.kernels.recommend(user, i) for i, user in enumerate(users)]
        save(path, made)
        return {"sizes": sizes_of(made[0])}

    def _kernels(self, first: int, n: int) -> float:
        users = users_of(self.kernels.catalogue, first + n, self.kernels.run.seed)[first:].tolist()
        began = time.process_time()
        for i, user in enumerate(users):
            self.kernels.recommend(user, first + i)
        return (time.process_time() - began) / n * 1000


def _echoed(address: str, pid: int, sizes: list[tuple[int, int]], n: int) -> dict[str, Any]:
    """caller_ms, server_ms of one round. The first call of a channel does not count."""
    found: list[tuple[float, float]] = []

    async def main() -> None:
        found.append(await echo.cost_ms(address, pid, sizes, n))

    transport.run(main())
    return dict(zip(("caller_ms", "server_ms"), found[0], strict=True))


def main(run_dir: str) -> None:
    hot = Hot(Path(run_dir))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(hot.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
