"""The incident report by questions, for whoever sits at a terminal.

Every answer is checked at once and asked again with the reason. A default stands in brackets and Enter
takes it. Nothing is filed before the whole report was looked at; Ctrl-C goes back to the drill, where the
answers given are kept and offered the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.play.report import MOST_NAMED, SIZED, Report, checked, require_paged, within, world_time
from sandbox.drill.scenario import taxonomy
from sandbox.drill.terminal import replies
from sandbox.drill.terminal.replies import NOTHING, UnclearError, ValuesOf
from sandbox.drill.terminal.written import answers_of, lines_of, listed, pairs, ranges, units

Ask = Callable[[str, Sequence[str]], str]  # question, words to complete -> answer
Say = Callable[[str], None]
OFFERED = 20  # of the latest queries, as many as a report may quote
PARTS = ("incident", "causes", "detected", "impact", "evidence", "ruled_out", "confidence", "notes")
_BENIGN = tuple(m.name for m in taxonomy.MECHANISMS.values() if m.family == "benign")
_AT_WORK = (
    *(m.name for m in taxonomy.MECHANISMS.values() if m.family != "benign"),
    *(family for family in taxonomy.FAMILIES if family != "benign"),
)
_STEPS = ("file", "back", *PARTS)
_YES_NO = ("yes", "no")
_COMPONENTS = tuple(name for name in taxonomy.COMPONENTS if name != taxonomy.NONE)


def interview(
    drill: Drill, ask: Ask, say: Say = print, now: Callable[[], float] | None = None,
    queries: Sequence[str] = (), values_of: ValuesOf = lambda _: (),
) -> Report | None:  # fmt: skip
    """The report to be filed, None where the trainee went back to the drill.

    now: world seconds; None for the drill's own. queries: SQL that was asked, to choose evidence from.
    values_of: those of a segment's column. Raises DRILL-003 before the page.
    """
    require_paged(drill.paged())
    asked = _Interview(drill, ask, say, now or drill.now, queries, values_of)
    try:
        return asked.through()
    except (KeyboardInterrupt, EOFError):
        return None


class _Interview:
    def __init__(
        self, drill: Drill, ask: Ask, say: Say, now: Callable[[], float], queries: Sequence[str], values_of: ValuesOf
    ) -> None:
        self._ask, self._say, self._now, self._values_of = ask, say, now, values_of
        self._began, self._paged = drill.began() or 0.0, drill.paged() or 0.0
        self._queries = list(dict.fromkeys(reversed(queries)))[:OFFERED][::-1]
        self._notebook = Notebook(drill.directory)
        self._draft = self._notebook.draft()

    def through(self) -> Report | None:
        self._say("Enter takes what stands in brackets, `-` empties it, Ctrl-C goes back to the drill.")
        for part in PARTS:
            self._part(part)
        while True:
            self._say("\n".join(["", "the report:", *lines_of(self._draft)]))
            wanted = self._answer(
                "File it, change a part, or go back to the drill (file, the part's name, back)?",
                self._step,
                words=_STEPS,
                about=lambda: f"one of {', '.join(_STEPS)}",
            )
            if wanted == "back":
                return None
            if wanted != "file":
                follows = ("causes", "detected", "impact") if wanted == "incident" else ()
                for part in (wanted, *follows):
                    self._part(part)
                continue
            try:
                return within(checked(answers_of(self._draft)), self._began, self._now())
            except SandboxError as error:
                self._say(f"{error.where}: {error.seen!r}; expected {error.expected}")

    def _step(self, text: str) -> str:
        return replies.word_of(text, _STEPS, "way on")

    def _part(self, part: str) -> None:
        """Asks for one part, and keeps the answer before the next is asked for."""
        getattr(self, f"_{part}")()
        self._keep()

    def _keep(self) -> None:
        self._notebook.keep_draft(self._draft)

    def _incident(self) -> None:
        known = self._draft.get("incident", True)
        self._draft["incident"] = self._answer(
            "Was there an incident, yes or no?", replies.yes_no, "yes" if known else "no", ("yes", "no")
        )

    def _causes(self) -> None:
        if not self._draft["incident"]:
            known = self._draft.get("mechanism", "chance")
            self._draft["mechanism"] = self._word("What explains what was seen?", _BENIGN, "explanation", known)
            return
        before: list[dict[str, Any]] = self._draft.get("causes", [])
        n = 0
        while True:
            # Kept answer by answer: what is given so far is offered again after Ctrl-C.
            cause = dict(before[n]) if n < len(before) else {}
            self._draft["causes"] = [*self._draft.get("causes", [])[:n], cause, *before[n + 1 :]]
            self._cause(cause, f"cause {n + 1}: " if n else "")
            n += 1
            more = "yes" if n < len(before) else "no"
            if n == MOST_NAMED or not self._answer("Another cause?", replies.yes_no, more, _YES_NO):
                break
        self._draft["causes"] = self._draft["causes"][:n]

    def _cause(self, cause: dict[str, Any], which: str) -> None:
        """Fills it in."""

        def put(name: str, value: Any) -> None:
            cause[name] = value
            self._keep()

        put("component", self._word(f"{which}Which component?", _COMPONENTS, "component", cause.get("component", "")))
        put(
            "mechanism",
            self._word(f"{which}Which mechanism, or family?", _AT_WORK, "mechanism", cause.get("mechanism", "")),
        )
        question = f"{which}When did it begin (world time, the day may be left out)?"
        put("started_at", self._answer(question, self._moment, cause.get("started_at", "")))
        columns = [f"{column}=" for column in taxonomy.SEGMENT_COLUMNS]
        question = f"{which}Whom does it hit (column=value,value; nothing for everyone; `?` lists columns)?"
        put("segment", self._answer(
            question, lambda text: replies.segment(text, self._values_of),
            pairs(cause.get("segment", {})), columns,
            about=lambda: f"columns: {', '.join(taxonomy.SEGMENT_COLUMNS)}", empty={},
        ))  # fmt: skip

    def _detected(self) -> None:
        if not self._draft["incident"]:
            return
        first = min(cause["started_at"] for cause in self._draft["causes"])
        known = max(first, self._draft.get("detected_at") or world_time(self._paged))

        def seen(text: str) -> str:
            at = self._moment(text)
            if at < first:
                raise UnclearError(f"{at} is before it began, {first}")
            return at

        self._draft["detected_at"] = self._answer("When was it seen?", seen, known)

    def _impact(self) -> None:
        if not self._draft["incident"]:
            return
        self._say(units())
        names = [f"{name}=" for name in SIZED]
        self._draft["impact"] = self._answer(
            "How great is the harm so far, against a healthy day (clicks=80..120..160 or clicks=120 ...; "
            "more is worse; nothing if you cannot say)?",
            replies.sizes, ranges(self._draft.get("impact", {})), names, about=units, empty={},
        )  # fmt: skip

    def _evidence(self) -> None:
        if not self._queries:
            self._draft["evidence"] = []
            return
        self._say(self._numbered())
        before = {one["sql"]: one["claim"] for one in self._draft.get("evidence", [])}
        known = " ".join(str(n) for n, sql in enumerate(self._queries, 1) if sql in before)
        chosen = self._answer(
            "Which of these queries show it (numbers, nothing for none; `?` lists them)?",
            lambda text: replies.numbers(text, len(self._queries)),
            known,
            about=self._numbered,
            empty=[],
        )
        found: list[dict[str, str]] = []
        for n in chosen:
            found.append(self._shows(n, before))
            after = [
                {"claim": before.get(sql, "as the query says"), "sql": sql}
                for m in chosen[len(found) :]
                if (sql := self._queries[m - 1])
            ]
            self._draft["evidence"] = found + after
            self._keep()
        self._draft["evidence"] = found

    def _shows(self, number: int, before: dict[str, str]) -> dict[str, str]:
        sql = self._queries[number - 1]
        known = before.get(sql, "as the query says")
        claim = self._answer(f"What does {number} show?", lambda text: text[:400], known)
        return {"claim": claim, "sql": sql}

    def _ruled_out(self) -> None:
        if not self._queries:
            self._draft["ruled_out"] = []
            return
        words = (*_COMPONENTS, *_AT_WORK)
        found: list[dict[str, str]] = []
        before = self._draft.get("ruled_out", [])
        while True:
            known = before[len(found)] if len(found) < len(before) else {}
            what = self._word(
                "What else did you rule out (a component or mechanism; nothing for no more)?",
                words,
                "component or mechanism",
                known.get("what", ""),
                empty=True,
            )
            if not what:
                break
            number = str(self._queries.index(known["sql"]) + 1) if known.get("sql") in self._queries else ""
            sql = self._answer(
                "Which query shows that (its number; `?` lists them)?",
                lambda text: self._queries[replies.numbers(text, len(self._queries))[0] - 1],
                number,
                about=self._numbered,
            )
            found.append({"what": what, "sql": sql})
            self._draft["ruled_out"] = found + before[len(found) :]
            self._keep()
        self._draft["ruled_out"] = found

    def _confidence(self) -> None:
        known = f"{self._draft.get('confidence', 0.7):g}"
        verdict = "incident" if self._draft["incident"] else "false alarm"
        self._draft["confidence"] = self._answer(
            f"How sure are you that it is an {verdict}, 0 to 1?".replace("an false", "a false"), replies.share, known
        )

    def _notes(self) -> None:
        known = self._draft.get("notes", "")
        self._draft["notes"] = self._answer("Notes (one line)?", str, known, empty="")

    def _moment(self, text: str) -> str:
        return replies.moment(text, self._began, self._now())

    def _numbered(self) -> str:
        return "\n".join(
            f"{number:>3}  {shorten(sql, 110, placeholder=' ...')}" for number, sql in enumerate(self._queries, 1)
        )

    def _word(self, question: str, known: Sequence[str], what: str, default: str = "", empty: bool = False) -> str:
        found: str = self._answer(
            question, lambda text: replies.word_of(text, known, what), default, known,
            about=lambda: listed(known), empty="" if empty else None,
        )  # fmt: skip
        return found

    def _answer(
        self, question: str, read: Callable[[str], Any], default: str = "", words: Sequence[str] = (),
        about: Callable[[], str] | None = None, empty: Any = None,
    ) -> Any:  # fmt: skip
        """Asks until the answer can be read. empty: what no answer means; None where one is needed."""
        while True:
            text = self._ask(f"{question} [{default}]" if default else question, words).strip()
            if text == "?" and about is not None:
                self._say(about())
                continue
            if empty is not None and (text in NOTHING or not (text or default)):
                return empty
            try:
                if not (text or default):
                    raise UnclearError("an answer is needed" + ("; `?` lists them" if about else ""))
                return read(text or default)
            except UnclearError as why:
                self._say(f"  {why}")
