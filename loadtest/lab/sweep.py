"""Settings of a stack tried against each other: which, in what order, and which of them nothing beats. Pure."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy.stats import t as student

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError

KNOBS = {  # short names of settings that cost, speed or quality hang on
    "batch": "model.max_batch",
    "wait": "model.max_wait_ms",
    "nprobe": "retrieval.nprobe",
    "candidates": "gateway.n_candidates",
    "deadline": "gateway.deadline_ms",
    "ranking-deadline": "gateway.ranking.deadline_ms",
    "replicas": "model.replicas",
    "breaker": "gateway.ranking.breaker",
    "retries": "ranking.model.attempts",
    "fetch": "features.fetch_batch",
}
MOST_POINTS, MOST_ROUNDS = 64, 20
AS_IS = "as-is"
_WORDS: dict[str, Any] = {"off": None, "on": {}}
OBJECTIVES = {"quality": 1.0, "cpu_ms": -1.0, "latency_ms": -1.0}  # 1: more is better


@dataclass(frozen=True)
class Point:
    """One way to set the stack. settings: (dotted name, value) in the order of the knobs; none: as it is."""

    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return " ".join(f"{_short(knob)}={_said(value)}" for knob, value in self.settings) or AS_IS

    def patches(self, config: Config) -> dict[str, dict[str, Any]]:
        """service -> field -> value, as operations apply them. Raises CFG-001 for what no document allows."""
        whole = config.model_dump()
        fields: dict[str, set[str]] = {}
        for knob, value in self.settings:
            service, *path = knob.split(".")
            inner: Any = whole
            model: Any = config
            for name in (service, *path[:-1]):
                inner, model = inner.get(name, {}), getattr(model, name, None)
            allowed = model if isinstance(model, dict) else getattr(type(model), "model_fields", {})
            if not path or path[-1] not in allowed:
                raise _refused(knob, value, f"SERVICE.FIELD of the configuration, or one of {', '.join(KNOBS)}")
            inner[path[-1]] = copy.deepcopy(value)
            fields.setdefault(service, set()).add(path[0])
        try:
            valid = Config.model_validate(whole).model_dump()
        except ValidationError as error:
            first = error.errors()[0]
            raise _refused(".".join(map(str, first["loc"])), first.get("input"), first["msg"]) from error
        return {service: {name: valid[service][name] for name in names} for service, names in fields.items()}


@dataclass(frozen=True)
class Trial:
    """One load on one point. quality: of slates by the world's truth, as a share of the best there could be; a request that
    failed has none. cpu_ms: of the whole stack per request. latency_ms: the percentile asked for, None where nothing was
    answered. ok_share: of the requests."""

    point: str
    round: int
    quality: float
    cpu_ms: float
    latency_ms: float | None
    ok_share: float
    n: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def points(knobs: Sequence[str]) -> list[Point]:
    """The stack as it is, and all combinations of `NAME=VALUE,VALUE...`. Raises CFG-004 for what is none, or too many."""
    axes = [_axis(text) for text in knobs]
    names = [name for name, _ in axes]
    if not axes or len(set(names)) < len(names):
        raise _refused("load sweep --knob", ", ".join(names) or "none", "one or more knobs, each once", "CFG-004")
    if (n := math.prod(len(values) for _, values in axes)) > MOST_POINTS:
        raise _refused("load sweep --knob", f"{n} combinations", f"at most {MOST_POINTS}", "CFG-004")
    combined = itertools.product(*([(name, value) for value in values] for name, values in axes))
    return [Point(), *(Point(tuple(settings)) for settings in combined)]


def _axis(text: str) -> tuple[str, list[Any]]:
    name, equals, rest = text.partition("=")
    words = _split(rest)
    if not equals or not all(words):
        raise _refused(
            "load sweep --knob", text, f"NAME=VALUE,VALUE; NAME: {', '.join(KNOBS)}, or SERVICE.FIELD", "CFG-004"
        )
    return KNOBS.get(name, name), [_value(word) for word in words]


def _split(text: str) -> list[str]:
    """At commas that stand in no bracket: a value may be a document."""
    found, depth = [""], 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return found


def _value(word: str) -> Any:
    if word in _WORDS:
        return copy.deepcopy(_WORDS[word])
    try:
        return json.loads(word)
    except ValueError:
        return word


def turn(names: Sequence[str], trials: Sequence[Mapping[str, Any]], rounds: int) -> tuple[int, str] | None:
    """(round, point) of the trial to make next; None when all are made. Every second round goes backwards, so that what
    drifts meanwhile falls on all points alike."""
    made = {(t["round"], t["point"]) for t in trials}
    for n in range(rounds):
        for name in names if n % 2 == 0 else reversed(names):
            if (n, name) not in made:
                return n, name
    return None


def table(names: Sequence[str], trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a point that was tried: {point, trials, ok_share, <objective>: {mean, low, high}, frontier, beaten_by}. low, high:
    95 % interval of the mean by Student's t over the rounds, None for one. frontier: nothing that was tried is at
    least as good in everything and clearly better in something."""
    made = {name: [t for t in trials if t["point"] == name] for name in names}
    made = {name: mine for name, mine in made.items() if mine}
    rows: list[dict[str, Any]] = []
    for name, mine in made.items():
        figures = {o: _above_zero(interval([t[o] for t in mine if t[o] is not None])) for o in OBJECTIVES}
        share = float(np.mean([t["ok_share"] for t in mine]))
        beaten_by = [other for other in made if other != name and beats(made[other], mine)]
        on = not beaten_by and figures["latency_ms"]["mean"] is not None
        rows.append(
            {"point": name, "trials": len(mine), "ok_share": share, **figures, "frontier": on, "beaten_by": beaten_by}
        )
    return rows


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """{mean, low, high} of one figure over the rounds."""
    if not values:
        return {"mean": None, "low": None, "high": None}
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": mean, "low": None, "high": None}
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def beats(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the trials of a are, on the average of the rounds that both made, at least as good as b's in every objective
    and clearly better in one: rounds have the same arrivals, so it is differences within them whose interval counts.
    Of a single round nothing is clear."""
    of_b = {t["round"]: t for t in b}
    pairs = [(t, of_b[t["round"]]) for t in a if t["round"] in of_b]
    if any(x["latency_ms"] is None for x, _ in pairs):
        return False
    if not pairs or any(y["latency_ms"] is None for _, y in pairs):
        return bool(pairs)
    gains = [interval([sign * (x[name] - y[name]) for x, y in pairs]) for name, sign in OBJECTIVES.items()]
    return all((g["mean"] or 0.0) >= 0 for g in gains) and any((g["low"] or 0.0) > 0 for g in gains)


def _above_zero(figure: dict[str, float | None]) -> dict[str, float | None]:
    """No figure here is ever below it, whatever Student's t says of a few rounds."""
    return figure if figure["low"] is None else {**figure, "low": max(0.0, figure["low"])}


def _short(knob: str) -> str:
    return next((short for short, dotted in KNOBS.items() if dotted == knob), knob)


def _said(value: Any) -> str:
    return "off" if value is None else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _refused(where: str, seen: Any, expected: str, code: str = "CFG-001") -> SandboxError:
    return SandboxError(code, where=where, seen=seen, expected=expected, fix="see docs/load.md, Sweeps")
