"""What a line in the drill shell is: a command, or SQL that may go on over several lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_QUERIES = ("select", "with", "from", "values", "table", "pivot", "unpivot", "show", "summarize", "explain")
# Refused by the lake, with the reason, and so better known as SQL than as no such command.
_REFUSED = (
    "insert", "update", "delete", "create", "drop", "alter", "copy", "attach", "detach", "pragma",
    "install", "truncate", "merge", "export", "import", "vacuum", "checkpoint", "begin", "commit",
)  # fmt: skip
SQL_WORDS = frozenset((*_QUERIES, *_REFUSED))
_TOKEN = re.compile(
    r"""--[^\n]*(?:\n|$) | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | ;""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = re.compile(r"""/\* | ['"] | \$\w*\$""", re.VERBOSE)


def is_sql(text: str) -> bool:
    """Whether it begins as a query does: by its first word, a bracket or a comment."""
    text = text.lstrip()
    word = re.match(r"[A-Za-z]+", text)
    return text.startswith(("(", "--", "/*")) or (word is not None and word[0].lower() in SQL_WORDS)


def statements(text: str) -> list[str]:
    """Those of a text, without their `;`; what holds but blanks and comments is none."""
    found, begin = [], 0
    for at in [*_ends(text), len(text)]:
        part = text[begin:at].strip()
        if _TOKEN.sub(lambda m: "" if m[0][:2] in ("--", "/*") else m[0], part).strip():
            found.append(part)
        begin = at + 1
    return found


def is_ended(text: str) -> bool:
    """Whether its last statement ends with `;`: one in quotes or in a comment does not."""
    ends = list(_ends(text))
    return bool(ends) and not statements(text[ends[-1] + 1 :]) and not _OPEN.search(text[ends[-1] :])


def _ends(text: str) -> Iterator[int]:
    """Where each `;` stands that ends a statement."""
    at = 0
    while found := _TOKEN.search(text, at):
        opened = _OPEN.search(text, at, found.start())
        if opened:  # a quote or comment that nothing closes holds all that follows
            return
        if found[0] == ";":
            yield found.start()
        at = found.end()
