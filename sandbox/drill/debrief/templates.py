"""The templates of this room, in which everything is escaped that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """Escapes in every template; a name that is missing is an error and no empty text."""
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def markdown_environment(plain: Callable[[Any], Any]) -> Environment:
    """For what is no HTML: `plain` is made of everything that a template puts in."""
    return environment().overlay(autoescape=False, finalize=plain)


@cache
def ours(name: str) -> Markup:
    """A file of this room as it stands: style or script, not escaped."""
    return Markup((_HERE / name).read_text())
