from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from faults.base import Fault, FaultParams
from sandbox.base.catalogue import LANGUAGES, REGIONS
from services.skeleton.seams import Call, ProceedSync


class BenignMixShift(Fault):
    """CONTROL: a campaign brings visits of some users; averages move, and each kind is served as before."""

    name = "benign-mix-shift"
    layer = "controls"
    seam = "traffic"
    services = ("load",)
    control = True
    moves = "shares of languages and regions among the requests; with them every average over all"
    stays = "every figure within one language, region and segment"
    look_alikes = ("event-drop-mnar", "consent-filter-fail-open", "bad-model-promoted")
    repairs = "none: look within the groups, close it as benign and note the campaign on the dashboards"

    class Params(FaultParams):
        languages: tuple[str, ...] = Field((), description="whose users come; none: of any language")
        regions: tuple[str, ...] = Field((), description="where they live; none: anywhere")
        extra_share: float = Field(0.5, gt=0, le=5, description="their additional visits, as a share of all usual ones")

        @field_validator("languages")
        @classmethod
        def _spoken(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            return _known(names, LANGUAGES)

        @field_validator("regions")
        @classmethod
        def _there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            return _known(names, REGIONS)

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        del patches
        everyone = (not params.languages or set(params.languages) == set(LANGUAGES)) and (
            not params.regions or set(params.regions) == set(REGIONS)
        )
        return "languages, regions: everybody comes oftener, so no share moves" if everyone else None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: (start, end), world s. call.attributes: arrivals, which can draw more."""
        arrivals, users = call.attributes["arrivals"], call.attributes["arrivals"].catalogue
        reached = np.ones(users.n_users, bool)
        for codes, names, wanted in (
            (users.user_language, LANGUAGES, self.params.languages),
            (users.user_region, REGIONS, self.params.regions),
        ):
            if wanted:
                reached &= np.isin(codes, [i for i, name in enumerate(names) if name in wanted])
        more = arrivals.more(*call.payload, self.params.extra_share, self.name, reached)
        return proceed(call).with_(more)


def _known(names: tuple[str, ...], all_names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(names) - set(all_names):
        raise ValueError(f"{sorted(unknown)} is none of {', '.join(all_names)}")
    return names
