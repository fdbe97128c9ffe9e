"""`sandbox room`: rooms in which teams answer drills, served over HTTP."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.cli.drill_room import require_room
from sandbox.cli.options import Json, Pack
from sandbox.cli.output import emit, err, out, progress
from sandbox.cli.room_record import export, replay, results

_ANSWER_S = 600.0  # wall seconds: to end a live drill takes its stack down
_SHORTEST_SECRET = 16
_MOST_ROOMS = 20  # of one server


class Backend(StrEnum):
    """Where a room's drill runs."""

    live = "live"
    virtual = "virtual"


app = typer.Typer(help="Rooms: a team answers a drill together.", no_args_is_help=True)


@app.command()
def start(
    name: Annotated[
        str | None, typer.Argument(help="Scenario; see `sandbox drill list`. None: take up all that were left.")
    ] = None,
    gentlest: Annotated[bool, typer.Option("--gentlest", help="Take the gentlest scenario.")] = False,
    backend: Annotated[
        Backend, typer.Option(help="virtual: paced by the wall clock, without processes; live: one on a machine.")
    ] = Backend.virtual,
    rooms: Annotated[int, typer.Option(min=1, max=_MOST_ROOMS, help="How many rooms.")] = 1,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of traffic and chance.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to bind to; others than loopback need --secret-file.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8420,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the instructor's secret; else one is made.")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Worlds wait for the instructor, not for the first to join.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Leave rooms that were left as they are, open others.")
    ] = False,
    twin: Annotated[
        bool, typer.Option(help="Grade impact and evidence by the drill's twin; without it, at once.")
    ] = True,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Open rooms and serve them until Ctrl-C. Rooms of the scenario that a server left are taken up again."""
    from sandbox.drill.scenario import library

    del pack
    serve = _web()
    by_difficulty = library.gentlest() if gentlest else None
    scenario = by_difficulty if name is None else library.named(name)
    chosen = None if secret_file is None else _secret(secret_file)
    options: dict[str, Any] = {"world": world, "seed": seed, "twin": twin, "held": hold}
    with serve.sole():
        bound = serve.bind(host, port, chosen is not None)
        with closing(bound.listening):
            with progress(json_) as show_progress:
                left = [] if fresh else _left(scenario, backend, rooms)
                opened = _taken_up(left, scenario is None, show_progress, json_)
                if scenario is not None and len(opened) < rooms:
                    if backend is Backend.live:
                        _require_alone(rooms)
                    opened += _opened(scenario, backend, rooms - len(opened), options, show_progress)
            secrets = serve.secrets_kept(chosen)
            document = _document(opened, bound.address, secrets.instructor)
            serve.serve(opened, bound, secrets, lambda: _told(document, json_))


@app.command("list")
def list_(json_: Json = False) -> None:
    """All rooms there are, served or left."""
    from sandbox.room import house

    rows = [house.summary(deed) for deed in house.deeds()]

    def human() -> None:
        table = Table("code", "scenario", "backend", "phase", "participants", "score", header_style="bold")
        for row in rows:
            score = "" if row["score"] is None else f"{row['score']:.2f}"
            table.add_row(row["code"], row["scenario"], row["backend"], row["phase"], str(row["participants"]), score)
        out.print(table)

    emit(rows, human, json_)


@app.command()
def end(code: str, json_: Json = False) -> None:
    """End the drill of a room without a report; its debrief follows."""
    from sandbox.room import house

    deed = house.deed_of(code)
    with progress(json_) as show_progress:
        at = house.served_at()
        if at is None:
            house.end_unserved(deed, show_progress)
        else:
            _order(at, deed.code, {"kind": "end"})
    document = house.summary(deed)
    emit(document, lambda: out.print(f"room {deed.code} is {document['phase']}"), json_)


for _command in (export, replay, results):
    app.command()(_command)


@app.command()
def injects(
    file: Annotated[
        Path | None, typer.Argument(help="A set of your own to check. None: list all that there are.")
    ] = None,
    json_: Json = False,
) -> None:
    """Ready-made sets of injects; or check one, which then says file, line and field of what is wrong."""
    from sandbox.room.twists import sets

    there = sets.all_sets() if file is None else sets.Sets(sets=[sets.load(file)], refused={})

    def human() -> None:
        for one in there.sets:
            out.print(f"[bold]{escape(one.id)}[/]  {escape(one.title)}, {len(one.injects)} injects", soft_wrap=True)
        for name, why in there.refused.items():
            err.print(f"{name} cannot be used: {why}", markup=False, soft_wrap=True)

    emit(there.model_dump(mode="json"), human, json_)


def _web() -> Any:
    """The server. Raises CFG-004 without the extra that it needs."""
    try:
        from sandbox.warroom import serve
    except ImportError as error:
        raise SandboxError(
            "CFG-004",
            where="sandbox room start",
            seen=str(error),
            expected="the extra `web`",
            fix="install it: pip install -c constraints.txt -e '.[web]'",
        ) from error
    return serve


def _left(scenario: Any, backend: Backend, most: int) -> list[Any]:
    """Rooms that were left before their debrief: at most so many of one scenario and backend; where no scenario is
    named, all of them. Raises CFG-004 when that is none."""
    from sandbox.room import house

    left = [deed for deed in house.deeds() if house.is_open(deed)]
    if scenario is not None:
        return [deed for deed in left if deed.scenario == scenario.id and deed.backend == backend.value][-most:]
    if not left:
        raise SandboxError(
            "CFG-004",
            where="sandbox room start",
            seen="no scenario, and no room that was left",
            expected="a scenario's name",
            fix="see `sandbox drill list`",
        )
    return left[-_MOST_ROOMS:]


def _taken_up(left: list[Any], must: bool, show_progress: ProgressFn, json_: bool) -> list[Any]:
    """The rooms that could be. Of the others it is said why; must: raised, where that leaves none."""
    from sandbox.room import house
    from sandbox.room.several import side_by_side

    opened, why = [], None
    made = side_by_side([partial(house.take_up, deed) for deed in left], show_progress)
    for deed, room in zip(left, made, strict=True):
        if isinstance(room, SandboxError):
            why = room
            if not json_:
                err.print(f"room {deed.code} is left as it is: {room}", markup=False)
        else:
            opened.append(room)
    if must and why is not None and not opened:
        raise why
    return opened


def _opened(scenario: Any, backend: Backend, n: int, options: dict[str, Any], show_progress: ProgressFn) -> list[Any]:
    """So many new rooms. Raises what kept one of them from being opened; then there are none."""
    from sandbox.room import house
    from sandbox.room.several import close_all, side_by_side

    def make(show: ProgressFn) -> Any:
        return house.open_room(scenario, backend.value, **options, progress=show)

    made = side_by_side([make] * n, show_progress)
    for room in made:
        if isinstance(room, SandboxError):
            close_all(made)
            raise room
    return made


def _require_alone(rooms: int) -> None:
    """Raises CFG-004 for several live rooms, RUN-009 for one beside a stack that is up."""
    if rooms > 1:
        raise SandboxError(
            "CFG-004",
            where="sandbox room start, --rooms",
            seen=f"{rooms} live rooms",
            expected="one live room",
            fix="several: --backend virtual",
        )
    require_room(None, ask=False)


def _secret(file: Path) -> str:
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(
            "CFG-002", where="--secret-file", seen=str(error), expected="a readable text file", fix="check the path"
        ) from error
    if len(secret) < _SHORTEST_SECRET:
        raise SandboxError(
            "CFG-004", where="--secret-file", seen=f"{len(secret)} characters", fix="choose a longer one",
            expected=f"{_SHORTEST_SECRET} or more",
        )  # fmt: skip
    return secret


def _document(rooms: list[Any], address: str, secret: str) -> dict[str, Any]:
    from sandbox.room.house import deed_of

    deeds = [deed_of(room.code) for room in rooms]
    return {
        "address": address,
        "instructor_url": f"{address}/instructor?secret={secret}",
        "rooms": [{"code": d.code, "scenario": d.scenario, "backend": d.backend} for d in deeds],
    }


def _told(document: dict[str, Any], json_: bool) -> None:
    def human() -> None:
        out.print(f"rooms at {document['address']}, until Ctrl-C", markup=False)
        for room in document["rooms"]:
            at = f"{document['address']}/r/{room['code']}"
            out.print(f"  [bold]{room['code']}[/]  {at}  {escape(room['scenario'])}, {room['backend']}", soft_wrap=True)
        out.print(f"instructor: {document['instructor_url']}", markup=False, soft_wrap=True)

    emit(document, human, json_)
    sys.stdout.flush()


def _order(address: str, code: str, command: dict[str, Any]) -> None:
    """One command to the server, as its instructor. Raises what it answers, RUN-003 where it does not."""
    from sandbox.room.house import instructor_secret

    request = urllib.request.Request(
        f"{address}/api/v1/instructor/rooms/{code}/commands", json.dumps(command).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {instructor_secret()}"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S):
            return
    except urllib.error.HTTPError as error:
        told = json.loads(error.read())
        raise SandboxError(
            told["code"], where=told["where"], seen=told["seen"], expected=told["expected"], fix=told["fix"]
        ) from error
    except OSError as error:
        raise SandboxError(
            "RUN-003", where=address, seen=str(error), expected="the server's answer", fix="end it there: Ctrl-C"
        ) from error
