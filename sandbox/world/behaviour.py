"""How users answer to what they are shown: examine, click, stay, like, hide, convert, leave, return.

Every draw belongs to its (user, session, request, position), so that a change for one user, or the
absence of another, moves nobody else's luck: incident and twin share their random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from sandbox.base.clock import DAY_S
from sandbox.base.streams import uniforms
from sandbox.world import arrivals as _arrivals
from sandbox.world.draws import CONVERSION_WINDOW_S, Luck, contains, conversion_delay_s, normal
from sandbox.world.latent import Latent

_PAIRS = 4_096  # users' tastes set beside items' at a time: 1.3 MB, which stay in the cache


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

    def of(self, rows: Sequence[int]) -> SlateResponse:
        """These rows alone."""
        return SlateResponse(**{name: getattr(self, name)[rows] for name in SlateResponse.__dataclass_fields__})


class Behaviour:
    """The users of one world. Users and items are ids; -1 pads a slate."""

    def __init__(self, latent: Latent) -> None:
        self.latent, self.weights = latent, latent.weights
        self._intent_cdf = np.cumsum(latent.user_intent, axis=1, dtype=np.float64)
        self._intent_cdf[:, -1] = np.inf  # whatever the rounding of the sum
        # What does not depend on the user, summed once for all items.
        w = latent.weights
        self._item_pull = (
            w.b0 + latent.item_appeal + w.click_quality * latent.item_quality + w.click_bait * latent.item_clickbait
        ).astype(np.float32)
        self._item_worth = (
            w.value_b0 + w.value_quality * latent.item_quality + w.value_bait * latent.item_clickbait
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
        return self._topic(user, uniforms(self.latent.seed, "intent", user, session))

    def affinity(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [n, k], logits: taste of user [n] for item [n, k]."""
        flat = self._affinity(np.repeat(user, item.shape[1]), item.reshape(-1))
        return flat.reshape(item.shape)

    def attraction(self, user: np.ndarray, item: np.ndarray, session: np.ndarray | None = None) -> np.ndarray:
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
        return np.asarray(self.weights.value_taste * self.affinity(user, item) + self._item_worth[item])

    def click_probability(self, user: np.ndarray, item: np.ndarray, session: np.ndarray | None = None) -> np.ndarray:
        """float32 [n, k]: true probability of a click on an examined slot. For graders and checks."""
        return np.asarray(expit(self.attraction(user, item, session)))

    def examination(self, user: np.ndarray, k: int) -> np.ndarray:
        """float64 [n, k]: probability that user looks at each position, if nothing stops them."""
        eta = self.weights.examine_eta * (1.5 - self.latent.user_patience[user].astype(np.float64))
        return np.asarray(np.exp(-eta[:, None] * np.log(np.arange(1.0, k + 1.0))))

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
        w, truth, (n, k) = self.weights, self.latent, item.shape
        luck = Luck(truth.seed, user, session, request_no, k)
        real = item >= 0
        examined = real & (luck.to_examine < self.examination(user, k))

        # Most slots are not looked at, and few that are get clicked: flat arrays of those alone.
        at = np.flatnonzero(examined)
        row, column = np.divmod(at, k)
        who, what = user[row], item.take(at)
        affinity = self._affinity(who, what)
        topic = self._topic(user, luck.intent)[row]
        pull = affinity + self._item_pull[what] + truth.user_bias[who]
        pull += w.intent_gain * truth.item_topics[what, topic]
        pull += w.repeat_clicked * contains(recent_clicked, row, what)
        pull += w.repeat_shown * contains(recent_shown, row, what)
        worth = w.value_taste * affinity + self._item_worth[what]
        good = expit(worth)

        to_click, to_stop, to_hide = luck.of_examined(row, column)
        wants = to_click < expit(pull)
        stops = wants & (to_stop < w.stop_share * good)
        # The first stop ends the reading; later ones never happen, so no order of draws matters.
        end = np.full(n, k)
        np.minimum.at(end, row[stops], column[stops])
        reached = column <= end[row]
        clicked = np.flatnonzero(wants & reached)
        hidden = reached & ~wants & (to_hide < expit(w.hide_b0 - worth))

        click, hide = np.zeros((n, k), bool), np.zeros((n, k), bool)
        examined.put(at, reached)
        hide.put(at, hidden)
        place = row[clicked], column[clicked]
        click[place] = True
        dwell_s, like, delay_s, revenue = self._after_click(luck, place, what[clicked], worth[clicked], (n, k))
        mood = self._mood(satisfaction, place, good[clicked], k)
        mood -= 0.02 * np.bincount(row[hidden], minlength=n)
        mood = np.minimum(np.maximum(mood, 0.0), 1.0)
        empty = np.asarray(~real.any(axis=1))
        leave = luck.leave < self.leave_probability(user, mood, latency_ms, empty)
        return SlateResponse(examined, click, dwell_s, like, hide, delay_s, revenue, leave, mood.astype(np.float32))

    def _topic(self, user: np.ndarray, luck: np.ndarray) -> np.ndarray:
        return np.asarray((self._intent_cdf.take(user, axis=0) >= luck[:, None]).argmax(axis=1))

    def _affinity(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [m], logits: of pairs, each of them alone: the same numbers in any company."""
        truth, out = self.latent, np.empty(len(user), np.float32)
        for begin in range(0, len(user), _PAIRS):
            at = slice(begin, begin + _PAIRS)
            of_user = truth.user_taste.take(user[at], axis=0)  # twice as fast as indexing
            np.einsum("md,md->m", of_user, truth.item_taste.take(item[at], axis=0), out=out[at])
        return out

    def _after_click(
        self, luck: Luck, place: tuple[np.ndarray, np.ndarray], item: np.ndarray, worth: np.ndarray,
        shape: tuple[int, int],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """dwell_s, like, delay_s and revenue as of a SlateResponse. place: rows and columns of the clicks;
        item, worth: of each of them."""
        w, truth = self.weights, self.latent
        dwell_s, revenue = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
        like, delay_s = np.zeros(shape, bool), np.full(shape, np.nan)
        if not len(item):
            return dwell_s, like, delay_s, revenue
        to_dwell, to_like, to_convert, part, luck_of_delay = luck.of_clicked(*place)
        value = worth.astype(np.float64)

        length_s = truth.item_duration_s[item].astype(np.float64)
        noise = w.dwell_sigma * normal(to_dwell)
        log_s = w.dwell_value * value + w.dwell_duration * np.log(length_s) + w.dwell_const + noise
        dwell_s[place] = np.minimum(length_s, np.exp(log_s))
        like[place] = to_like < expit(w.like_b0 + value)

        waited_s = conversion_delay_s(part, luck_of_delay)
        converts = (to_convert < expit(w.convert_b0 + value)) & (waited_s <= CONVERSION_WINDOW_S)
        delay_s[place] = np.where(converts, waited_s, np.nan)
        revenue[place] = np.where(converts, truth.item_price[item], 0)
        return dwell_s, like, delay_s, revenue

    def _mood(self, before: np.ndarray, place: tuple[np.ndarray, np.ndarray], worth: np.ndarray, k: int) -> np.ndarray:
        """float64 [n]: satisfaction after the clicks of slates; each click pulls it towards what it gave.
        place: rows and columns of the clicks, in order; worth: float32, 0..1, of each of them."""
        w, row, n = self.weights, place[0], len(before)
        n_clicks = np.bincount(row, minlength=n)
        later = np.cumsum(n_clicks)[row] - np.arange(1, len(row) + 1)  # clicks of the slate
        gained = np.zeros((n, k))
        gained[place] = (1 - w.memory_click) * w.memory_click**later * worth
        clicked = before * w.memory_click**n_clicks + gained.sum(axis=1)
        idle = before * w.memory_idle + (1 - w.memory_idle) * w.idle_level
        return np.where(n_clicks > 0, clicked, idle)

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
        return np.asarray(expit(pull))

    # -- when users come -------------------------------------------------------------------------

    def session_rate(self, user: np.ndarray) -> np.ndarray:
        """float64 [n]: sessions per world second at satisfaction .5."""
        return np.asarray(self.latent.user_rate[user].astype(np.float64) / DAY_S)

    def satisfaction_at_start(self, user: np.ndarray) -> np.ndarray:
        """float64 [n], 0..1: satisfaction when the history ends and live time begins."""
        return np.asarray(self.latent.user_satisfaction[user].astype(np.float64))

    def return_factor(self, satisfaction: np.ndarray) -> np.ndarray:
        """float64 [n]: session rate at this satisfaction over the rate at satisfaction .5."""
        above = np.asarray(satisfaction, dtype=np.float64) - 0.5
        return np.asarray(np.exp(self.weights.return_gain * above))

    def return_gap_s(self, user: np.ndarray, session: np.ndarray, satisfaction: np.ndarray) -> np.ndarray:
        """float64 [n]: world seconds until the user's next session, after this one."""
        rate = self.session_rate(user) * self.return_factor(satisfaction)
        luck = uniforms(self.latent.seed, "return", user, session)
        return np.asarray(-np.log1p(-luck) / rate)

    def think_s(self, user: np.ndarray, session: np.ndarray, request_no: np.ndarray) -> np.ndarray:
        """float64 [n]: world seconds between this request of the session and the next."""
        luck = uniforms(self.latent.seed, "think", user, session, request_no)
        w = self.weights
        return np.asarray(np.exp(w.think_mean_log + w.think_sigma * normal(luck)))

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
