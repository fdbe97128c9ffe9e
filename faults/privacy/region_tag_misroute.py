from __future__ import annotations

from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Region
from services.skeleton.seams import Call, ProceedSync


class RegionTagMisroute(Fault):
    """Take a request for one from the default region, whatever its user's home is.

    As a tagger does that goes by the address of the connection and finds nothing. Catalogue, rights and rules are those
    of the region it was tagged with. From memory of such incidents, without a public source.
    """

    name = "region-tag-misroute"
    layer = "privacy"
    seam = "region"
    services = ("gateway",)
    moves = "requests tagged with another region than the user's, all with the default; items without rights at home"
    stays = "requests in all; latency; errors; what people of the default region are shown"
    look_alikes = ("benign-mix-shift", "optout-signal-ignored", "rules-fail-open")
    repairs = "go by the declared home, the strictest where two disagree; count who was answered under another law"

    class Params(FaultParams):
        default_region: Region = Field("US", description="that requests are taken to come from")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        proceed(call)
        return REGIONS.index(self.params.default_region)
