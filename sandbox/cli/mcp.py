"""`sandbox mcp`: a seat in a room for an automated responder, over standard input and output."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sandbox.base.errors import SandboxError
from sandbox.base.progress import quiet
from sandbox.cli.options import Pack


def mcp(
    room: Annotated[str | None, typer.Option("--room", help="Code of a room that a server has.")] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="Or a virtual drill of its own, whose world stands still meanwhile.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Under which it is in the room.")] = "responder",
    role: Annotated[str, typer.Option("--role", help="See docs/security.md; what it may do follows from it.")] = "commander",
    address: Annotated[
        str | None, typer.Option("--address", help="Of the server; default the one that runs on this SANDBOX_HOME.")
    ] = None,
    world: Annotated[str | None, typer.Option(help="With --scenario: another world than the scenario's.")] = None,
    seed: Annotated[int | None, typer.Option(help="With --scenario: seed of traffic and chance.")] = None,
    twin: Annotated[bool, typer.Option(help="With --scenario: grade impact and evidence by the drill's twin.")] = True,
    pack: Pack = None,
) -> None:  # fmt: skip
    """Serve a trainee's tools (Model Context Protocol) over stdio: look, trace, preview, act, report. Nothing else is on
    standard output."""
    del pack
    tools = _sdk()
    if (room is None) == (scenario is None):
        raise SandboxError(
            "CFG-004", where="sandbox mcp", seen="both" if room else "neither of both", fix="see sandbox mcp --help",
            expected="--room CODE, or --scenario NAME",
        )  # fmt: skip
    seat = _in_a_room(room, name, role, address) if room is not None else _own(scenario, name, role, world, seed, twin)
    try:
        tools.server(seat).run("stdio")
    finally:
        seat.close()


def _sdk() -> Any:
    """The tools. Raises CFG-004 without the extra that they need."""
    try:
        from sandbox.mcp import tools
    except ImportError as error:
        raise SandboxError(
            "CFG-004", where="sandbox mcp", seen=str(error), expected="the extra `mcp`",
            fix="install it: pip install -c constraints.txt -e '.[mcp]'",
        ) from error  # fmt: skip
    return tools


def _in_a_room(code: str, name: str, role: str, address: str | None) -> Any:
    from sandbox.mcp.served import ServedSeat
    from sandbox.room import house

    at = address or house.served_at()
    if at is None:
        raise SandboxError(
            "RUN-003", where="sandbox mcp", seen="no server that has rooms", expected="one on this SANDBOX_HOME",
            fix="start one: sandbox room start SCENARIO; or name it: --address",
        )  # fmt: skip
    if not at.startswith(("http://", "https://")):
        raise SandboxError(
            "CFG-004", where="--address", seen=at, expected="http://HOST:PORT", fix="as `sandbox room start` printed it"
        )
    return ServedSeat(at, code, name, role)


def _own(scenario: str | None, name: str, role: str, world: str | None, seed: int | None, twin: bool) -> Any:
    from sandbox.drill.scenario import library
    from sandbox.mcp.own import OwnSeat

    return OwnSeat(library.named(str(scenario)), name, role, world=world, seed=seed, twin=twin, progress=quiet)
