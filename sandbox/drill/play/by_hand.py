"""What an instructor does to a drill that runs: a fault put on or taken off, a colleague who reverts a change or notes one.

None of it is in the scenario, and none of it is the trainee's: it stands in the drill's journal as the instructor's, sealed,
written before it is done. A deed has a name, chosen by whoever has it done, and is done once under it however often it is
asked for. What moves a virtual world is noted like all else that moves it, by its name, so that the world comes about again.

For the twin, what was done by hand did not happen: its arms run the planned incident alone. `AsPlanned` is the drill as they
have to see it: reverts of what a hand changed are left out, for there is nothing there to be taken back, and the numbers of
other changes are as if the hand had made none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sandbox.base.errors import SandboxError
from sandbox.base.streams import seed_of
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry
from sandbox.drill.scenario.scenario import Step
from sandbox.runtime.operate.operations import Operations, Record

WHAT, REFUSED, DONE = "by_hand", "by_hand_refused", "by_hand_done"  # kinds in the drill's journal
INSTRUCTOR = "instructor"  # who, there
MOVE = "hand"  # in the notebook of a virtual drill, with the deed's name

Deed = dict[str, Any]  # {name, do, …}: see `carry_out`


class Hands(Protocol):
    """A stack as a hand reaches it: as the engine's backend, and its operations."""

    @property
    def operations(self) -> Operations: ...
    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None: ...
    def disarm(self, name: str, service: str) -> None: ...
    def release(self, step: Step, seed: int, faulty: bool) -> str: ...


def carry_out(deed: Deed, hands: Hands, seed: int) -> dict[str, Any]:
    """Does it. Returns what came of it: {change: the number it has in the change log, None where it has none}.

    deed: {name, do: arm, step} with the step as a scenario's, {name, do: disarm, of, service, change},
    {name, do: revert, change, actor} or {name, do: note, actor, target, key, old, new, note}.
    Raises FLT-001..003, RUN-*, CFG-001, and DRILL-007 for a change that cannot be reverted.
    """
    what = deed["do"]
    if what == "arm":
        return {"change": _arm(str(deed["name"]), Step.model_validate(deed["step"]), hands, seed)}
    if what == "disarm":
        if deed["change"] is None:
            hands.disarm(str(deed["of"]), str(deed["service"]))
            return {"change": None}
        return {"change": hands.operations.revert(int(deed["change"]), "release-bot").n}
    if what == "revert":
        return {"change": hands.operations.revert(int(deed["change"]), str(deed["actor"])).n}
    told = {name: str(deed[name]) for name in ("actor", "target", "key", "old", "new", "note")}
    arguments = {"key": told["key"], "new": told["new"]}
    return {"change": hands.operations.note(op="change", arguments=arguments, **told).n}


def _arm(name: str, step: Step, hands: Hands, seed: int) -> int | None:
    seed = seed_of(seed, name)
    if step.release is None:
        hands.arm(name, step.service, step.spec(seed).model_dump(mode="json"))
        return None
    hands.release(step, seed, True)
    return hands.operations.records()[-1].n


