"""What it means for a grade that an instructor's hand was in the world. It is said, and nothing is corrected by guess.

The planned incident keeps its truth: its harm, and what the team averted, come from the twin, in which no hand ever was. What
a team did against a fault by hand changes nothing there, or does harm: it may count as needless. What they measured holds
both. So the grade stands as it is computed, is marked as touched, and an instructor may override it with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.drill.play import by_hand
from sandbox.drill.play.drills import Drill
from sandbox.room.events import Event, Injected

_DID = {"arm": "put a fault on", "disarm": "took a fault off", "revert": "had a colleague revert a change",
        "note": "entered a change that was none"}  # fmt: skip


def marked(document: dict[str, Any], drill: Drill) -> dict[str, Any]:
    """The grade's document, with a notice where hands were in the world."""
    done = by_hand.told(drill.entries())
    if not done:
        return document
    what = [_DID[str(deed["do"])] for deed in done]
    counted = ", ".join(
        f"{text} {what.count(text)} times" if what.count(text) > 1 else text for text in dict.fromkeys(what)
    )
    notice = (
        f"Touched by hand: the instructor {counted}. The grade is of the planned incident: its harm is reckoned as if no hand "
        "had been in it, so what the team did against the hand's doing may count as needless, and what they measured holds both."
    )
    return {**document, "touched": True, "notices": [*document.get("notices", []), notice]}


def herrings(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Messages that were meant to lead astray, for the debrief: {world_ts, sender, text}."""
    return [
        {"world_ts": event.world_ts, "sender": event.what.sender, "text": event.what.text}
        for event in events
        if isinstance(event.what, Injected) and event.what.herring
    ]
