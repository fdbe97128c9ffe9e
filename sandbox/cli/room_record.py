"""`sandbox room export`, `replay` and `results`: what rooms and drills of before tell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, require_writable
from sandbox.cli.output import emit, out

if TYPE_CHECKING:
    from sandbox.room.record.intervals import Estimate
    from sandbox.room.record.moments import Line
    from sandbox.room.record.recordings import Recording
    from sandbox.room.record.results import Results

_FASTEST = 100_000.0


class By(StrEnum):
    """How long a period is."""

    day = "day"
    week = "week"
    month = "month"


class Form(StrEnum):
    """What an export is written as."""

    json = "json"
    md = "md"
    html = "html"
    pdf = "pdf"


def export(
    code: str,
    form: Annotated[
        Form, typer.Option("--format", help="json; for people md, html, or pdf by a browser that is there.")
    ] = Form.json,
    file: Annotated[Path | None, typer.Option("--out", help="Write it there instead of printing it.")] = None,
    json_: Json = False,
) -> None:
    """A room told to its end, with everything that was said and done in it."""
    from sandbox.drill.debrief.pdf import pdf
    from sandbox.room import house
    from sandbox.room.record import export as exports

    deed = house.deed_of(code)
    if form is Form.pdf and file is None:
        raise SandboxError(
            "CFG-004", where="sandbox room export", seen="--format pdf without --out", expected="a file to write it to",
            fix=f"add --out {deed.code}.pdf",
        )  # fmt: skip
    events = house.journal_of(deed).read()
    document = exports.document(deed, events)
    text = {
        Form.json: lambda: json.dumps(document), Form.md: lambda: exports.markdown(deed, events),
        Form.html: lambda: exports.page(deed, events), Form.pdf: lambda: exports.page(deed, events),
    }[form]()  # fmt: skip
    if file is None:
        return emit(document, lambda: out.print(text, markup=False, soft_wrap=True), json_)
    try:
        file.write_bytes(pdf(text) if form is Form.pdf else text.encode())
    except OSError as error:
        raise SandboxError(
            "CFG-002", where="--out", seen=str(error), expected="a file that can be written", fix="check the path"
        ) from error
    emit({"code": deed.code, "file": str(file), "events": len(events)}, lambda: out.print(str(file)), json_)


def replay(
    name: Annotated[str, typer.Argument(help="Code of a room, or name of a drill that was answered in a terminal.")],
    speed: Annotated[
        float, typer.Option(min=0.0, max=_FASTEST, help="Times as fast as it was played; 0 for all at once.")
    ] = 10.0,
    at: Annotated[
        int | None, typer.Option("--at", min=1, help="The room as it was after that event, instead of the timeline.")
    ] = None,
    json_: Json = False,
) -> None:
    """Tell a room's life again, event by event, as fast as you like. With --json at once, as one document."""
    from sandbox.room.record.recordings import recording

    found = recording(name)
    if at is not None:
        moment = found.moment(at, instructor=False).model_dump(mode="json")
        return emit(moment, lambda: _show(moment), json_)
    lines = found.lines(instructor=True) if found.graded is not None else found.lines(instructor=False)
    document = {
        "name": found.name, "kind": found.kind, "scenario": found.scenario, "backend": found.backend,
        "began_ts": found.opened.began_ts, "world_rate": found.opened.world_rate, "events": len(found.events),
        "lines": [line.model_dump() for line in lines],
    }  # fmt: skip
    emit(document, lambda: _play(found, lines, speed), json_)


