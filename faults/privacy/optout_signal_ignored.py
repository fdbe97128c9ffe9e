from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed


class OptoutSignalIgnored(Fault):
    """Read the consent ledger without what came by one signal: a no that a browser sent, or one from the settings page.

    What was said otherwise counts as ever; who said no in that way alone is as one who never said anything. Precedent:
    California against Sephora, 2022: Global Privacy Control is an opt-out like any other (CCPA 1798.135).
    """

    name = "optout-signal-ignored"
    layer = "privacy"
    seam = "consent"
    services = ("features",)
    moves = "personalised answers to people whose latest no came by that signal: all of them, without end"
    stays = "who said no in another way; the ledger, where the no stands; latency; errors; clicks"
    look_alikes = ("consent-withdrawal-lag", "consent-filter-fail-open", "region-tag-misroute")
    repairs = "listen to every signal in the one place that is asked; personalise nobody there meanwhile; count back"

    class Params(FaultParams):
        signal: Literal["gpc", "ui"] = Field("gpc", description="that is not listened to")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        heard = tuple(signal for signal in call.payload["signals"] if signal != self.params.signal)
        return await proceed(replace(call, payload={**call.payload, "signals": heard}))
