"""Weeks of a world: its users, and between them the batch jobs of the day and of the night."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.streams import seed_of
from sandbox.pipeline import registry
from sandbox.pipeline.events import DAY_S, Source, read_source
from sandbox.pipeline.features import snapshot
from sandbox.runtime.live_features import LiveFeatures
from sandbox.virtual.weeks.arms import assigned
from sandbox.virtual.weeks.births import (
    Births,
    births,
    forget,
    index_of,
    write_world,
)
from sandbox.virtual.weeks.cohort import Batch
from sandbox.virtual.weeks.plan import Place, Plan
from sandbox.virtual.weeks.records import Record
from sandbox.virtual.weeks.retrain import train, write_covisit, write_popular
from sandbox.virtual.weeks.served import Served
from sandbox.virtual.weeks.shards import Local, Remote, Shard, Share
from sandbox.virtual.weeks.tally import Tally

HOUR_S = 3_600.0
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Outcome:
    """arms: as Tally.document has them. per_user: sums of each arm's users, by name. retrains, births:
    what became of models and catalogue. log: of everything shown, the last KEPT_S of it."""

    arms: list[dict[str, Any]]
    per_user: list[dict[str, np.ndarray]]
    retrains: list[dict[str, Any]]
    births: dict[str, Any]


def simulate(plan: Plan, place: Place, progress: Progress, *, processes: int) -> Outcome:
    """One world with all arms of the plan. processes: cohorts beside this process, 0 for none.

    place.work is written to and left as it is. Same plan, same outcome, whatever `processes` says.
    Raises MODEL-001, MODEL-002, and CFG-001, CFG-003 or MODEL-003 for settings that cannot be used.
    """
    source = read_source(place.world)
    plan.check(source.manifest)
    weeks = _Weeks(plan, place, source)
    with weeks.shards(max(processes, 1), remote=processes > 0):
        for day in range(plan.days):
            progress(f"day {day + 1} of {plan.days}", day / plan.days)
            weeks.day(day)
    return weeks.outcome()


class _Weeks:
    """The state that passes from day to day outside of the users: log, features, models, counts."""

    def __init__(self, plan: Plan, place: Place, source: Source) -> None:
        manifest = source.manifest
        self.plan, self.place = plan, place
        self.start_ts = manifest.history_end_ts
        self.births: Births = births(
            manifest.items, plan.births_share, self.start_ts, plan.days, plan.seed
        )
        self.catalogue: Catalogue = self.births.catalogue(source.catalogue)
        self.record = Record(self.births.without(source.log))
        self.users = plan.chosen(manifest.users)
        self.arm = assigned(self.users, len(plan.arms), plan.seed)
        arm_of = np.full(manifest.users, -1)
        arm_of[self.users] = self.arm
        names = tuple(arm.name for arm in plan.arms)
        self.tally = Tally(self.catalogue, arm_of, names, self.start_ts, plan.days)
        self.retrains: list[dict[str, Any]] = []
        self._shards: list[Shard] = []
        write_world(place.world, place.shadow, self.catalogue)
        self.config = self._first_models()

    @contextmanager
    def shards(self, n: int, *, remote: bool) -> Iterator[None]:
        """The users, divided into n cohorts, in processes of their own or here."""
        artefact = registry.load(
            self.place.world / "registry", "features", registry.FEATURES_VERSION
        )
        held = artefact.arrays("features.safetensors")
        self.tally.seen_before(held["stream_user_id"], held["stream_ts"])
        try:
            for i in range(n):
                share = Share(
                    self.place, self.users[i::n], self.arm[i::n], len(self.plan.arms), self.start_ts,
                    self.plan.seed, self.births.item, held["stream_user_id"], held["stream_ts"],
                    held["user_session"], held["user_seen"],
                )  # fmt: skip
                self._shards.append(Remote(share) if remote else Local(share))
            yield
        finally:
            for shard in self._shards:
                shard.close()

    def day(self, day: int) -> None:
        """The nightly jobs, then 24 hours with the batch job that carries features on."""
        begins = self.start_ts + day * DAY_S
        self._nightly(day, begins)
        served: list[Served] = []
        for hour in range(self.plan.jobs_every_h, 25, self.plan.jobs_every_h):
            until = begins + hour * HOUR_S
            served.append(Served.joined(self._all("until", until)))
            if hour < 24:  # there the nightly jobs begin with all of it
                self._carry_on(served[-1], until)
        today = Served.joined(served)
        self.record.close_day(today, begins + DAY_S)
        self.tally.close_day(day, today)

    def outcome(self) -> Outcome:
        per_user = [
            {name: values[self.tally.arm_of == arm] for name, values in self.tally.per_user.items()}
            for arm in range(len(self.plan.arms))
        ]
        n_out = int((self.births.ts <= self.start_ts + self.plan.days * DAY_S).sum())
        born = {"held_back": len(self.births.item), "published": n_out}
        return Outcome(self.tally.document(), per_user, self.retrains, born)

    # -- jobs ------------------------------------------------------------------------------------

    def _nightly(self, day: int, now: float) -> None:
        """Features anew from four weeks of log, popular items, the index over what is out by now, and,
        when they are due, models trained on the log."""
        due = self.plan.retrain_days and day and day % self.plan.retrain_days == 0
        log, seed = self.record.log, seed_of(self.plan.seed, "simulate", "jobs", day)
        if due and self.plan.models:
            self._retrain(day, now, seed)
        if day:
            write_popular(log, self.catalogue, now, self.place.registry, seed)
            self._rebuild_index(day, now)
        self._switch(lists=True)
        shot = snapshot(log, self.catalogue, now)
        everybody = np.arange(self.catalogue.n_users)
        self.live = LiveFeatures(self.catalogue, everybody, shot.profile, shot.stats, now)
        self._refresh(Batch(now, shot.profile, shot.stats))

    def _carry_on(self, served: Served, now: float) -> None:
        """The nightly features with what happened since."""
        self.live.add(self.record.events(served, now))
        self._refresh(Batch(now, self.live.profile(now), self.live.stats(now)))

    def _retrain(self, day: int, now: float, seed: int) -> None:
        trained = train(
            self.record.log, self.catalogue, now, models=self.plan.models, suffix=f"d{day}", seed=seed,
            target=self.place.registry,
        )  # fmt: skip
        write_covisit(self.record.log, self.catalogue, now, self.place.registry, seed)
        for model, version in trained.versions.items():
            setattr(self.config.model, model, version)
        self.retrains.append(
            {
                "day": day,
                "versions": trained.versions,
                "rows": trained.rows,
                "metrics": trained.metrics,
            }
        )

    def _first_models(self) -> Config:
        """Generation 1 of the world, without what is held back."""
        config, place, held = Config(), self.place, self.births.item
        for model, short in (("two_tower", "tt"), ("ranker", "rk")):
            version = getattr(config.model, model)
            forget((place.world / "registry",), model, version, f"{short}-d0", held, place.registry)
            setattr(config.model, model, f"{short}-d0")
        seed = self.plan.seed
        write_popular(self.record.log, self.catalogue, self.start_ts, place.registry, seed)
        write_covisit(self.record.log, self.catalogue, self.start_ts, place.registry, seed)
        self._index(config, "ix-d0", self.start_ts)
        return config

    def _rebuild_index(self, day: int, now: float) -> None:
        old = self.config.retrieval.index_version
        self._index(self.config, f"ix-d{day}", now)
        shutil.rmtree(self.place.registry / "index" / old)  # nobody asks for yesterday's any more

    def _index(self, config: Config, version: str, now: float) -> None:
        index_of(
            self.place.registries, config.model.two_tower, version, self.births.by(now),
            self.place.registry,
        )  # fmt: skip
        config.retrieval.index_version = version

    # -- cohorts ---------------------------------------------------------------------------------

    def _switch(self, *, lists: bool) -> None:
        self._all("switch", [arm.on(self.config) for arm in self.plan.arms], lists)

    def _refresh(self, batch: Batch) -> None:
        self._all("refresh", batch)

    def _all(self, name: str, *arguments: Any) -> Sequence[Any]:
        """One step of every cohort, side by side."""
        for shard in self._shards:
            shard.start(name, *arguments)
        return [shard.result() for shard in self._shards]
