"""Words that stand for nothing: a key or an attribute that is one of them is missing."""

from __future__ import annotations

NULL_WORDS = frozenset(
    {
        "", "nan", "-nan", "null", "<null>", "(null)", "none", "nil", "na", "<na>", "n/a", "n.a.", "#n/a",
        "#n/a n/a", "#na", "\\n", "undefined", "empty", "nat", "1.#qnan", "-1.#ind", "1.#ind", "-",
    }
)  # fmt: skip
"""As spreadsheets, databases and data frames write them; compared without case."""


def is_missing(text: str) -> bool:
    return text.strip().casefold() in NULL_WORDS


def stated(text: str) -> str:
    """The text stripped, "" where it stands for nothing."""
    text = text.strip()
    return "" if len(text) <= 9 and text.casefold() in NULL_WORDS else text
