"""`sandbox recommend`: one slate as a person can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo, latest_run
from sandbox.cli.noting import note_look
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, out
from sandbox.runtime.slates import Card, ask, document, read_cards, slate

_WIDE = 160  # columns of the table where there is no terminal


def recommend(
    user: Annotated[int | None, typer.Option(help="number of the user, from 0")] = None,
    k: Annotated[int, typer.Option(help="items wanted, 1 to 100")] = 10,
    user_key: Annotated[str | None, typer.Option(help="the user by the key of the imported source")] = None,
    session: Annotated[str, typer.Option(help="number of the visit (default: one of its own)")] = "",
    depth: Annotated[int, typer.Option(help="which request of the visit, from 1")] = 1,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Ask the running stack for a slate, and show what found each item and what the rules did to it.

    The request is recorded in full: `sandbox trace REQUEST_ID`, and the tables candidates,
    rule_decisions and explain, tell the rest.
    """
    run = RunInfo.load(run_dir or latest_run())
    if run.backend == "virtual":
        raise SandboxError(
            "RUN-001",
            where="sandbox recommend",
            seen="a run of the virtual backend, which only its drill can ask",
            expected="a stack that runs",
            fix="type `recommend --user U` in the drill's own shell, or start a stack: sandbox up",
        )
    who = _user(run, user, user_key)
    answer = ask(run, who, k, session, depth)
    note_look(run, f"recommend --user {who}")
    cards = read_cards(Path(run.world_dir), [item.item_id for item in answer.items])
    emit(document(answer, cards), lambda: _show(answer, cards), json_)


def _user(run: RunInfo, user: int | None, user_key: str | None) -> int:
    if (user is None) == (user_key is None):
        raise SandboxError(
            "CFG-004",
            where="sandbox recommend",
            seen=f"--user {user}, --user-key {user_key}",
            expected="one of --user and --user-key",
            fix="name one user",
        )
    if user_key is None:
        assert user is not None
        return user
    from sandbox.world.importers.keys import user_id

    return user_id(Path(run.world_dir), user_key)


def _show(answer: Any, cards: dict[int, Card]) -> None:
    # A pipe or a file has no width: there a line may be as long as it needs to be.
    console = out if out.is_terminal else Console(width=_WIDE, highlight=False)
    console.print(slate(answer, cards, console.width))
    out.print(f"[dim]sandbox trace {answer.request_id}[/]", soft_wrap=True)
