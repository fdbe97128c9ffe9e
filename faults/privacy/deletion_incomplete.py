from __future__ import annotations

from dataclasses import replace
from typing import Any

from faults.base import Fault
from services.features.consents import ERASURE
from services.skeleton.seams import Call, Proceed


class DeletionIncomplete(Fault):
    """Answer from a copy of the consent ledger that was restored without the tombstones of the erased.

    The erasure itself was done and told. In the copy the erased are there again with all that they had once said, so
    they are known again, by the features that batch jobs still make of their history. Precedent: CNIL against Criteo,
    2023, on erasure (GDPR 17(1)); FTC against Everalbum, 2021, on what was derived from deleted accounts.
    """

    name = "deletion-incomplete"
    layer = "privacy"
    seam = "consent"
    services = ("features",)
    moves = "personalised answers to erased people, who had been gone, from a restore or a backfill on"
    stays = "what deletion reports; the ledger itself; who said no in another way; latency; errors; clicks"
    look_alikes = ("consent-withdrawal-lag", "optout-signal-ignored", "stale-partition-reused")
    repairs = "have every writer and every restore heed the tombstones; ask by query whether the erased are gone"

    async def around(self, call: Call, proceed: Proceed) -> Any:
        there = tuple(signal for signal in call.payload["signals"] if signal != ERASURE)
        return await proceed(replace(call, payload={**call.payload, "signals": there}))
