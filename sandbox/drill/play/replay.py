"""A virtual drill taken up again: everything that moved its world is done once more, from the beginning.

The world is deterministic, so it comes out as it was. That is not taken for granted: what the engine does
meanwhile is held against the journal.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.drill.play import by_hand
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.notebook import Notebook

_OWN = ("engine", "colleague")  # and actions: what a replay brings about by itself
_MADE_ANEW = ("lake", "operations.jsonl", "config.json")


class Run(Protocol):
    """A virtual stack with its engine, as sandbox.drill.play.virtual_run makes it."""

    @property
    def stack(self) -> Any: ...
    def advance(self, until_ts: float) -> None: ...
    def act(self, text: str) -> Any: ...


C = TypeVar("C", bound=Run)


def replayed(
    drill: Drill, begin: Callable[[], C], read: Callable[[], list[Entry]], progress: ProgressFn,
    reach: Callable[[C], by_hand.Hands] | None = None,
) -> C:  # fmt: skip
    """begin: the run at its beginning. read: the entries that its engine has made since. reach: how a hand reaches the
    run, where an instructor may have had one in it.

    Raises DRILL-006 for a drill that is over, or that does not come out as its journal has it.
    """
    written = drill.entries()
    if any(e.what in ("report", "abandoned") or e.fields.get("name") == "debrief" for e in written):
        raise _refused("a drill that is over", "one that was left running", "see it: sandbox drill debrief")
    run_dir = Path(drill.plan.run_dir)
    for name in _MADE_ANEW:
        shutil.rmtree(run_dir / name, ignore_errors=True)
        (run_dir / name).unlink(missing_ok=True)
    run, moves, hand = begin(), Notebook(drill.directory).moves(), by_hand.Done(written)
    for done, (what, argument) in enumerate(moves):
        progress("doing again what was done", done / len(moves))
        if what == "until":
            run.advance(float(argument))
        elif what == "probe":
            run.stack.clients.probe(int(argument))
        elif what == by_hand.MOVE:
            assert reach is not None, "whoever lets hands in says how they reach the run"
            _by_hand_again(drill, hand, str(argument), reach(run))
        else:
            with suppress(SandboxError):  # what was refused then is refused again
                run.act(str(argument))
    _compare(drill, [e for e in written if e.who in _OWN or e.what == "action"], read())
    return run


def _by_hand_again(drill: Drill, hand: by_hand.Done, name: str, hands: by_hand.Hands) -> None:
    """What came of it is written now where the process was killed before it was."""
    deed = hand.deeds[name]
    with suppress(SandboxError):  # as above
        outcome = by_hand.carry_out(deed, hands, drill.plan.seed)
        if name not in hand.outcomes:
            by_hand.said(drill, name, outcome, hand.began[name])


def _compare(drill: Drill, before: list[Entry], after: list[Entry]) -> None:
    """What came after the last line that reached the journal is written now."""
    for one, other in zip(before, after, strict=False):
        if _told(one) != _told(other):
            raise _refused(
                f"`{other.what}` at {other.world_ts:.0f}, where it was `{one.what}` at {one.world_ts:.0f}",
                "the same drill again: the version and the world that it was started with",
                "its truth can still be had: sandbox drill debrief --abandon",
            )
    if len(after) < len(before):
        raise _refused(
            f"{len(before) - len(after)} entries of the journal that did not come about again",
            "a journal that tells what was done",
            "its truth can still be had: sandbox drill debrief --abandon",
        )
    for entry in after[len(before) :]:
        drill.journal.append(entry.world_ts, entry.who, entry.what, **entry.fields)


def _told(entry: Entry) -> str:
    told = [round(entry.world_ts, 3), entry.who, entry.what, entry.fields]
    return json.dumps(told, sort_keys=True, default=str)


def _refused(seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("DRILL-006", where="drill attach", seen=seen, expected=expected, fix=fix)
