"""Texts of others, fit to be shown: what would act on a reader's screen is written out instead. Pure."""

from __future__ import annotations

import re
from typing import Any

# Controls, marks that turn the direction of writing, line separators, halves of surrogates, tags nobody sees.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


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
