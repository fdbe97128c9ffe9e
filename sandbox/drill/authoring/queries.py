"""Every query run on an empty lake of the right schema, as a trainee would run it, and its predicate held
against the columns of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from sandbox.base.errors import SandboxError
from sandbox.base.strict_yaml import Place
from sandbox.drill.authoring import predicates
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess
from sandbox.drill.scenario.predicate import Predicate, PredicateError
from sandbox.drill.scenario.queries import TIMES, filled, first_row, unknown_times
from sandbox.drill.scenario.scenario import Evidence
from sandbox.telemetry import sqlguard
from sandbox.telemetry.sql import Result, SqlWorker

TIMEOUT_S = 2.0  # on an empty lake only a query that counts to a billion takes so long
_BEGAN_TS = 1_772_438_400.0
_COUNTS = ("count", "count_star", "approx_count_distinct", "count_if")


@dataclass
class _Asked:
    place: Place
    evidence: Evidence
    answer: Result
    holds: bool


def findings(draft: Draft, worker: SqlWorker) -> Iterator[Finding]:
    """worker: on a lake in which nothing is recorded."""
    read = {place for place, _ in draft.queries}
    for name in ("evidence", "claims"):
        for n, raw in enumerate(draft.raw_list(name)):
            if (name, n) not in read and isinstance(raw, dict):
                yield from _unread(draft, (name, n), raw)
    asked: list[_Asked] = []
    for place, evidence in draft.queries:
        if not isinstance(getattr(evidence, "sql", None), str):
            continue
        answer = yield from _answer(draft, place, evidence.sql, worker)
        if answer is None:
            continue
        holds = yield from _predicate(draft, place, evidence, answer)
        asked.append(_Asked(place, evidence, answer, holds))
    for name in ("evidence", "claims"):  # SQL of what cannot be read otherwise
        for n, raw in enumerate(draft.raw_list(name)):
            sql = raw.get("sql") if isinstance(raw, dict) else None
            if (name, n) not in read and isinstance(sql, str) and not unknown_times(sql):
                yield from _ignored(_answer(draft, (name, n), sql, worker))
    yield from _together(draft, asked)
    yield from _twice(draft)


def _unread(draft: Draft, place: Place, raw: dict[str, Any]) -> Iterator[Finding]:
    sql = raw.get("sql")
    for name in unknown_times(sql) if isinstance(sql, str) else []:
        yield draft.error("query-fails", (*place, "sql"), name, f"only ${', $'.join(TIMES)} for times",
                          guess(name, [f"${t}" for t in TIMES], "write the time out, or use one of these"))  # fmt: skip


def _ignored(found: Any) -> Iterator[Finding]:
    """The findings of a generator that also returns something."""
    yield from found


def _answer(draft: Draft, place: Place, sql: str, worker: SqlWorker) -> Any:
    """The answer of an empty lake, None where there is none."""
    at = (*place, "sql")
    times = dict(zip(TIMES, (_BEGAN_TS, _BEGAN_TS + 3_600, _BEGAN_TS + 7_200), strict=True))
    try:
        text = filled(sql, times)
        answer = worker.query(text, timeout_s=TIMEOUT_S)
    except SandboxError as error:
        yield draft.error(
            "query-fails",
            at,
            " ".join(str(error.seen).split()),
            f"{error.expected} ({error.kind.code} {error.kind.title})",
            error.fix,
        )
        return None
    if not sqlguard.check(_parser(), text):
        yield draft.error("query-fails", at, "no table of the lake", "a query that looks at what was recorded",
                          "read from a table: sandbox sql --tables")  # fmt: skip
    return answer


def _predicate(draft: Draft, place: Place, evidence: Evidence, answer: Result) -> Any:
    """Whether it holds on the empty lake."""
    at = (*place, "predicate")
    try:
        predicate = Predicate.parse(evidence.predicate)
    except PredicateError:
        return False  # the schema says so
    kinds = {name: predicates.kind_of(type_) for name, type_ in zip(answer.columns, answer.types, strict=True)}
    known: dict[str, predicates.Kind] = {**kinds, "rows": "number"}
    for name in sorted(predicate.names - set(known)):
        yield draft.error("predicate", at, name, f"a column of the answer: {', '.join(known)}",
                          guess(name, known, "name it in the query, or take it out"))  # fmt: skip
    if predicate.names - set(known):
        return False
    if "onset" in kinds and kinds["onset"] != "time":
        yield draft.error("predicate", (*place, "sql"), f"onset is a {kinds['onset']}", "a time",
                          "the responder reports the column onset as when it began")  # fmt: skip
    if not predicate.names:
        yield draft.error("predicate", at, evidence.predicate, "a condition on a column of the answer",
                          "it decides nothing: name a column")  # fmt: skip
        return False
    if (why := predicates.mismatch(predicate, known)) is not None:
        yield draft.error("predicate", at, evidence.predicate, why, "compare what is of one type")
        return False
    for certain, part, always in predicates.undecided(predicate, known, _counts(evidence.sql)):
        yield draft.finding("error" if certain else "warning", "predicate", at, part,
                            f"a condition that can be true and false; this is {always} whatever comes",
                            "compare with what a healthy day shows")  # fmt: skip
        if certain:
            return False
    return predicate.holds(first_row(answer.columns, answer.rows), len(answer.rows))


def _counts(sql: str) -> list[str]:
    """Columns that count something, and `rows`: never below 0. Empty where the parse does not say."""
    try:
        text = re.sub(r"\$(\w+)", "now()", sql)
        row = _parser().execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
        node = json.loads(row[0])["statements"][0]["node"] if row else {}
    except (duckdb.Error, KeyError, IndexError, ValueError):
        node = {}
    columns = node.get("select_list", [])
    found = [c.get("alias") for c in columns if str(c.get("function_name", "")).lower() in _COUNTS]
    return [*(str(name) for name in found if name), "rows"]


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Not the one that all of a process share; one is made in 50 ms, and a check parses thirty queries."""
    return duckdb.connect(":memory:")


