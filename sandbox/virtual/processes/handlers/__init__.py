"""What each service does with one call, in virtual time: its own work, its calls, its telemetry.

The numbers are the cores', and come later (sandbox.virtual.answers.later): from the batch as long as nothing
deviates (`same`), and from where something does by the same functions for this request alone. Work is
counted by the candidates that were asked for: so many are found, but for a slate of a tiny world.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.base.config import Config
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Gathering
from sandbox.virtual.machine.fabric import Fabric
from sandbox.virtual.processes.handlers.features import USER_VIEWS, Features
from sandbox.virtual.processes.handlers.model import Model
from sandbox.virtual.processes.handlers.ranking import Ranking
from sandbox.virtual.processes.handlers.retrieval import Retrieval
from sandbox.virtual.processes.handlers.rules import Rules
from sandbox.virtual.processes.handlers.service import Service, chosen
from sandbox.virtual.processes.store import Store

__all__ = ["USER_VIEWS", "Features", "Handlers", "Model", "Ranking", "Retrieval", "Rules", "Service", "chosen"]


class Handlers(Service):
    """All of them, by service."""

    def __init__(
        self, fabric: Fabric, content: Content, store: Store, gathering: Gathering, config: Callable[[], Config]
    ) -> None:
        super().__init__(fabric, content, store, gathering, config)
        shared = (fabric, content, store, gathering, config)
        self.features, self.model, self.rules = Features(*shared), Model(*shared), Rules(*shared)
        self.retrieval = Retrieval(*shared, self.model)
        self.ranking = Ranking(*shared, self.features, self.model)
