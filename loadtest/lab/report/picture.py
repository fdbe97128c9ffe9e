"""Pictures of docs/load.md: one frozen service as every arrival saw it, and as a caller who waits did.

`python -m loadtest.lab.report.picture > docs/img/omission.svg` calculates one; with a report's directory as an argument
it is drawn from that run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from loadtest.lab.closed import Floats, asked, callers
from loadtest.lab.histogram import Histogram
from loadtest.lab.report.charts import Line, chart
from loadtest.lab.report.of_run import percentiles
from loadtest.lab.report.page import svg
from loadtest.lab.saved import read

RATE_PER_S, SECONDS, WORK_S = 1_000, 30.0, 0.001
FROZEN_S = (10.0, 11.4)  # it takes requests and answers none


def frozen_service() -> tuple[Floats, Floats]:
    """(seconds of arrivals, seconds of their answers) at a service that has room for all, but stands still for 1.4 s."""
    arrived = np.arange(0, SECONDS, 1 / RATE_PER_S)
    held = (arrived > FROZEN_S[0] - WORK_S) & (arrived < FROZEN_S[1])
    return arrived, np.where(held, FROZEN_S[1], arrived) + WORK_S


def picture() -> str:
    """An SVG of its own."""
    arrived, done = frozen_service()
    mine = asked(arrived, done, callers(arrived, done))
    lines = []
    for name, kind, ms in (
        ("every arrival, from its intended start", "a", (done - arrived) * 1000),
        ("a caller who waits for answers", "b", (done - arrived)[mine] * 1000),
    ):
        curve = Histogram.of(ms).curve()
        lines.append(Line(name, kind, [(min(1 / max(above, 1e-4), 1e4), value) for above, value in curve]))
    return svg(
        chart(
            "One service that stood still for 1.4 s of 30: latency, ms", lines, "percentile", x="percentiles", y="log"
        )
    )


def picture_of(report: Path) -> str:
    """The same two of a load that was run. Raises CFG-002, CFG-003 for what is no report."""
    return svg(percentiles(read(report).whole))


if __name__ == "__main__":
    sys.stdout.write(picture() if len(sys.argv) == 1 else picture_of(Path(sys.argv[1])))
