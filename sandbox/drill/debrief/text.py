"""Texts of others, fit to be shown: what would act on a reader's screen is written out instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Parts of a debrief's document that only some have.
_SOME: dict[str, Any] = {"drill": None, "backend": None, "world": None, "responder": None, "twin": None, "baseline_answer": None,
         "lost": []}  # fmt: skip

# Controls, marks that turn the direction of writing, line separators, halves of surrogates, tags nobody sees.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


# What means something to Markdown wherever it stands.
_MARKS = re.compile(r"([\\`*_\[\]|~#])")
# What makes a list, a heading or a quotation of a line that begins with it.
_BEGINS = re.compile(r"^(?:([0-9]+)(?=[.)](?:\s|$))|(?=[-+=](?![0-9])|>))")


def harmless(text: str) -> str:
    """The text on one line, visible, and no markup to whoever reads Markdown, or HTML in it."""
    line = " ".join(visible(text).split())
    line = _MARKS.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
    return _BEGINS.sub(lambda found: f"{found[1] or ''}\\", line)


def fit(document: Mapping[str, Any]) -> dict[str, Any]:
    """A debrief's document to be shown: parts that it has not as none, every text visible."""
    return {**_SOME, **{name: all_visible(part) for name, part in document.items()}}


def visible(text: str) -> str:
    """The text with what has no shape of its own written as ‹U+202E›. Tabs and line ends stay."""
    return _UNSEEN.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text.replace("\r\n", "\n"))


def all_visible(document: Any) -> Any:
    """A document with every text in it made visible."""
    if isinstance(document, str):
        return visible(document)
    if isinstance(document, dict):
        return {visible(str(name)): all_visible(part) for name, part in document.items()}
    if isinstance(document, list | tuple):
        return [all_visible(part) for part in document]
    return document
