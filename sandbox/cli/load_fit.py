"""`sandbox load fit`: the Universal Scalability Law for anybody's measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, number, out


def fit(
    file: Annotated[Path, typer.Argument(help="CSV with columns n (concurrency, or size) and x (throughput).")],
    json_: Json = False,
) -> None:
    """Fit the Universal Scalability Law to measurements: where throughput peaks, and what holds it back.

    Intervals are 95 % profile intervals; with three measurements there are none.
    """
    from loadtest.lab.fitted import document
    from loadtest.lab.measurements import read_csv
    from loadtest.lab.usl import fit as fitted

    n, x = read_csv(file)
    found = document(fitted(n, x))
    emit(found, lambda: show(found), json_)


def show(found: dict[str, Any]) -> None:
    """The document of a fit, for people."""
    table = Table("", "estimate", "from", "to", box=None)
    for name, about in _NAMES.items():
        low, high = found["intervals"][name] or (None, None)
        table.add_row(about, number(found[name]), number(low), number(high))
    out.print(table)
    out.print(found["said"])


_NAMES = {
    "alpha": "alpha, contention",
    "beta": "beta, coherency",
    "gamma": "gamma, rate of one",
    "peak_n": "n at the peak",
    "peak_x": "x at the peak",
    "limit": "limit by contention",
}
