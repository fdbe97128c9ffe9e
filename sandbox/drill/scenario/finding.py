"""What a check finds: where, what stands there, what was expected and the way out. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
SHOWN = 120  # characters of a value, at most

# Every code there is, for docs/scenarios.md and for programs that sort by it.
CODES = {
    "not-yaml": "the file is no YAML 1.2 of plain values",
    "missing-key": "a key that every scenario has is not there",
    "unknown-key": "a key that no scenario has",
    "bad-value": "a value of another type, out of range, or none of those there are",
    "order": "times that come in another order than things happen in: onset, page, evidence",
    "no-onset": "a time that is the beginning of no fault, or a fault that is the onset of no cause",
    "unknown-name": "a fault, look-alike, service, world, rule or word that there is not",
    "unreachable": "a target, scope, share, onset or end that cannot hold at the fault's seam",
    "no-effect": "something that changes nothing: a fault, a release, an onset, a condition",
    "unknown-setting": "a release of a setting or value that its service does not take",
    "unknown-version": "a version that neither the world nor a release before it has",
    "release-fails": "a release that could not be rolled out",
    "bad-action": "an action, or a value of its argument, that there is not",
    "no-such-change": "an action that takes back a change which nothing makes",
    "not-carried-out": "the first accepted action cannot be carried out as it stands",
    "both-ways": "an action that is accepted and penalised",
    "query-fails": "a query that does not run on a lake of the right schema",
    "predicate": "a predicate on a column the answer lacks, of another type, or that decides nothing",
    "duplicate": "the same thing twice",
    "segment": "a value that its column never holds",
    "spoiler": "words that give the answer away",
    "innocent": "too few innocent changes around the cause",
    "traffic": "traffic with which a drill shows little",
    "two-causes": "faults that one action may not reach together",
    "points": "a way to score that the scenario should not allow",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (error) or may be (warning). place: dotted path in the file. line: from 1."""

    severity: Severity
    code: str
    place: str
    line: int
    seen: object
    expected: str
    fix: str

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"seen": _json(self.seen)}


def shown(value: object) -> object:
    """The value, cut where it is long."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def near(name: object, names: Iterable[str]) -> list[str]:
    """The names most like it, at most three."""
    there = sorted({str(n) for n in names})
    found = difflib.get_close_matches(str(name), there, n=3, cutoff=0.6)
    lower = {n.lower(): n for n in there}
    more = difflib.get_close_matches(str(name).lower(), list(lower), n=3, cutoff=0.6)
    return list(dict.fromkeys([*found, *(lower[n] for n in more)]))[:3]


def guess(name: object, names: Iterable[str], otherwise: str) -> str:
    """`did you mean ...?`, or `otherwise` where nothing is near."""
    found = near(name, names)
    return f"did you mean {' or '.join(found)}?" if found else otherwise


def listed(names: Iterable[str], most: int = 12) -> str:
    """`one of a, b, c`, cut where there are many."""
    there = list(names)
    more = f" and {len(there) - most} more" if len(there) > most else ""
    return f"one of {', '.join(there[:most])}{more}" if there else "none: there is nothing to name"


def _json(value: object) -> object:
    cut = shown(value)
    return str(cut) if isinstance(cut, float) and (cut != cut or abs(cut) == float("inf")) else cut
