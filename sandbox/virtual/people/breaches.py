"""Breaches of policy: what was shown to somebody whom the policy keeps from it. The measure, and its definition.

The policy is what the rules that ship with the services refuse, in so far as the company forbids it and no
taste is in it: `RULES`, with the sensitivity list that ships. An item that was shown is a breach exactly
where one of them, with every label up to date, would have dropped it. So a healthy stack shows none, and
what its rules drop as against policy would each have been one. What a user has seen or blocked, and how many
items of one creator stand in a slate, is no matter of policy.

Whoever has not consented to personalisation is to be answered by what is known of nobody: each item of a slate that was
made otherwise is a breach too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sandbox.base.catalogue import AGE_BANDS, Catalogue
from sandbox.base.config import RulesConfig
from services.rules import document
from services.rules.policy import ADULT_YEARS, AGE_YEARS, Policy

RULES = ("region_rights", "maturity", "sensitivity")


class Breaches:
    """By the rules and the list that ship, whatever is in force, and by what an item really is: a list whose
    labels come late excuses nothing."""

    def __init__(self, catalogue: Catalogue, withdrawn_ts: np.ndarray | None = None) -> None:
        """withdrawn_ts: float64 [users], world seconds from which a user's consent is taken back, inf for never; it may
        change while the run goes on. None: nobody takes theirs back."""
        self._withdrawn_ts = np.full(catalogue.n_users, np.inf) if withdrawn_ts is None else withdrawn_ts
        policy = _shipped(catalogue)
        users = range(catalogue.n_users)
        self._catalogue, self._sensitive = catalogue, policy.sensitive
        self._minor = np.fromiter(map(policy.is_minor, users), np.int64, catalogue.n_users)
        self._years = np.fromiter(map(policy.age_years, users), np.int64, catalogue.n_users)

    def of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """bool [n, k]: this item must not be shown to this user. user: int64 [n]; item: int64 [n, k].

        Users ask from their home region. An unknown age counts as the rules count it: as a minor's.
        """
        catalogue = self._catalogue
        label = self._sensitive[self._minor[user][:, None], item]
        age = catalogue.item_maturity[item] > self._years[user][:, None]
        region = catalogue.user_region[user].astype(np.uint16)[:, None]
        rights = (catalogue.item_regions[item] >> region) & 1 == 0
        out: np.ndarray = label | age | rights
        return out

    def unasked(self, user: np.ndarray, ts: np.ndarray, personalised: np.ndarray) -> np.ndarray:
        """bool [n]: answered by what is known of somebody who does not consent. user: int64 [n]; ts: float64 [n], world
        seconds at which they asked; personalised: bool [n], how they were answered."""
        may = self._catalogue.user_personalised[user] & (ts < self._withdrawn_ts[user])
        out: np.ndarray = personalised & ~may
        return out


def against_policy(item: str = "items", user: str = "users") -> str:
    """The same as a condition in SQL, for who has only the lake. item, user: names of those tables' rows."""
    rules, listed = document.checked(document.load()), RulesConfig().sensitivity
    params = {rule.id: rule.params for rule in rules}
    assert not listed.by_language, "the list that ships has one threshold"
    assert not listed.by_topic, "the list that ships has one threshold"
    youngest = {AGE_BANDS[0]: int(params["maturity"]["unknown_age_years"])}
    years = youngest | dict(zip(AGE_BANDS[1:], AGE_YEARS[1:], strict=True))
    minors = [band for band, least in zip(AGE_BANDS, AGE_YEARS, strict=True) if least < ADULT_YEARS]
    limit = np.float32(listed.threshold)
    for_minors = float(limit * params["sensitivity"]["minor_factor"])
    whens = " ".join(f"WHEN '{band}' THEN {least}" for band, least in years.items())
    return f"""(
  NOT list_contains(string_split({item}.regions, ','), {user}.home_region)
  OR {item}.age_rating > CASE {user}.age_band {whens} END
  OR {item}.sens_score >= {float(limit)!r} OR {item}.sensitivity IN ({_quoted(listed.blocked_labels)})
  OR ({user}.age_band IN ({_quoted(minors)}) AND ({item}.sens_score >= {for_minors!r}
      OR {item}.sensitivity IN ({_quoted(params["sensitivity"]["minor_labels"])}))))"""


# The other part in SQL, one row a request: answered by what is known of somebody whose latest word was no.
UNASKED = """
SELECT r.request_id, r.user_id, r.ts, c.jurisdiction, c.signal, c.effective_ts AS denied_ts
FROM requests r ASOF JOIN (
  SELECT * FROM consent_ledger WHERE purpose = 'personalisation' -- of a yes and a no of one moment, the no
  QUALIFY row_number() OVER (PARTITION BY user_id, effective_ts ORDER BY state <> 'denied') = 1) c
  ON c.user_id = r.user_id AND c.effective_ts <= r.ts
WHERE c.state = 'denied'
  AND (coalesce(r.encoder_version, '') <> '' OR r.feature_age_s IS NOT NULL OR r.session_age_s IS NOT NULL)"""


def _shipped(catalogue: Catalogue) -> Policy:
    return Policy(
        document.checked(document.load()), RulesConfig().sensitivity, catalogue,
        topic_names=(), explore_share=0.0, seed=0,
    )  # fmt: skip


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
