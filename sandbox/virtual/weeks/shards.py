"""A cohort with the content it is answered from: one of the parts that a simulation is divided into.

How users are divided changes nothing but the time it takes: what a cohort does depends on its users
alone, and what came of it is put together in order of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.memory import give_back
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.loaded import Sources
from sandbox.virtual.weeks.cohort import Batch, Cohort
from sandbox.virtual.weeks.plan import SLATE, Place
from sandbox.virtual.weeks.served import Served
from sandbox.world.behaviour import Behaviour


@dataclass(frozen=True)
class Share:
    """What one shard is made from. forgotten: items held back, whose traces in the users' rows are left
    out. session, seen: rows of the streamed views of `stream_user`, as of `stream_ts`."""

    place: Place
    user: np.ndarray
    arm: np.ndarray
    start_ts: float
    seed: int
    forgotten: np.ndarray
    stream_user: np.ndarray
    stream_ts: np.ndarray
    session: np.ndarray
    seen: np.ndarray


def divided(arm: np.ndarray, n_arms: int, n: int) -> list[np.ndarray]:
    """Positions of the users of each of n shards. arm: int64 [users].

    As few arms to a shard as leave all shards alike: requests of one arm are answered together, and the
    more there are the less each of them costs.
    """
    groups = math.gcd(n_arms, n)
    apart = [np.flatnonzero(arm % groups == group) for group in range(groups)]
    each = n // groups
    return [members[i::each] for members in apart for i in range(each)]


class Shard:
    """Users, and a content for each of their arms."""

    def __init__(self, share: Share) -> None:
        catalogue = Catalogue.load(share.place.shadow / "public" / "catalogue.npz")
        self.place = share.place
        self.cohort = Cohort(
            Behaviour.load(share.place.world), catalogue, share.user, share.arm, share.start_ts, share.seed, SLATE
        )
        self.contents = {
            arm: Content(share.place.shadow, share.place.registries, share.seed)
            for arm in np.unique(share.arm).tolist()
        }
        self.cohort.answers = self.contents
        mine, at, here = np.intersect1d(share.user, share.stream_user, return_indices=True)
        known = catalogue.user_personalised[mine]
        at, here = at[known], here[known]
        self.cohort.rows.restore(at, share.session[here], share.stream_ts[here], share.seen[here], share.forgotten)

    def until(self, ts: float) -> Served:
        """What is asked for before ts, with what came of it."""
        return self.cohort.until(ts)

    def refresh(self, batch: Batch) -> None:
        """Batch features from now on."""
        self.cohort.batch = batch

    def switch(self, configs: Sequence[Config]) -> None:
        """Configurations by arm, and popular items and co-visitation as the registry has them now."""
        sources = Sources.of(self.place.registries)
        for arm, content in self.contents.items():
            content.configure(configs[arm])
            content.restock(sources)
        give_back()  # what models and lists took that are no longer asked
