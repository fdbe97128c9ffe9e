"""The rules in force, compiled against the catalogue so that a request only looks up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import LANGUAGES, SENSITIVITIES, Catalogue
from sandbox.base.config import SensitivityList
from sandbox.base.errors import SandboxError
from services.rules.document import HARD, Checked
from services.rules.selection import Terms

ADULT_YEARS = 18
AGE_YEARS = (0, 13, 18, 25, 35, 45, 55)  # least age of each of catalogue.AGE_BANDS


class Policy:
    """rules: as checked by services.rules.document. topic_names: of the world's topic slots. explore_share:
    probability of a random slot, 0..1. seed: of the run, keys those slots.

    sensitive: bool [2, items], refused by the sensitivity rule for adults, and for minors, as soon as
    its label is known. band_years: the least age of each of catalogue.AGE_BANDS, of the unknown as the rules count it. Raises CFG-003 when the sensitivity list names an unknown language, topic or label.
    """

    def __init__(
        self, rules: Sequence[Checked], sensitivity: SensitivityList, catalogue: Catalogue, *,
        topic_names: Sequence[str], explore_share: float, seed: int,
    ) -> None:  # fmt: skip
        self.catalogue, self.seed = catalogue, seed
        self.rules = {rule.id: rule for rule in rules if rule.enabled}
        self.hard = [rule for rule in rules if rule.enabled and rule.id in HARD]
        self.published_ts = np.nan_to_num(catalogue.item_published_ts)
        norm = np.linalg.norm(catalogue.item_topics, axis=1, keepdims=True)
        self.topics = np.ascontiguousarray(catalogue.item_topics / np.maximum(norm, 1e-9))
        self.sensitive = _sensitive(sensitivity, catalogue, topic_names, self.params("sensitivity") or {})
        self.label_delay_s = sensitivity.label_delay_s
        self.band_years = (self._unknown_years(), *AGE_YEARS[1:])
        self.terms = Terms(
            float((self.params("diversity") or {"relevance_weight": 1.0})["relevance_weight"]),
            int((self.params("creator_cap") or {"max_per_slate": 1 << 30})["max_per_slate"]),
            explore_share if "exploration" in self.rules else 0.0,
        )

    def refused_as_sensitive(self, user: int, item: NDArray[np.int64], now: float) -> NDArray[np.bool_]:
        """bool [n], by the sensitivity rule. item: int64 [n], of the catalogue. now: world seconds; an
        item without a label yet counts as safe."""
        refused: NDArray[np.bool_] = self.sensitive[int(self.is_minor(user))][item]
        if self.label_delay_s:
            refused = refused & (self.published_ts[item] + self.label_delay_s <= now)
        return refused

    def params(self, rule: str) -> dict[str, Any] | None:
        """None when the rule is off."""
        return self.rules[rule].params if rule in self.rules else None

    def age_years(self, user: int) -> int:
        """The least age the user may have."""
        band = int(self.catalogue.user_age_band[user]) if 0 <= user < self.catalogue.n_users else 0
        return self.band_years[band]

    def _unknown_years(self) -> int:
        """What an unknown age counts as: a minor's, unless the maturity rule's parameter says otherwise."""
        maturity = self.params("maturity")
        return int(maturity["unknown_age_years"]) if maturity else AGE_YEARS[0]

    def is_minor(self, user: int) -> bool:
        return self.age_years(user) < ADULT_YEARS


def _sensitive(
    listed: SensitivityList, catalogue: Catalogue, topic_names: Sequence[str], params: dict[str, Any]
) -> NDArray[np.bool_]:
    """bool [2, items]: refused for adults, and for minors. A language's threshold
    replaces the general one, a topic's counts where it is lower. Raises CFG-003 for unknown names."""
    limit = np.full(catalogue.n_items, listed.threshold, np.float32)
    for language, threshold in listed.by_language.items():
        limit[catalogue.item_language == _code(language, LANGUAGES, "language")] = threshold
    main = np.where(catalogue.item_topics.any(axis=1), catalogue.item_topics.argmax(axis=1), -1)
    for topic, threshold in listed.by_topic.items():
        here = main == _code(topic, topic_names, "topic")
        limit[here] = np.minimum(limit[here], threshold)
    banned = [_code(label, SENSITIVITIES, "label") for label in listed.blocked_labels]
    banned_minors = [_code(label, SENSITIVITIES, "label") for label in params.get("minor_labels", [])]
    score, label = catalogue.item_sens_score, catalogue.item_sensitivity
    adults = (score >= limit) | np.isin(label, banned)
    minors = (score >= limit * params.get("minor_factor", 1.0)) | np.isin(label, banned_minors)
    return np.stack([adults, adults | minors])


def _code(name: str, names: Sequence[str], kind: str) -> int:
    if name not in names:
        raise SandboxError(
            "CFG-003",
            where=f"sensitivity list, {kind}",
            seen=name,
            expected=f"one of {list(names)}",
            fix="correct the list",
        )
    return list(names).index(name)
