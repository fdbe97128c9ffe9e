"""The laws as data: read from YAML, checked as they load, and which of them hold at a world's time.

    law, title, jurisdictions, note, articles {number: what it says}, rules [Rule]

A rule has versions: entries of one id whose [effective_from, until) do not overlap.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from sandbox.base import strict_yaml
from sandbox.base.strict_yaml import Document, Place
from sandbox.privacy.deadlines import Deadline

FOLDER = Path(__file__).with_name("laws")
CODE = "PRIV-001"
PURPOSES = ("personalisation", "sensitive", "ads_profiling")  # those of the consent ledger
JURISDICTIONS = ("gdpr", "uk-gdpr", "ccpa", "us", "pipeda", "quebec", "lgpd", "au-privacy-act")

Purpose = Literal["personalisation", "sensitive", "ads_profiling"]
Mode = Literal["opt-in", "opt-out"]
Status = Literal["in-force", "proposed", "died"]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day(value: Any) -> Any:
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    if value is None or isinstance(value, date):
        return value
    raise ValueError("a day such as 2018-05-25 was expected")


Day = Annotated[date, BeforeValidator(_day)]


class Consent(BaseModel, extra="forbid", frozen=True, strict=True):
    """Purposes that rest on a yes (opt-in), or that go on until a no (opt-out)."""

    kind: Literal["consent"]
    purposes: list[Purpose] = Field(min_length=1)
    mode: Mode


class Signal(BaseModel, extra="forbid", frozen=True, strict=True):
    """A universal signal of the browser is a no to these purposes, until the person says otherwise."""

    kind: Literal["signal"]
    signals: list[Literal["gpc"]] = Field(min_length=1)
    purposes: list[Purpose] = Field(min_length=1)


class Minors(BaseModel, extra="forbid", frozen=True, strict=True):
    """Who is below an age: forbidden; parent, whose consent no world knows; opt-in by themselves."""

    kind: Literal["minors"]
    below: int = Field(ge=1, le=25)
    purpose: Purpose
    effect: Literal["forbidden", "parent", "opt-in"]


class Retention(BaseModel, extra="forbid", frozen=True, strict=True):
    """Events may be this old, days."""

    kind: Literal["retention"]
    days: int = Field(ge=1)


class Answered(BaseModel, extra="forbid", frozen=True, strict=True):
    """Something that a person asks for, and by when it is done. confirm: by when its arrival is confirmed."""

    kind: Literal["access", "deletion", "opt-out"]
    deadline: Deadline
    confirm: Deadline | None = None


class Duty(BaseModel, extra="forbid", frozen=True, strict=True):
    """Told, and not reckoned with."""

    kind: Literal["duty"]
    what: str = Field(min_length=1)


Demand = Annotated[Consent | Signal | Minors | Retention | Answered | Duty, Field(discriminator="kind")]


class Rule(BaseModel, extra="forbid", frozen=True, strict=True):
    """One demand of one article. sure: False where a source is uncertain, or memory. standing: of what is no law,
    where it stands. until: the first day on which it no longer holds."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    article: str = Field(min_length=1)
    demands: Demand
    effective_from: Day | None = None
    until: Day | None = None
    status: Status
    standing: str = ""
    source: str = Field(min_length=1)
    source_date: Day
    sure: bool
    simplified: str = Field(min_length=1)

    def holds(self, day: date) -> bool:
        """Whether it is law on that day."""
        begins, ends = self.effective_from, self.until
        return self.status == "in-force" and begins is not None and begins <= day and (ends is None or day < ends)


class Law(BaseModel, extra="forbid", frozen=True, strict=True):
    """One file."""

    law: str = Field(min_length=1)
    title: str = Field(min_length=1)
    jurisdictions: list[Literal[JURISDICTIONS]] = Field(min_length=1)  # type: ignore[valid-type]
    note: str = ""
    articles: dict[str, str] = Field(min_length=1)
    rules: list[Rule] = Field(min_length=1)


@dataclass(frozen=True)
class Cited:
    """A rule with the law that it stands in."""

    law: Law
    rule: Rule


