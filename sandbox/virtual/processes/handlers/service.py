"""What the handlers of all services have: the processes, what is served, the store, and telemetry that comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.base.config import Config
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Gathering
from sandbox.virtual.machine.fabric import Context, Fabric
from sandbox.virtual.processes.store import Store
from services.skeleton.context import lot

T = TypeVar("T")


@dataclass
class Service:
    """config: in force when a call comes."""

    fabric: Fabric
    content: Content
    store: Store
    gathering: Gathering
    config: Callable[[], Config]

    def now(self) -> float:
        """World seconds since the epoch."""
        return self.fabric.world.now()

    def note(self, service: str, table: str, rows: Callable[[], Iterable[Any]]) -> None:
        """Telemetry of what is not computed yet."""
        record = self.fabric.record
        assert record is not None

        def write() -> None:
            for row in rows():
                record(service, table, row)

        self.gathering.later(write)


def chosen(context: Context, share: float) -> bool:
    """As services.skeleton.context.Context.chosen."""
    return context.sampled or lot(context.trace_id) < share


def there(value: T | None) -> T:
    """Of an answer of the batch, through which all stages went."""
    assert value is not None
    return value
