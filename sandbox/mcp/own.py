"""A seat in a virtual room of one's own, in this process: its world stands still unless one waits."""

from __future__ import annotations

import threading
import time
from typing import Any

from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.scenario.scenario import Scenario
from sandbox.mcp.served import MOST_WAIT_S
from sandbox.room import house
from sandbox.room.commands import parsed, parsed_join
from sandbox.room.overview import Lookout
from sandbox.room.pace import MOST_AT_ONCE_S
from sandbox.room.rights import Phase
from sandbox.room.words import words

_MOVES = (Phase.waiting, Phase.running)


class Hand:
    """A clock that is turned by hand, monotonic seconds."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class OwnSeat:
    """A drill that begins now. world: None for the scenario's. twin: whether its grade is by the drill's twin."""

    def __init__(
        self, scenario: Scenario, name: str, role: str, *, world: str | None = None, seed: int | None = None,
        twin: bool = True, progress: ProgressFn = quiet,
    ) -> None:  # fmt: skip
        self._hand = Hand()
        self._room = house.open_room(
            scenario,
            "virtual",
            world=world,
            seed=seed,
            twin=twin,
            progress=progress,
            clock=self._hand,
            program=True,
        )
        self._me = self._room.join(parsed_join({"name": name, "role": role})).participant
        self._lookout = Lookout(self._room, time.monotonic, 0.0)
        self.code = self._room.code

    def state(self) -> dict[str, Any]:
        return self._room.state(self._me)

    def words(self) -> dict[str, Any]:
        return words().model_dump(mode="json")

    def overview(self) -> dict[str, Any]:
        return self._lookout.seen().model_dump(mode="json")

    def give(self, kind: str, **fields: Any) -> dict[str, Any]:
        seq = self._room.submit(self._me, parsed({"kind": kind, **fields}))
        (told,), _ = self._room.events_after(seq - 1, self._me, 1)
        return {"seq": seq, **told["what"]}

    def wait(self, seconds: float, *, to_the_page: bool) -> None:
        room = self._room
        until, opened = room.now() + seconds, room.shared.opened
        assert opened is not None, "a room is opened before anybody sits in it"
        answer_by = time.monotonic() + MOST_WAIT_S
        step_s = MOST_AT_ONCE_S / opened.world_rate  # of the hand: as much as a world goes on at once
        while room.now() < until and room.shared.phase in _MOVES and not (to_the_page and room.shared.page):
            self._hand.at += min(step_s, (until - room.now()) / opened.world_rate)
            room.tick()
            if time.monotonic() > answer_by:
                return
        if room.shared.phase is Phase.over:
            self._for_the_grade(answer_by)

    def close(self) -> None:
        """Gives the drill up where it is not over: nobody would be left to answer it."""
        if self._room.shared.phase not in (Phase.over, Phase.debrief):
            self._room.end_by_itself("its responder left", graded=False)
        self._room.close()

    def _for_the_grade(self, answer_by: float) -> None:
        came = threading.Event()
        unlisten = self._room.listen(came.set)
        try:
            if self._room.shared.phase is Phase.over:
                came.wait(max(0.0, answer_by - time.monotonic()))
        finally:
            unlisten()
