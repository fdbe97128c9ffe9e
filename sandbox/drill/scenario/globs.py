"""Whether two shell-style patterns can mean the same text. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

# What stands for "any character that neither pattern speaks of".
_OTHER = "\x00"
Token = str  # "*", "?", "[...]" or one character


def overlap(one: str, other: str) -> bool:
    """True when some text matches both. Wildcards as in fnmatch: `*`, `?`, `[...]`."""
    first, second = _tokens(one), _tokens(other)
    alphabet = {_OTHER, *"0123456789", *one, *other}

    @cache
    def meet(i: int, j: int) -> bool:
        """Whether what is left of both, from tokens i and j, can be the same text."""
        if i == len(first) and j == len(second):
            return True
        if i < len(first) and first[i] == "*" and meet(i + 1, j):
            return True
        if j < len(second) and second[j] == "*" and meet(i, j + 1):
            return True
        if i == len(first) or j == len(second):
            return False
        after = (i + (first[i] != "*"), j + (second[j] != "*"))
        if after == (i, j):  # two stars: leaving either behind was tried
            return False
        return _share(first[i], second[j], alphabet) and meet(*after)

    return meet(0, 0)


def _share(one: Token, other: Token, alphabet: set[str]) -> bool:
    """Whether one character matches both tokens."""
    return any(_takes(one, c) and _takes(other, c) for c in alphabet)


def _takes(token: Token, character: str) -> bool:
    return token in "*?" or fnmatchcase(character, token if token.startswith("[") else f"[{token}]")


def _tokens(pattern: str) -> tuple[Token, ...]:
    tokens: list[Token] = []
    i = 0
    while i < len(pattern):
        end = _end_of_set(pattern, i) if pattern[i] == "[" else i
        tokens.append(pattern[i : end + 1])
        i = end + 1
    return tuple(tokens)


def _end_of_set(pattern: str, start: int) -> int:
    """The place of the bracket that closes a set, `start` itself where none does: then it is a letter."""
    begin = start + 1 + (pattern[start + 1 : start + 2] == "!")
    end = pattern.find("]", begin + 1)
    return start if end < 0 else end
