"""Words that give the answer away, in whatever is shown before the debrief. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from faults.catalogue import KNOWN
from sandbox.base.strict_yaml import Place
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding

_INNER = re.compile(r"\b(fault|inject\w*|drill|scenario|broken|skew\w*|overblock\w*|root cause)\b")
# Families whose name is also what everybody sees, and what alerts are called by.
_EVERYDAY = {"latency", "availability", "policy", "experiment", "measurement", "overload", "benign"}


def findings(draft: Draft) -> Iterator[Finding]:
    answers = _answers(draft)
    for place, text in _shown(draft):
        for words, why in answers:
            if _holds(text, words):
                yield draft.warning("spoiler", place, words, f"no {why} in what a trainee reads", "say it otherwise")
    for place, text in _log(draft):
        if place[-1] != "note":
            continue
        found = _INNER.search(text.lower())
        if found:
            yield draft.warning(
                "spoiler", place, found[0], "a note as a colleague writes it, who knows nothing", "say it otherwise"
            )
    own = [step.fault.name for _, step in draft.steps if step.fault is not None]
    for n, hint in enumerate(draft.raw_list("hints")):
        for name in own if isinstance(hint, str) else ():
            if _holds(hint, name):
                yield draft.warning(
                    "spoiler", ("hints", n), name, "a hint that leaves something to find", "point at a table"
                )
        if hint in draft.raw_list("hints")[:n]:
            yield draft.error(
                "duplicate", ("hints", n), hint, "three hints, each another", "from a nudge to nearly there"
            )


def _answers(draft: Draft) -> list[tuple[str, str]]:
    """(words, what they are), longest first, once each."""
    found = dict.fromkeys(KNOWN, "name of a fault")
    for _, cause in draft.causes():
        mechanism, component = cause.get("mechanism"), str(cause.get("component", ""))
        if mechanism in taxonomy.MECHANISMS:
            found[str(mechanism)] = "mechanism"
            family = taxonomy.family_of(str(mechanism))
            if family not in _EVERYDAY:
                found.setdefault(family, "family of the mechanism")
        if "->" in component:
            caller, _, callee = component.partition("->")
            for words in (
                component,
                f"{caller} to {callee}",
                f"{caller} and {callee}",
                f"{caller} calls {callee}",
                f"{caller} calling {callee}",
            ):
                found[words] = "component of the truth"
        elif "_" in component:
            found[component] = "component of the truth"
    return sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0]))


def _holds(text: str, words: str) -> bool:
    """Whether a text holds the words, hyphens and underscores as blanks."""
    return re.search(rf"(?<!\w){re.escape(_plain(words))}(?!\w)", _plain(text)) is not None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[-_]", " ", text.lower()).split())


def _shown(draft: Draft) -> Iterator[tuple[Place, str]]:
    for place in (("id",), ("title",), ("briefing",), ("pager", "text"), ("teaches",)):
        value: Any = draft.raw_at(place)
        if isinstance(value, str):
            yield place, value
    yield from _log(draft)


def _log(draft: Draft) -> Iterator[tuple[Place, str]]:
    """What the change log shows of each step."""
    for n, step in enumerate(draft.raw_list("timeline")):
        for part in ("change", "release"):
            entry = step.get(part) if isinstance(step, dict) else None
            if not isinstance(entry, dict):
                continue
            for key in ("key", "old", "new", "note", "actor"):
                if isinstance(entry.get(key), str):
                    yield ("timeline", n, part, key), entry[key]
