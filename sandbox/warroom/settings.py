"""Limits of the server, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rate:
    """per_s: in the long run. burst: at once."""

    per_s: float
    burst: int


@dataclass(frozen=True)
class Settings:
    """body_bytes: of one request; a whole report has 64 KiB. joins: of one room, so that a class gets in and a flood does
    not. commands, reads: of one participant: nobody types faster, and a page asks once. guesses: of the instructor's
    secret and of tokens, all together. streams: that one participant may have open, a tab each. token_s: how long a
    sign-in holds, wall seconds: a day of training. clock_s: between two times told on a quiet stream. overview_s: that an overview and
    a panel are good for, wall seconds: telemetry has a sample a second. A look that costs much of one is good for longer.
    panels: that one participant may look into, each of which may take a tenth of a second of the desk. looks: of one
    participant that the room is told of, so that its journal stays small. authors: calls about scenarios, all
    together. rooms: that one server holds, those that are over among them."""

    body_bytes: int = 131_072
    joins: Rate = Rate(10.0, 60)
    commands: Rate = Rate(10.0, 40)
    reads: Rate = Rate(20.0, 60)
    guesses: Rate = Rate(2.0, 20)
    streams: int = 8
    token_s: float = 12 * 3600.0
    clock_s: float = 1.0
    overview_s: float = 1.0
    panels: Rate = Rate(4.0, 40)
    authors: Rate = Rate(10.0, 60)
    rooms: int = 20
    looks: Rate = Rate(0.1, 20)


@dataclass(frozen=True)
class Secrets:
    """signing: key of the participants' tokens, bytes. instructor: what opens the instructor's calls."""

    signing: bytes = field(repr=False)
    instructor: str = field(repr=False)
