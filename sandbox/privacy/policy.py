"""What the laws come to for one person, at one time: by jurisdiction, purpose and age. Pure.

    consent        a yes is needed (opt-in) where any rule in force says so; else it goes on until a no (opt-out)
    signal         a universal signal is a no to the purposes that a rule names
    minors         below the age that a rule names: never, or only by an opt-in of one's own
    retention_days of events; the shortest in force

Where no law says anything (`us`), the house keeps an opt-out, and no limit on age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sandbox.base.catalogue import AGE_BANDS
from sandbox.privacy.rules import (
    JURISDICTIONS,
    PURPOSES,
    Cited,
    Consent,
    Law,
    Minors,
    Retention,
    Signal,
    in_force,
)  # fmt: skip

Basis = Literal["opt-in", "opt-out", "never"]


@dataclass(frozen=True)
class Line:
    """One jurisdiction, purpose and age band. cited: the rule that decides, None where no law does. signals: of the
    browser, each a no."""

    jurisdiction: str
    purpose: str
    age_band: str
    basis: Basis
    cited: Cited | None
    signals: tuple[str, ...] = ()


def least_age(band: str) -> int | None:
    """Years; None of an unknown age, which is taken for no minor's."""
    head = band.rstrip("+").partition("-")[0]
    return int(head) if head.isdigit() else None


def lines(day: date, among: Sequence[Law] | None = None) -> list[Line]:
    """All of them, as the law is on that day."""
    return [
        _line(jurisdiction, purpose, band, rules)
        for jurisdiction in JURISDICTIONS
        for rules in [in_force(jurisdiction, day, among)]
        for purpose in PURPOSES
        for band in AGE_BANDS
    ]


def retention(day: date, among: Sequence[Law] | None = None) -> dict[str, tuple[int, Cited]]:
    """Days by jurisdiction, with the rule; none where no law in force has a limit."""
    found: dict[str, tuple[int, Cited]] = {}
    for jurisdiction in JURISDICTIONS:
        limits = [
            (c.rule.demands.days, c)
            for c in in_force(jurisdiction, day, among)
            if isinstance(c.rule.demands, Retention)
        ]
        if limits:
            found[jurisdiction] = min(limits, key=lambda limit: limit[0])
    return found


def _line(jurisdiction: str, purpose: str, band: str, rules: Sequence[Cited]) -> Line:
    basis: Basis = "opt-out"
    cited: Cited | None = None
    signals: list[str] = []
    for each in rules:
        demands = each.rule.demands
        if isinstance(demands, Consent) and purpose in demands.purposes and (cited is None or demands.mode == "opt-in"):
            basis, cited = demands.mode, each
        elif isinstance(demands, Signal) and purpose in demands.purposes:
            signals += demands.signals
    for each in rules:
        demands = each.rule.demands
        if isinstance(demands, Minors) and demands.purpose == purpose and _is_below(band, demands.below):
            if demands.effect != "opt-in":  # a parent's yes is nowhere to be found
                return Line(jurisdiction, purpose, band, "never", each, tuple(signals))
            basis, cited = "opt-in", each
    return Line(jurisdiction, purpose, band, basis, cited, tuple(signals))


def _is_below(band: str, age: int) -> bool:
    """A band that begins below the age counts as below it: it tells no more."""
    least = least_age(band)
    return least is not None and least < age