def parse(raw: bytes, name: str) -> Law:
    """One law. name: how errors call the file. Raises PRIV-001 with file and line."""
    document = strict_yaml.parse(raw, name, CODE)
    try:
        law = Law.model_validate(document.value)
    except ValidationError as error:
        raise _invalid(document, error) from error
    _check_articles(document, law)
    _check_days(document, law)
    _check_versions(document, law)
    return law


@cache
def laws(folder: Path = FOLDER) -> tuple[Law, ...]:
    """Every law of the folder, by file name. Raises PRIV-001; CFG-002 where there is none."""
    return tuple(parse(strict_yaml.contents(path), path.name) for path in files(folder))


def files(folder: Path = FOLDER) -> list[Path]:
    """The laws' files, by name."""
    return sorted(folder.glob("*.yaml"))


def in_force(jurisdiction: str, day: date, among: Sequence[Law] | None = None) -> list[Cited]:
    """The rules that hold for people of that jurisdiction on that day."""
    found = laws() if among is None else among
    return [
        Cited(law, rule) for law in found if jurisdiction in law.jurisdictions for rule in law.rules if rule.holds(day)
    ]


def day_of(ts: float) -> date:
    """The day of a world's time, UTC. ts: world seconds since the epoch."""
    return datetime.fromtimestamp(ts, UTC).date()


def _check_articles(document: Document, law: Law) -> None:
    for i, rule in enumerate(law.rules):
        if rule.article not in law.articles:
            raise document.refusal(
                ("rules", i, "article"),
                seen=rule.article,
                expected=f"an article that the file lists: {', '.join(law.articles)}",
                fix="correct it, or add it to `articles` with what it says",
            )


def _check_days(document: Document, law: Law) -> None:
    for i, rule in enumerate(law.rules):
        if rule.status == "in-force" and rule.effective_from is None:
            raise document.refusal(
                ("rules", i), seen="no effective_from", expected="the day from which it holds",
                fix="add effective_from, or say status: proposed",
            )  # fmt: skip
        if rule.status != "in-force" and (rule.effective_from or not rule.standing):
            raise document.refusal(
                ("rules", i), seen=f"status {rule.status}, effective_from {rule.effective_from}, standing {rule.standing!r}",
                expected="no effective_from, and where it stands",
                fix='leave effective_from out and write standing: "before Parliament as of …"',
            )  # fmt: skip
        if rule.effective_from and rule.until and rule.until <= rule.effective_from:
            raise document.refusal(
                ("rules", i, "until"), seen=f"{rule.effective_from} until {rule.until}",
                expected="an end after the beginning", fix="turn the two dates round",
            )  # fmt: skip


def _check_versions(document: Document, law: Law) -> None:
    versions: dict[str, list[tuple[int, Rule]]] = defaultdict(list)
    for i, rule in enumerate(law.rules):
        versions[rule.id].append((i, rule))
    for entries in versions.values():
        for (_, before), (i, after) in _neighbours(entries):
            if before.effective_from is None or after.effective_from is None:
                seen = f"{after.id} twice, and one of them is no law"
            elif before.until is None or before.until > after.effective_from:
                seen = f"{after.id} from {after.effective_from}, and from {before.effective_from} until {before.until}"
            else:
                continue
            raise document.refusal(
                ("rules", i, "effective_from"), seen=seen, expected="versions of a rule that do not overlap",
                fix="end the earlier one with `until`, or give the rule an id of its own",
            )  # fmt: skip


def _neighbours(
    entries: list[tuple[int, Rule]],
) -> Iterable[tuple[tuple[int, Rule], tuple[int, Rule]]]:
    ordered = sorted(entries, key=lambda e: (e[1].effective_from or date.min, e[0]))
    return pairwise(ordered)


def _invalid(document: Document, error: ValidationError) -> Exception:
    """The first thing that is wrong, where it stands."""
    first = error.errors()[0]
    steps = [part for part in first["loc"] if part not in ("consent", "signal", "minors", "retention", "duty")]
    place: Place = tuple(part for part in steps if part not in ("access", "deletion", "opt-out"))
    seen = first["input"]
    missing = first["type"] == "missing"
    return document.refusal(
        place,
        seen="nothing" if missing else seen if isinstance(seen, int | float | str) else type(seen).__name__,
        expected=f"`{place[-1]}`" if missing else first["msg"],
        fix="docs/privacy.md shows the form",
    )