def results(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Sessions since then, UTC.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="Sessions of one scenario.")] = None,
    by: Annotated[By, typer.Option("--by", help="How to cut time.")] = By.week,
    sheet: Annotated[Path | None, typer.Option("--csv", help="Write a row for each session to this file too.")] = None,
    people: Annotated[
        Path | None, typer.Option("--people-csv", help="Write a row for each person in each session to this file too.")
    ] = None,
    json_: Json = False,
) -> None:
    """What those who answered drills here can do, by skill, with intervals: rooms and terminals together. People by name: what the
    journals of their rooms say that they did."""
    from sandbox.room.record.results import results as found_in
    from sandbox.room.record.sheet import people_sheet
    from sandbox.room.record.sheet import sheet as rows_of

    sheets = [
        (path, option, rows)
        for path, option, rows in ((sheet, "--csv", rows_of), (people, "--people-csv", people_sheet))
        if path is not None
    ]
    for path, option, _ in sheets:
        require_writable(path, f"sandbox room results {option}", ".csv")
    found = found_in(since, scenario, by.value)
    for path, _, rows in sheets:
        path.write_text(rows(found), encoding="utf-8", newline="")

    def human() -> None:
        _tabulate(found)
        for path, _, _ in sheets:
            out.print(f"written: {path}", markup=False, soft_wrap=True)

    emit(found.model_dump(mode="json"), human, json_)


def _tabulate(found: Results) -> None:
    skills = list(found.whole.skills)
    table = Table("", "n", "score", *skills, header_style="bold")
    for group in (found.whole, *found.periods, *found.scenarios, *found.people):
        told = [_bounds(group.score), *(_bounds(group.skills[skill]) for skill in skills)]
        table.add_row(escape(group.name), str(group.n), *told)
    out.print(table)
    out.print(f"mean, and its {found.level:.0%} interval: {found.method}", markup=False)
    if found.given_up or found.ungraded:
        out.print(f"left out: {found.given_up} given up, {found.ungraded} without a grade that was kept", markup=False)


def _bounds(of: Estimate) -> str:
    if of.mean is None:
        return "–"
    return f"{of.mean:.2f}\n[dim]{of.low:.2f}–{of.high:.2f}[/]".replace("0.", ".")


def _play(found: Recording, lines: Iterable[Line], speed: float) -> None:
    """Waits by the wall clock between lines; Ctrl-C ends it."""
    import asyncio

    from sandbox.base.clock import WallClock
    from sandbox.room.record.moments import due_s

    async def told() -> None:
        clock = WallClock()
        began = clock.now()
        for due, line in due_s(lines, found.opened.world_rate, speed):
            await clock.wait_until(began + due)
            _tell(line)

    opened = found.opened
    out.print(f"[bold]{escape(opened.title)}[/]  {escape(found.name)}, {found.backend}, world time", soft_wrap=True)
    asyncio.run(told())


def _tell(line: Line) -> None:
    from sandbox.base.clock import iso
    from sandbox.drill.debrief.text import visible

    style = {"truth": "red", "page_came": "bold yellow", "acted": "bold", "chatted": "cyan"}.get(line.kind, "default")
    out.print(
        f"[dim]{iso(line.world_ts)[11:19]} {line.seq:>4}[/] [{style}]{escape(visible(line.text))}[/]", soft_wrap=True
    )


def _show(moment: dict[str, Any]) -> None:
    from sandbox.drill.debrief.text import all_visible

    room = moment["room"]
    shown = all_visible(moment)
    out.print(f"[bold]{escape(room['title'])}[/]  {room['world_time']}  {room['phase']}, event {moment['seq']}")
    for title, rows in (
        ("here", [f"{p['name']}, {p['role'].replace('_', ' ')}" for p in shown["participants"]]),
        ("page", [shown["page"]["text"]] if shown["page"] else []),
        ("hypotheses", [f"{h['verdict']}: {h['text']}" for h in shown["hypotheses"]]),
        ("open tasks", [task["text"] for task in shown["tasks"] if not task["done"]]),
        ("actions", [f"{a['by']}: {a['action']}" for a in shown["actions"]]),
        ("queries", [f"{q['by']}: {q['sql']}" for q in shown["queries"][-5:]]),
        ("said", [f"{m['sender']}: {m['text']}" for m in shown["messages"][-5:]]),
        ("report", [f"{name}: {field['value']}" for name, field in shown["report"].items()]),
    ):
        if rows:
            out.print(f"[bold]{title}[/]")
            for row in rows:
                out.print(f"  {escape(' '.join(str(row).split()))}", soft_wrap=True)