class Done:
    """What was done by hand in a drill so far, by its journal. deeds: all that were asked for, by name. refused: why."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.deeds: dict[str, Deed] = {}
        self.began: dict[str, float] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, str] = {}
        for entry in entries:
            if entry.who != INSTRUCTOR or "name" not in entry.fields:
                continue
            name = str(entry.fields["name"])
            if entry.what == WHAT:
                self.deeds[name], self.began[name] = dict(entry.fields), entry.world_ts
            elif entry.what == DONE:
                self.outcomes[name] = dict(entry.fields)
            elif entry.what == REFUSED:
                self.refused[name] = str(entry.fields["why"])

    @property
    def changes(self) -> set[int]:
        """Numbers of the changes that hands made."""
        return {int(told["change"]) for told in self.outcomes.values() if told.get("change") is not None}


def done_once(drill: Drill, deed: Deed, hands: Hands, now_ts: float, note: Callable[[], None]) -> dict[str, Any]:
    """Does a deed that was not done yet under its name, else says what came of it. note: called just before it is done.

    Raises as `carry_out`, and DRILL-006 for a name under which something was refused before.
    """
    before, name = Done(drill.entries()), str(deed["name"])
    if name in before.outcomes:
        return before.outcomes[name]
    if name in before.refused:
        raise SandboxError(
            "DRILL-006", where=f"by hand, {name}", seen=before.refused[name], expected="a deed that is not tried again",
            fix="ask for it anew",
        )  # fmt: skip
    begun = before.began.get(name)
    if begun is None:
        drill.journal.append(now_ts, INSTRUCTOR, WHAT, **deed)
    elif (there := _there(deed, begun, hands.operations)) is not None:  # whoever did it was killed just then
        return said(drill, name, {"change": there}, now_ts)
    note()
    try:
        outcome = carry_out(deed, hands, drill.plan.seed)
    except SandboxError as error:
        drill.journal.append(now_ts, INSTRUCTOR, REFUSED, name=name, why=str(error))
        raise
    return said(drill, name, outcome, now_ts)


def said(drill: Drill, name: str, outcome: dict[str, Any], now_ts: float) -> dict[str, Any]:
    """Writes down that it is done."""
    drill.journal.append(now_ts, INSTRUCTOR, DONE, name=name, **outcome)
    return outcome


def _there(deed: Deed, since_ts: float, operations: Operations) -> int | None:
    """The number of the change that the deed made since then, None where there is none."""
    release = (deed.get("step") or {}).get("release") or {}
    wanted = {"arm": "release", "disarm": "revert", "revert": "revert", "note": "change"}[deed["do"]]
    change, key = deed.get("change"), release.get("key", deed.get("key"))
    for record in operations.records():
        mine = record.ts >= since_ts and record.op == wanted
        if mine and (record.arguments.get("change") == str(change) if wanted == "revert" else record.key == key):
            return record.n
    return None


def told(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """What was done by hand, oldest first, for the debrief: {world_ts, name, do, …}."""
    done = Done(entries)
    rows = [
        {"world_ts": done.began[name], **{k: v for k, v in deed.items() if k not in ("command", "step")}}
        for name, deed in done.deeds.items()
        if name in done.outcomes
    ]
    return sorted(rows, key=lambda row: float(row["world_ts"]))


class AsPlanned(Drill):
    """A drill that is over, as its grade's twin has to see it."""

    def entries(self) -> list[Entry]:
        entries = super().entries()
        changes = Done(entries).changes
        return as_planned(entries, vanished(Operations(self.run).records(), changes)) if changes else entries


def vanished(records: Iterable[Record], changes: set[int]) -> set[int]:
    """Numbers of the changes that are not there without hands: theirs, reverts of those by the team, and reverts of such
    reverts. records: in their order."""
    gone = set(changes)
    for record in records:
        if record.op == "revert" and record.arguments.get("change") in {str(n) for n in gone}:
            gone.add(record.n)
    return gone


def as_planned(entries: list[Entry], gone: set[int]) -> list[Entry]:
    """The entries without reverts of what is gone, and with the other changes numbered as they are without it."""
    return [said for entry in entries if (said := _as_planned(entry, gone)) is not None]


_REVERT = re.compile(r"^revert change=(\d+)$")


def _as_planned(entry: Entry, gone: set[int]) -> Entry | None:
    found = _REVERT.match(str(entry.fields.get("text", ""))) if entry.what == "action" else None
    if found is None:
        return entry
    n = int(found[1])
    if n in gone:
        return None
    other = str(n - sum(change < n for change in gone))
    forms = [
        [op, [[k, other if op == "revert" and k == "change" else v] for k, v in arguments]]
        for op, arguments in entry.fields["forms"]
    ]
    fields = {**entry.fields, "text": f"revert change={other}", "forms": forms}
    return Entry(entry.world_ts, entry.wall_ts, entry.who, entry.what, fields)
