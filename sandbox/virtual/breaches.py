"""What must not be shown to whom, by the company's policy as it is meant: the measure of breaches.

It looks at what an item really is (its public label, once that is written) and not at what the rules
knew when they let it through.
"""

from __future__ import annotations

import numpy as np

from sandbox.base.catalogue import SENSITIVITIES, Catalogue
from sandbox.base.config import RulesConfig
from services.rules import document
from services.rules.policy import ADULT_YEARS, AGE_YEARS


class Breaches:
    """By the rules and the sensitivity list that ship with the services, whatever is in force."""

    def __init__(self, catalogue: Catalogue) -> None:
        rules = {rule.id: rule for rule in document.checked(document.load())}
        blocked = list(RulesConfig().sensitivity.blocked_labels)
        minors = list(rules["sensitivity"].params.get("minor_labels", []))
        label = catalogue.item_sensitivity
        self._banned = np.isin(label, [SENSITIVITIES.index(name) for name in blocked])
        self._banned_minors = self._banned | np.isin(
            label, [SENSITIVITIES.index(name) for name in minors]
        )
        years = np.array(AGE_YEARS)[catalogue.user_age_band]
        self._minor = years < ADULT_YEARS  # an unknown age counts as a minor's
        unknown = int(rules["maturity"].params["unknown_age_years"])
        self._years = np.where(catalogue.user_age_band == 0, unknown, years)
        self._catalogue = catalogue

    def of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """bool [n, k]: this item must not be shown to this user. user: int64 [n]; item: int64 [n, k]."""
        catalogue = self._catalogue
        label = np.where(self._minor[user][:, None], self._banned_minors[item], self._banned[item])
        age = catalogue.item_maturity[item] > self._years[user][:, None]
        region = catalogue.user_region[user].astype(np.uint16)[:, None]
        rights = (catalogue.item_regions[item] >> region) & 1 == 0
        out: np.ndarray = label | age | rights
        return out
