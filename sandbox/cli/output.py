"""How commands answer: people get tables on stdout, programs get one JSON document there and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sandbox.base.progress import ProgressFn, quiet

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def emit(document: Any, human: Callable[[], None], json_: bool) -> None:
    """Prints `document` as JSON when `json_`, else calls `human`, which prints for people.

    A number that is none (NaN, infinity) becomes null: JSON has no word for it.
    """
    if json_:
        sys.stdout.write(_dumps(document) + "\n")
    else:
        human()


@contextmanager
def progress(json_: bool) -> Iterator[ProgressFn]:
    """A progress display on stderr; one plain line per step without a terminal, nothing with --json,
    so that an error is the only thing on stderr there."""
    if json_:
        yield quiet
        return
    if not err.is_terminal:
        said: set[str] = set()

        def say(what: str, _share: float | None = None) -> None:
            if what not in said:
                said.add(what)
                err.print(f"· {what}", markup=False)

        yield say
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as display:
        tasks: dict[str, Any] = {}

        def show(what: str, share: float | None = None) -> None:
            if what not in tasks:
                for task in tasks.values():
                    display.update(task, visible=False)
                tasks[what] = display.add_task(what, total=1.0 if share is not None else None)
            if share is not None:
                display.update(tasks[what], total=1.0, completed=share)

        yield show


def number(value: float | None) -> str:
    """For a table: four digits that count, a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def _dumps(document: Any) -> str:
    try:
        return json.dumps(document, default=_plain, allow_nan=False)
    except ValueError:  # rare: documents are finite but for a figure that could not be measured
        text = json.dumps(document, default=_plain)
        return json.dumps(json.loads(text, parse_constant=lambda _: None))


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
