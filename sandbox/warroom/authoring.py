"""Calls for who writes scenarios: words, checks, files of one's own, proofs and dry runs. The instructor's alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field, model_validator

from sandbox.room.authoring import files
from sandbox.room.authoring.documents import MOST_TEXT, AuthorsWords, CheckedText, Id, Saved
from sandbox.room.authoring.jobs import Job
from sandbox.warroom.library import Name, authors

authoring = APIRouter(prefix="/api/v1/instructor", tags=["instructor"])
Text = Annotated[str, Field(max_length=MOST_TEXT)]
World = Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
Number = Annotated[int, Path(ge=1, lt=2**53)]
Ticket = Annotated[str, Path(min_length=1, max_length=40)]


class Unsaved(BaseModel, extra="forbid"):
    """A text to be checked as the file of that name. ticket: of one's own choice, by which the check can be stopped."""

    name: Id
    text: Text
    ticket: str = Field("", max_length=40)


class Stopped(BaseModel):
    """stopped: whether there was anything to stop."""

    stopped: bool


class Save(BaseModel, extra="forbid"):
    """base: the version that the text was made from; null for a file that is to be new."""

    text: Text
    base: str | None = Field(max_length=64)


class Drafting(BaseModel, extra="forbid"):
    """A scenario to start from, under another name: source, a scenario's id, or the gentlest with that fault. The other
    fields stand in its head instead of the source's."""

    name: Id
    source: Id | None = None
    fault: str | None = Field(None, max_length=60)
    title: str | None = Field(None, min_length=1, max_length=200)
    stars: int | None = Field(None, ge=1, le=5)
    minutes: float | None = Field(None, gt=0, le=60)

    @model_validator(mode="after")
    def _one_origin(self) -> Drafting:
        if (self.source is None) == (self.fault is None):
            raise ValueError("one of source and fault")
        return self


class Draft(BaseModel):
    """A text that is on no disk yet."""

    name: str
    text: str


class Ordered(BaseModel, extra="forbid"):
    """What is to be made of the file of a scenario, as it is saved. quick: of a proof, without look-alikes and responders."""

    kind: Literal["prove", "dry_run"]
    scenario: Id
    quick: bool = True


@authoring.get("/authors-words", response_model=AuthorsWords, response_model_by_alias=True)
async def authors_words(request: Request, world: World = "laptop") -> AuthorsWords:
    """What completion is made of: the schema of scenarios, and the words that may stand where."""
    at = authors(request)
    return AuthorsWords(**await anyio.to_thread.run_sync(partial(at.reader.ask, "words", world=world)))


@authoring.post("/check")
async def check(unsaved: Unsaved, request: Request) -> CheckedText:
    """All that is wrong with a text, at its lines, as `sandbox scenario check` says it. Nothing is written."""
    at = authors(request)
    asked = partial(at.reader.ask, "check", unsaved.ticket, name=unsaved.name, text=unsaved.text)
    return CheckedText(**await anyio.to_thread.run_sync(asked))


@authoring.delete("/check/{ticket}")
async def stop_check(ticket: Ticket, request: Request) -> Stopped:
    """Ends a check that is under way or waits; whoever asked is told so."""
    at = authors(request)
    return Stopped(stopped=await anyio.to_thread.run_sync(at.reader.stop, ticket))


@authoring.post("/draft")
async def draft(drafting: Drafting, request: Request) -> Draft:
    """A text that passes the check, to go on from, as `sandbox scenario new` writes it. Nothing is written."""
    at = authors(request)
    head = drafting.model_dump(include={"title", "stars", "minutes"})
    asked: dict[str, Any] = {"name": drafting.name, "source": drafting.source, "fault": drafting.fault, "head": head}
    text = await anyio.to_thread.run_sync(partial(at.reader.ask, "draft", **asked))
    return Draft(name=drafting.name, text=text)


@authoring.put("/library/{name}/source")
async def save(name: Name, saving: Save, request: Request) -> Saved:
    """Writes SANDBOX_HOME/scenarios/NAME.yaml, which all commands see. Refused (409) over a file that changed meanwhile: it
    stays, and the text is kept beside it."""
    authors(request)
    return Saved(id=name, version=await anyio.to_thread.run_sync(files.save, name, saving.text, saving.base))


@authoring.get("/jobs")
async def jobs(request: Request) -> list[Job]:
    """The last proofs and dry runs of this server, the latest first, without what came out."""
    return authors(request).jobs.all()


@authoring.post("/jobs", status_code=202)
async def order(ordered: Ordered, request: Request) -> Job:
    """Begins a proof or a dry run, in a process of its own; one at a time. A proof is kept, as the command keeps it."""
    at = authors(request)
    await anyio.to_thread.run_sync(files.source, ordered.scenario)  # refused at once where there is none
    asked: dict[str, Any] = {"do": ordered.kind, "name": ordered.scenario}
    if ordered.kind == "prove":
        asked["quick"] = ordered.quick
    kind = "quick proof" if ordered.kind == "prove" and ordered.quick else ordered.kind.replace("_", " ")
    return at.jobs.start(kind, ordered.scenario, asked)


@authoring.get("/jobs/{job}")
async def job(job: Number, request: Request) -> Job:
    """How far it is, and at last what came out."""
    return authors(request).jobs.job(job)


@authoring.delete("/jobs/{job}")
async def cancel(job: Number, request: Request) -> Job:
    """Ends it. What its runs came to so far is kept for the next."""
    at = authors(request)
    return await anyio.to_thread.run_sync(at.jobs.cancel, job)
