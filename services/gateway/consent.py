"""Whom the gateway may personalise: what it makes of the ledger's answer, of none, and for how long that is kept."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.base.config import GatewayConfig

PURPOSE = "personalisation"  # as the ledger calls it
LEDGER, ASSUMED = "ledger", "assumed"


class Decided(NamedTuple):
    """granted: what was decided. source: LEDGER, or ASSUMED where it did not answer. ts: when, world seconds."""

    granted: bool
    source: str
    ts: float


class Decisions:
    """What was decided of users, kept for as long as the settings say. Other settings begin anew."""

    def __init__(self) -> None:
        self._kept: dict[int, Decided] = {}  # at most one for each user of the world
        self._settings: tuple[object, ...] = ()

    def kept(self, user: int, now: float, config: GatewayConfig) -> Decided | None:
        """What was decided not too long ago; None: the ledger is to be asked. now: world seconds."""
        settings = (config.consent_wait_ms, config.consent_fail, config.consent_keep_s)
        if settings != self._settings:
            self._kept, self._settings = {}, settings
        found = self._kept.get(user)
        return found if found is not None and now < found.ts + config.consent_keep_s else None

    def decide(self, user: int, granted: bool | None, now: float, config: GatewayConfig) -> Decided:
        """granted: as the ledger said, None where it did not answer."""
        made = (
            Decided(config.consent_fail == "open", ASSUMED, now) if granted is None else Decided(granted, LEDGER, now)
        )
        if config.consent_keep_s:
            self._kept[user] = made
        return made
