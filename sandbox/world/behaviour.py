"""How users answer to what they are shown: examine, click, stay, like, hide, convert, leave, return.

Every draw belongs to its (user, session, request, position), so that a change for one user, or the
absence of another, moves nobody else's luck: incident and twin share their random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from sandbox.base.streams import uniforms
from sandbox.world import arrivals as _arrivals
from sandbox.world.draws import CONVERSION_WINDOW_S, contains, conversion_delay_s, normal
from sandbox.world.latent import Latent

DAY_S = 86_400.0


@dataclass(frozen=True)
class SlateResponse:
    """What n users did with n slates of k slots; padding slots (item -1) get no reaction."""

    examined: np.ndarray  # bool [n, k]
    click: np.ndarray  # bool [n, k]
    dwell_s: np.ndarray  # float32 [n, k], NaN where not clicked
    like: np.ndarray  # bool [n, k]
    hide: np.ndarray  # bool [n, k]
    conversion_delay_s: np.ndarray  # float64 [n, k], world seconds after the click, NaN where none
    revenue: np.ndarray  # float32 [n, k], 0 where none
    leave: np.ndarray  # bool [n], this was the session's last request
    satisfaction: np.ndarray  # float32 [n], 0..1, afterwards


class Behaviour:
    """The users of one world. Users and items are ids; -1 pads a slate."""

    def __init__(self, latent: Latent) -> None:
        self.latent, self.weights = latent, latent.weights
        self._intent_cdf = np.cumsum(latent.user_intent, axis=1, dtype=np.float64)
        # What does not depend on the user, summed once for all items.
        w = latent.weights
        self._item_pull = (
            w.b0
            + latent.item_appeal
            + w.click_quality * latent.item_quality
            + w.click_bait * latent.item_clickbait
        ).astype(np.float32)
        self._item_worth = (
            w.value_b0
            + w.value_quality * latent.item_quality
            + w.value_bait * latent.item_clickbait
        ).astype(np.float32)

    @classmethod
    def load(cls, world_dir: Path) -> Behaviour:
        """Raises WORLD-003 when the ground truth is missing or damaged."""
        return cls(Latent.load(world_dir))

    @property
    def n_users(self) -> int:
        return self.latent.n_users

    @property
    def n_items(self) -> int:
        return self.latent.n_items

    # -- what users think of items ---------------------------------------------------------------

    def intent(self, user: np.ndarray, session: np.ndarray) -> np.ndarray:
        """int64 [n]: the topic that each session is about."""
        luck = uniforms(self.latent.seed, "intent", user, session)
        past = (self._intent_cdf[user] < luck[:, None]).sum(axis=1)
        return np.asarray(np.minimum(past, self._intent_cdf.shape[1] - 1))

    def affinity(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [n, k], logits: taste of user [n] for item [n, k]."""
        truth = self.latent
        taste = np.take(truth.item_taste, item, axis=0)  # twice as fast as indexing
        return np.asarray(np.einsum("nd,nkd->nk", truth.user_taste[user], taste))

    def attraction(
        self, user: np.ndarray, item: np.ndarray, session: np.ndarray | None = None
    ) -> np.ndarray:
        """float32 [n, k], logits. session int64 [n]: with its intent; None: without any intent."""
        truth, w = self.latent, self.weights
        pull = self.affinity(user, item) + self._item_pull[item] + truth.user_bias[user][:, None]
        if session is not None:
            pull += w.intent_gain * truth.item_topics[item, self.intent(user, session)[:, None]]
        return np.asarray(pull)

    def attraction_to_all(self, user: np.ndarray, session: np.ndarray | None = None) -> np.ndarray:
        """float32 [n, items], logits: `attraction` to every item, without gathering any."""
        truth, w = self.latent, self.weights
        pull = truth.user_taste[user] @ truth.item_taste.T + self._item_pull
        pull += truth.user_bias[user][:, None]
        if session is not None:
            pull += w.intent_gain * truth.item_topics.T[self.intent(user, session)]
        return np.asarray(pull)

    def value_to_all(self, user: np.ndarray) -> np.ndarray:
        """float32 [n, items], logits: `value` of every item."""
        truth = self.latent
        taste = truth.user_taste[user] @ truth.item_taste.T
        return np.asarray(self.weights.value_taste * taste + self._item_worth)

    def value(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [n, k], logits: what the user gets from item, clicked or not."""
        return np.asarray(
            self.weights.value_taste * self.affinity(user, item) + self._item_worth[item]
        )

    def click_probability(
        self, user: np.ndarray, item: np.ndarray, session: np.ndarray | None = None
    ) -> np.ndarray:
        """float32 [n, k]: true probability of a click on an examined slot. For graders and checks."""
        p: np.ndarray = expit(self.attraction(user, item, session))
        return p

    def examination(self, user: np.ndarray, k: int) -> np.ndarray:
        """float64 [n, k]: probability that user looks at each position, if nothing stops them."""
        eta = self.weights.examine_eta * (1.5 - self.latent.user_patience[user].astype(np.float64))
        p: np.ndarray = np.exp(-eta[:, None] * np.log(np.arange(1.0, k + 1.0)))
        return p

    # -- what users do ---------------------------------------------------------------------------

    def respond(
        self,
        *,
        user: np.ndarray,
        session: np.ndarray,
        request_no: np.ndarray,
        item: np.ndarray,
        latency_ms: np.ndarray,
        satisfaction: np.ndarray,
        recent_clicked: np.ndarray | None = None,
        recent_shown: np.ndarray | None = None,
    ) -> SlateResponse:
        """Reactions to one slate each.

        user, session, request_no (from 1 within the session): int64 [n]. item: int64 [n, k], -1 pads.
        latency_ms: float [n], wall time the user waited. satisfaction: float [n], 0..1, before.
        recent_clicked, recent_shown: int64 [n, r], items of this session (any r, -1 pads).
        """
        w, truth, seed = self.weights, self.latent, self.latent.seed
        k = item.shape[1]
        place = (user[:, None], session[:, None], request_no[:, None], np.arange(k)[None, :])
        real = item >= 0
        safe = np.where(real, item, 0)

        affinity = self.affinity(user, safe)
        pull = affinity + self._item_pull[safe] + truth.user_bias[user][:, None]
        pull += w.intent_gain * truth.item_topics[safe, self.intent(user, session)[:, None]]
        pull += w.repeat_clicked * contains(recent_clicked, item)
        pull += w.repeat_shown * contains(recent_shown, item)
        worth = w.value_taste * affinity + self._item_worth[safe]
        good = expit(worth)

        looks = real & (uniforms(seed, "examine", *place) < self.examination(user, k))
        wants = looks & (uniforms(seed, "click", *place) < expit(pull))
        stops = wants & (uniforms(seed, "stop", *place) < w.stop_share * good)
        # The first stop ends the reading; later ones never happen, so no order of draws matters.
        reached = (np.cumsum(stops, axis=1) - stops) == 0
        looks &= reached
        click = wants & reached
        dislike = expit(w.hide_b0 - worth)
        hide = looks & ~click & (uniforms(seed, "hide", *place) < dislike)

        dwell_s, like, delay_s, revenue = self._after_click(
            user, session, request_no, safe, click, worth
        )
        mood = self._mood(satisfaction, click, hide, good)
        leave = uniforms(seed, "leave", user, session, request_no) < self.leave_probability(
            user, mood, latency_ms, np.asarray(~real.any(axis=1))
        )
        return SlateResponse(
            looks, click, dwell_s, like, hide, delay_s, revenue, leave, mood.astype(np.float32)
        )

    def _after_click(
        self,
        user: np.ndarray,
        session: np.ndarray,
        request_no: np.ndarray,
        item: np.ndarray,
        click: np.ndarray,
        worth: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        w, truth, seed = self.weights, self.latent, self.latent.seed
        dwell_s = np.full(click.shape, np.nan, dtype=np.float32)
        like = np.zeros(click.shape, dtype=bool)
        delay_s = np.full(click.shape, np.nan)
        revenue = np.zeros(click.shape, dtype=np.float32)
        row, column = np.nonzero(click)
        if not len(row):
            return dwell_s, like, delay_s, revenue
        place = (user[row], session[row], request_no[row], column)
        which, value = item[row, column], worth[row, column].astype(np.float64)

        length_s = truth.item_duration_s[which].astype(np.float64)
        noise = w.dwell_sigma * normal(uniforms(seed, "dwell", *place))
        log_s = w.dwell_value * value + w.dwell_duration * np.log(length_s) + w.dwell_const + noise
        dwell_s[row, column] = np.minimum(length_s, np.exp(log_s))
        like[row, column] = uniforms(seed, "like", *place) < expit(w.like_b0 + value)

        converts = uniforms(seed, "convert", *place) < expit(w.convert_b0 + value)
        waited_s = conversion_delay_s(
            uniforms(seed, "delay-part", *place), uniforms(seed, "delay", *place)
        )
        converts &= waited_s <= CONVERSION_WINDOW_S
        delay_s[row, column] = np.where(converts, waited_s, np.nan)
        revenue[row, column] = np.where(converts, truth.item_price[which], 0)
        return dwell_s, like, delay_s, revenue

    def _mood(
        self, before: np.ndarray, click: np.ndarray, hide: np.ndarray, worth: np.ndarray
    ) -> np.ndarray:
        """float64 [n]: satisfaction after the slate; each click pulls it towards what the click gave."""
        w = self.weights
        later = click.sum(axis=1, keepdims=True) - np.cumsum(click, axis=1)
        gained = ((1 - w.memory_click) * w.memory_click**later * worth * click).sum(axis=1)
        clicked = before * w.memory_click ** click.sum(axis=1) + gained
        idle = before * w.memory_idle + (1 - w.memory_idle) * w.idle_level
        mood = np.where(click.any(axis=1), clicked, idle) - 0.02 * hide.sum(axis=1)
        return np.asarray(np.clip(mood, 0.0, 1.0))

    def leave_probability(
        self, user: np.ndarray, satisfaction: np.ndarray, latency_ms: np.ndarray, empty: np.ndarray
    ) -> np.ndarray:
        """float64 [n]: that this request was the session's last. empty: bool [n], nothing was shown."""
        w = self.weights
        slow = np.maximum(0.0, np.asarray(latency_ms, dtype=np.float64) - w.latency_free_ms)
        pull = (
            w.leave_b0
            + w.leave_patience * (self.latent.user_patience[user] - 0.5)
            + w.leave_satisfaction * (np.asarray(satisfaction) - 0.5)
            + w.leave_latency * np.log1p(slow / w.latency_scale_ms)
            + w.leave_empty * empty
        )
        p: np.ndarray = expit(pull)
        return p

    # -- when users come -------------------------------------------------------------------------

    def session_rate(self, user: np.ndarray) -> np.ndarray:
        """float64 [n]: sessions per world second at satisfaction .5."""
        return np.asarray(self.latent.user_rate[user].astype(np.float64) / DAY_S)

    def satisfaction_at_start(self, user: np.ndarray) -> np.ndarray:
        """float64 [n], 0..1: satisfaction when the history ends and live time begins."""
        return np.asarray(self.latent.user_satisfaction[user].astype(np.float64))

    def return_factor(self, satisfaction: np.ndarray) -> np.ndarray:
        """float64 [n]: session rate at this satisfaction over the rate at satisfaction .5."""
        factor: np.ndarray = np.exp(
            self.weights.return_gain * (np.asarray(satisfaction, dtype=np.float64) - 0.5)
        )
        return factor

    def return_gap_s(
        self, user: np.ndarray, session: np.ndarray, satisfaction: np.ndarray
    ) -> np.ndarray:
        """float64 [n]: world seconds until the user's next session, after this one."""
        rate = self.session_rate(user) * self.return_factor(satisfaction)
        gap: np.ndarray = -np.log1p(-uniforms(self.latent.seed, "return", user, session)) / rate
        return gap

    def think_s(self, user: np.ndarray, session: np.ndarray, request_no: np.ndarray) -> np.ndarray:
        """float64 [n]: world seconds between this request of the session and the next."""
        luck = uniforms(self.latent.seed, "think", user, session, request_no)
        gap: np.ndarray = np.exp(
            self.weights.think_mean_log + self.weights.think_sigma * normal(luck)
        )
        return gap

    def diurnal(self, ts: np.ndarray, user: np.ndarray) -> np.ndarray:
        """float64: how busy user's local hour at world time ts is; mean 1 over a day. Shapes broadcast."""
        return _arrivals.diurnal(self.latent, np.asarray(ts), np.asarray(user))

    def arrivals(
        self, start_ts: float, end_ts: float, rate_per_s: float, seed: int, *, shaped: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sessions that begin in [start_ts, end_ts): (ts float64 [m], user int64 [m], session int64 [m]).

        In order of time. rate_per_s: sessions of all users together per world second. shaped: the total
        follows the hours of the day (its mean over a day is then rate_per_s); else only who comes does.
        Windows may be asked for in any pieces: the same sessions come out, with the same ids.
        """
        return _arrivals.arrivals(self.latent, start_ts, end_ts, rate_per_s, seed, shaped=shaped)
