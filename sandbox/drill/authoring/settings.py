"""Settings of releases, as they stand in the file: services, settings and values that there are. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from sandbox.base.config import Config, Document
from sandbox.base.strict_yaml import Place
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess, listed

_HERE = "see sandbox scenario show --settings"


def documents() -> dict[str, Document]:
    """The services that have settings, with their defaults."""
    return {name: document for name, document in Config() if isinstance(document, Document)}


def findings(draft: Draft) -> Iterator[Finding]:
    for n, step in enumerate(draft.raw_list("timeline")):
        if not isinstance(step, dict):
            continue
        change, release = step.get("change"), step.get("release")
        if isinstance(change, dict) and change.get("old") and change["old"] == change.get("new"):
            yield draft.error(
                "no-effect",
                ("timeline", n, "change", "new"),
                change["new"],
                "another value than old",
                "nobody enters a change that is none",
            )
        patches = release.get("patches") if isinstance(release, dict) else None
        if isinstance(patches, dict):
            yield from _patches(draft, ("timeline", n, "release", "patches"), patches)


def _patches(draft: Draft, place: Place, patches: dict[str, Any]) -> Iterator[Finding]:
    there = documents()
    for service, fields in patches.items():
        if service not in there:
            yield draft.error("unknown-setting", (*place, service), service, listed(there),
                              guess(service, there, "name a service that has settings"))  # fmt: skip
            continue
        if not isinstance(fields, dict):
            continue  # the schema says so
        document = there[service]
        names = list(type(document).model_fields)
        for name, value in fields.items():
            at = (*place, service, name)
            if name not in names:
                yield draft.error("unknown-setting", at, name, listed(names, 20), guess(name, names, _HERE))
                continue
            try:
                setattr(document.model_copy(deep=True), name, value)
            except ValidationError as error:
                for told in error.errors():
                    inner = (*at, *told["loc"][1:])
                    yield draft.error("unknown-setting", inner, told.get("input"), told["msg"], _HERE)
