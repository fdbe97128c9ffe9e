"""The desk of whoever answers a drill: all that can be done in one, the same on both backends.

`play.live_desk` and `play.virtual_desk` implement it; shells, responders and programs stand on it, and reach for
nothing below. A grade is not part of it: what a drill was worth is reckoned once it is over (grading.outcome).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, Self

from sandbox.base.progress import ProgressFn
from sandbox.drill.play import standing
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.report import Report
from sandbox.drill.play.typed import Typed
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.telemetry.sql import Result, SqlWorker


@dataclass(frozen=True)
class Slate:
    """What somebody was shown. columns, rows: an item a row. note: what went wrong with it, empty where nothing."""

    request_id: str
    columns: list[str]
    rows: list[list[Any]]
    note: str = ""


class Desk(Protocol):
    """One drill that runs. Times are world seconds since the epoch. What it raises: DRILL-006 once the drill is over,
    RUN-001 where its stack is down."""

    @property
    def drill(self) -> Drill: ...
    @property
    def began_ts(self) -> float: ...
    @property
    def stands_still(self) -> bool:
        """Whether the world moves only while somebody waits."""
        ...

    def now(self) -> float: ...
    def wait(self, until_ts: float, *, to_the_page: bool = False) -> None:
        """Returns at that time. to_the_page: no later than the page, where it comes on the way."""
        ...

    def paged(self) -> float | None:
        """When the page came, None before."""
        ...

    def lake(self) -> SqlWorker:
        """The SQL console, with everything that has happened by now."""
        ...

    def ask(self, sql: str) -> Result:
        """Raises LAKE-001..004."""
        ...

    def operations(self) -> Operations:
        """What is in force and what was changed; also where the stack is down."""
        ...

    def preview(self, action: str) -> Typed:
        """Everything checked, nothing done. Raises DRILL-005, DRILL-007, MODEL-001."""
        ...

    def act(self, action: str) -> Record:
        """Carries it out. Raises as `preview`, and what the stack answers that cannot do it."""
        ...

    def recommend(self, user: int, k: int) -> Slate:
        """What that user would be shown now. Raises WIRE-* for numbers that there are not."""
        ...

    def by_hand(self, deed: dict[str, Any]) -> dict[str, Any]:
        """The instructor's: does something that is neither in the scenario nor the trainee's, once under its name. See
        `by_hand.carry_out`; plain JSON in and out. Raises as it."""
        ...

    def came_to(self) -> tuple[Any, float] | None:
        """The instructor's: the ledger of what really came of everything so far, and until when, in world seconds since
        the epoch. The world is as before. None where there is none, on a live stack."""
        ...

    def status(self) -> dict[str, Any]:
        """Where the drill stands: see `standing.status`."""
        ...

    def hint_offer(self) -> str:
        """What the next hint costs, as a question."""
        ...

    def hint(self) -> str: ...

    def file(self, report: Report, progress: ProgressFn = ...) -> None:
        """Hands the report in and closes the drill; a stack that came up for it goes. Raises DRILL-003."""
        ...

    def abandon(self, progress: ProgressFn = ...) -> None:
        """Ends the drill without a report."""
        ...

    def close(self) -> None:
        """Lets go of it; a live drill that is not over runs on."""
        ...


class OnDrill(ABC):
    """What a desk has from its drill alone, whatever backend that is on."""

    drill: Drill

    @abstractmethod
    def now(self) -> float: ...
    @abstractmethod
    def close(self) -> None: ...

    def paged(self) -> float | None:
        return self.drill.paged()

    def status(self) -> dict[str, Any]:
        return standing.status(self.drill, self.now())

    def hint_offer(self) -> str:
        return standing.hint_offer(self.drill)

    def hint(self) -> str:
        return standing.hint(self.drill, self.now())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
