"""An event in words, on one line and as people wrote theirs; whoever shows it makes it harmless. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.clock import iso
from sandbox.room import events as ev
from sandbox.room.events import Event

NameOf = Callable[[str], str]


def words(event: Event, name_of: NameOf) -> str:
    """Empty for what is not worth a line. name_of: id of a participant -> their name."""
    tell = _WORDS.get(event.kind)
    return "" if tell is None else " ".join(tell(event.what, name_of(event.who), name_of).split())


_WORDS: dict[str, Callable[[Any, str, NameOf], str]] = {
    "joined": lambda w, by, of: f"{w.name} joined, {w.role.replace('_', ' ')}",
    "left": lambda w, by, of: f"{of(w.participant)} left",
    "handed_over": lambda w, by, of: f"{of(w.giver)} and {of(w.taker)} changed roles",
    "started": lambda w, by, of: "the world began to move",
    "paused": lambda w, by, of: "the world was stopped",
    "speed_set": lambda w, by, of: f"the world goes at {w.factor:g} times its rate",
    "page_came": lambda w, by, of: f"the page came: {w.text}",
    "acknowledged": lambda w, by, of: f"{by} acknowledged the page",
    "chatted": lambda w, by, of: f"{by}: {w.text}",
    "hint_given": lambda w, by, of: f"{by}, a hint: {w.text}",
    "hint_taken": lambda w, by, of: f"{by} took a hint: {w.text}",
    "injected": lambda w, by, of: f"{w.sender} (from outside): {w.text}",
    "task_added": lambda w, by, of: f"{by}, to do: {w.text}",
    "task_assigned": lambda w, by, of: f"task {w.task} is for {of(w.to)}",
    "task_finished": lambda w, by, of: f"{by} ticked task {w.task} off",
    "hypothesis_added": lambda w, by, of: f"{by} supposed: {w.text}",
    "hypothesis_weighed": lambda w, by, of: f"{by}: hypothesis {w.hypothesis} {w.verdict}. {w.note}",
    "asked": lambda w, by, of: f"{by} asked: {w.sql}",
    "previewed": lambda w, by, of: f"{by} looked at what {w.action} would do: {w.summary}",
    "acted": lambda w, by, of: f"{by} did {w.action}" + (f": {w.old} to {w.new}" if w.old or w.new else ""),
    "recommended": lambda w, by, of: f"{by} looked at what user {w.user} is shown",
    "field_reported": lambda w, by, of: f"{by} wrote {w.field.replace('_', ' ')} of the report: {w.value}",
    "report_filed": lambda w, by, of: f"{by} handed the report in",
    "timeline_edited": lambda w, by, of: f"{by} noted for {iso(w.at_ts)}: {w.text}",
    "time_up": lambda w, by, of: "the time was up",
    "ended": lambda w, by, of: f"it ended: {w.why}",
    "graded": lambda w, by, of: f"the grade came: {w.score:.2f}",
    "noted": lambda w, by, of: f"{by} noted: {w.text}",
    "overridden": lambda w, by, of: f"{by} gave {w.item.replace('_', ' ')} {w.score:g} instead: {w.reason}",
    "inject_planned": lambda w, by, of: f"{by} planned " + (
        str(w.does["do"]).replace("_", " ") if w.does else f"a message of {w.sender}: {w.text}"
    ),
    "injects_planned": lambda w, by, of: f"{by} planned the injects of {w.set}",
    "inject_waits": lambda w, by, of: f"inject {w.inject} was due and waits: {w.why}",
    "fault_armed": lambda w, by, of: f"by hand: {w.fault} put on {w.target}",
    "fault_disarmed": lambda w, by, of: f"by hand: {w.of} taken off: {w.why}",
    "colleague_reverted": lambda w, by, of: f"{w.colleague} reverted change {w.change}",
    "herring_planted": lambda w, by, of: f"{w.colleague} changed what matters nothing: {w.says}",
    "status_asked": lambda w, by, of: f"{w.sender} asked where things stand: {w.text}",
    "status_pressed": lambda w, by, of: f"{w.sender} asked again: {w.text}",
    "failures_shown": lambda w, by, of: f"where failures commonly occur is {'shown' if w.on else 'hidden'}",
    "looked": lambda w, by, of: f"{by} looked at {w.panel} {w.about}",
    "status_updated": lambda w, by, of: f"{by} told stakeholders: {w.text}",
}  # fmt: skip
UNTOLD = frozenset(ev.KINDS) - _WORDS.keys()  # kinds without a line; tests hold this to what is meant
