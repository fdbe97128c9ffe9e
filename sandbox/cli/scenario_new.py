"""`sandbox scenario new`: asks for the parts, or takes them from options, and writes a file that passes check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.cli.output import emit, err, out


def new(name: str, source: str | None, fault: str | None, head: dict[str, Any], file: Path | None, json_: bool) -> None:
    """Writes the file and says where. Raises CFG-004 where something is not said and nobody can be asked,
    DRILL-002 where what would be written is refused."""
    from sandbox.drill.authoring import drafting
    from sandbox.drill.scenario import library

    if source is None and fault is None:
        if json_ or not sys.stdin.isatty():
            raise SandboxError(
                "CFG-004",
                where="sandbox scenario new",
                seen="neither --from nor --fault",
                expected="what to start from, or a terminal to be asked in",
                fix="--from SCENARIO copies one, --fault NAME takes the one that shows it; sandbox fault list",
            )
        fault = _asked_fault()
        head = {key: _asked(key) if value is None else value for key, value in head.items()}
    path = file or paths.home() / "scenarios" / f"{name}.yaml"
    if path.stem != name:
        raise SandboxError(
            "CFG-004",
            where="sandbox scenario new, --file",
            seen=str(path),
            expected=f"a file called {name}.yaml",
            fix="file and id have one name",
        )
    taken = name in library.shelf().scenarios
    if taken or path.exists():
        raise SandboxError(
            "CFG-004",
            where="sandbox scenario new, NAME",
            seen=name,
            expected="a name that no scenario has",
            fix="choose another, or edit the one there is",
        )
    origin = library.path_of(source) if source is not None else drafting.source_of(str(fault))
    text = drafting.written(origin.read_text(), name, head)
    found = drafting.looked_at(text, path)
    if not found.ok:
        first = found.errors[0]
        raise SandboxError(
            "DRILL-002",
            where=f"{path.name}:{first.line}, {first.place}",
            seen=first.seen,
            expected=first.expected,
            fix=first.fix,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    document = {"file": str(path), "from": origin.stem, **found.document()}

    def human() -> None:
        out.print(f"wrote {escape(str(path))}, from {escape(origin.stem)}: it passes the check", soft_wrap=True)
        out.print(f"look at it: sandbox scenario show {name}; change what is yours; then")
        out.print(f"sandbox scenario check {name} && sandbox scenario prove {name}")

    emit(document, human, json_)


def _asked_fault() -> str:
    from faults.catalogue import CATALOGUE
    from sandbox.drill.scenario.finding import guess

    for fault in CATALOGUE.values():
        err.print(f"  {fault.name}: {escape(fault.describe()['summary'])}", soft_wrap=True)
    while True:
        name = str(typer.prompt("Which fault", err=True)).strip()
        if name in CATALOGUE:
            return name
        err.print(f"there is no such fault; {guess(name, CATALOGUE, 'type one of the names above')}")


def _asked(key: str) -> Any:
    """A value for a key of the head; nothing typed leaves the source's. Checked at once."""
    from pydantic import TypeAdapter, ValidationError

    from sandbox.drill.scenario.scenario import Scenario

    info = Scenario.model_fields[key]
    while True:
        text = str(
            typer.prompt(f"{key.capitalize()} (empty: as it is there)", default="", show_default=False, err=True)
        ).strip()
        if not text:
            return None
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(info.annotation)  # type: ignore[arg-type]
            return adapter.validate_python(text)
        except ValidationError as error:
            err.print(escape(error.errors()[0]["msg"]))
