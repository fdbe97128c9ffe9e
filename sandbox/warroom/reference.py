"""Prints docs/api.md from the OpenAPI document. `--check FILE` only says whether FILE is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from sandbox.base.printed import print_or_check
from sandbox.warroom.app import application
from sandbox.warroom.rooms import Served
from sandbox.warroom.settings import Secrets

_INTRO = """\
# The API of the war room

After this page you can drive a room by program. It is printed from `/api/v1/openapi.json` (`make docs`), which tools can
make clients from; what a room is: [warroom.md](warroom.md);
who may do what: [security.md](security.md).

Every refusal is a problem document (`application/problem+json`) with `code`, `where`, `seen`, `expected` and `fix`. A
command is answered with the number of the event that tells what came of it; events are numbered from 1 without gaps, and
those that are not for you are left out.
"""
_AUDIENCES = ("TraineeState", "ObserverState", "InstructorState")


def page() -> str:
    """The whole page, Markdown."""
    document = application(Served([], Secrets(b"", ""))).openapi()
    schemas = document["components"]["schemas"]
    of_kind = _mapping(document["paths"]["/api/v1/rooms/{code}/commands"]["post"]["requestBody"]["content"])
    what = schemas["Event"]["properties"]["what"]["discriminator"]["mapping"]
    parts = [
        _INTRO, "## Calls\n", *_calls(document["paths"]), "\n## Commands\n", *_models(schemas, of_kind),
        "\n## Events\n", schemas["Event"]["description"] + "\n", *_models(schemas, what), "\n## State\n",
        *_states(schemas),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _mapping(content: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = content["application/json"]["schema"]["discriminator"]["mapping"]
    return found


def _calls(paths: dict[str, Any]) -> Iterator[str]:
    yield "| call | for |\n|---|---|"
    for path, calls in paths.items():
        for method, call in calls.items():
            yield f"| `{method.upper()} {path}` | {_flat(call.get('description') or call['summary'])} |"


def _models(schemas: dict[str, Any], of_kind: dict[str, str]) -> Iterator[str]:
    yield "| kind | fields | |\n|---|---|---|"
    for kind, ref in of_kind.items():
        schema = schemas[ref.rpartition("/")[2]]
        yield f"| `{kind}` | {_fields(schema, {'kind', 'id'})} | {_flat(schema.get('description', ''))} |"


def _states(schemas: dict[str, Any]) -> Iterator[str]:
    for name in _AUDIENCES:
        schema = schemas[name]
        yield f"**{name}**: {_fields(schema, set())}. {_flat(schema.get('description', ''))}\n"
    yield "| part | fields | |\n|---|---|---|"
    for name in sorted(_parts(schemas)):
        yield f"| {name} | {_fields(schemas[name], set())} | {_flat(schemas[name].get('description', ''))} |"


def _parts(schemas: dict[str, Any]) -> set[str]:
    """What the states are made of, however deep."""
    found: set[str] = set()
    left = [schemas[name] for name in _AUDIENCES]
    while left:
        for name in _named(left.pop()) - found:
            found.add(name)
            left.append(schemas[name])
    return {name for name in found if "properties" in schemas[name]}


def _named(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return here.union(*(_named(part) for part in value.values()))
    return set().union(*(_named(part) for part in value)) if isinstance(value, list) else set()


def _fields(schema: dict[str, Any], without: set[str]) -> str:
    required = set(schema.get("required", ()))
    told = [
        f"`{name}` {_type(of)}{'' if name in required else ', may be left out'}"
        for name, of in schema.get("properties", {}).items()
        if name not in without
    ]
    return "; ".join(told)


def _type(of: dict[str, Any]) -> str:
    """A schema in words: its type and its bounds."""
    if "$ref" in of:
        return str(of["$ref"].rpartition("/")[2])
    if "anyOf" in of:
        return " or ".join(_type(part) for part in of["anyOf"])
    if "const" in of:
        return f"`{of['const']}`"
    if "enum" in of:
        return " or ".join(f"`{value}`" for value in of["enum"])
    if of.get("type") == "array":
        most = f", at most {of['maxItems']}" if "maxItems" in of else ""
        return f"list of {_type(of.get('items', {}))}{most}"
    bounds = [f"{word} {of[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in of]
    if "maxLength" in of:
        bounds.append(f"up to {of['maxLength']} characters")
    return " ".join([str(of.get("type", "anything")), *bounds])


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(print_or_check(page(), sys.argv[1:]))