def _parser() -> duckdb.DuckDBPyConnection:
    """For one thread."""
    return _memory().cursor()


def _together(draft: Draft, asked: list[_Asked]) -> Iterator[Finding]:
    """What convinces where nothing was recorded convinces anybody."""
    evidence = [a for a in asked if a.place[0] == "evidence"]
    if evidence and len(evidence) == len(draft.raw_list("evidence")) and all(a.holds for a in evidence):
        yield draft.error("predicate", ("evidence",), "every predicate holds on an empty lake",
                          "evidence that nothing recorded cannot give", "compare before with after, and ask for a least number of rows")  # fmt: skip
        return
    for one in evidence:
        if one.holds:
            yield draft.warning("predicate", (*one.place, "predicate"), one.evidence.predicate,
                                "false on a lake in which nothing is recorded", "ask for a least number of rows as well")  # fmt: skip


def _twice(draft: Draft) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for place, evidence in draft.queries:
        if place[0] != "evidence":
            continue
        same = _normal(evidence.sql)
        if same in seen:
            yield draft.error("duplicate", (*place, "sql"), evidence.id, f"a query of its own: {seen[same]} asks the same",
                              "ask for something else, or put both predicates together with `and`")  # fmt: skip
        seen.setdefault(same, evidence.id)
    ids = [raw.get("id") for raw in draft.raw_list("evidence") if isinstance(raw, dict)]
    for n, name in enumerate(ids):
        if name is not None and name in ids[:n]:
            yield draft.error("duplicate", ("evidence", n, "id"), name, "an id used once", "give each its own")


def _normal(sql: str) -> str:
    text = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.S)
    return " ".join(re.sub(r"([(),=<>*/+-])", r" \1 ", text).lower().split()).rstrip(" ;")
