"""The OpenAPI document: what FastAPI makes of the calls, less what is not so here, and what a stream tells."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sandbox.room.events import Event
from sandbox.warroom.problems import MEDIA_TYPE

_REFS = "#/components/schemas/{model}"


class Problem(BaseModel):
    """A refusal (RFC 9457). code: of the sandbox's registry of errors, for ever. where, seen, expected, fix: its parts."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    where: str
    seen: Any
    expected: str
    fix: str


def document(app: FastAPI) -> dict[str, Any]:
    """Made once and kept with the application."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = made["components"]["schemas"]
    for model in (Problem, Event):
        schema = model.model_json_schema(ref_template=_REFS)
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    refusal = {"description": "A problem document", "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
    for path, calls in made["paths"].items():
        for call in calls.values():
            call["responses"].pop("422", None)
            call["responses"]["default"] = refusal
            if path.endswith("/events"):
                call["responses"]["200"] = {
                    "description": "Server-sent events; each has an Event as its data, but for `clock`",
                    "content": {"text/event-stream": {"schema": _ref("Event")}},
                }
    app.openapi_schema = made
    return made


def _ref(model: str) -> dict[str, str]:
    return {"$ref": _REFS.format(model=model)}
