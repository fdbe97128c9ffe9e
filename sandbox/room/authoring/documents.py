"""What an author is shown: a model for each document. All of it holds the truth, so it is the instructor's alone.

Times: `…_s` world seconds since a drill begins, `wall_…` of the clock of the machine.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

MOST_TEXT = 100_000  # characters of a scenario; the longest of the core pack has 13,000
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Id = Annotated[str, Field(pattern=SLUG, max_length=60)]


class Document(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are a mistake of whoever makes it."""


class PictureLine(Document):
    """One line of the picture. kind: change, release, fault, traffic, page or evidence. curve: strength 0..1 over the time
    of the picture, of what goes on for a while. guilty: part of the truth."""

    kind: str
    at_s: float
    label: str
    guilty: bool
    curve: list[float] | None


class Picture(Document):
    """The timeline before it starts. told: the truth, a line for each cause."""

    length_s: float
    told: list[str]
    lines: list[PictureLine]


class ProofLine(Document):
    """A proof that is kept, of the scenario, the pack and the code as they are now. quick: without responders."""

    quick: bool
    ok: bool
    why: str


class Card(Document):
    """A scenario in the library. pack: core, own (SANDBOX_HOME/scenarios, which can be written here) or another folder's
    name. proof: the best that is kept, None for none."""

    id: str
    title: str
    briefing: str
    stars: int
    minutes: float
    world: str
    teaches: str
    faults: list[str]
    incident: bool
    pack: str
    proof: ProofLine | None


class RefusedFile(Document):
    """A file of a pack that cannot be played, and why. id: its name, under which it can be mended where it is one's own."""

    id: str
    pack: str
    where: str
    seen: Any
    expected: str
    fix: str


class Library(Document):
    """Everything there is to play, the core pack first."""

    scenarios: list[Card]
    refused: list[RefusedFile]


class Finding(Document):
    """One thing that is wrong (severity error) or may be (warning). line: from 1. place: dotted path in the file."""

    severity: str
    code: str
    place: str
    line: int
    seen: Any
    expected: str
    fix: str


class CheckedText(Document):
    """As `sandbox scenario check` says it. picture: where there is no error."""

    ok: bool
    findings: list[Finding]
    picture: Picture | None


class Source(Document):
    """A file. version: of its text, which a save names as its `base`. own: whether it can be saved here."""

    id: str
    pack: str
    own: bool
    text: str
    version: str


class Whole(Document):
    """A scenario in whole: what the library tells of it, its timeline, and the proof as `sandbox scenario prove --json`."""

    card: Card
    precedent: str
    picture: Picture
    proof: dict[str, Any] | None


class Saved(Document):
    """version: of what is on disk now. A file with errors is kept, too, and not played."""

    id: str
    version: str


class AuthorsWords(Document):
    """For completion. schema_: of scenario files, as scenarios/schema.json. values: place of a value, with `[]` for an entry
    of a list -> words that may stand there. knobs: fault -> its parameters, each with a description. about: word -> one line."""

    schema_: dict[str, Any] = Field(alias="schema")
    values: dict[str, list[str]]
    knobs: dict[str, dict[str, str]]
    about: dict[str, str]
