"""Weeks of a world: its users, and between them the batch jobs of the day and of the night."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.config import Config
from sandbox.base.memory import give_back
from sandbox.base.streams import seed_of
from sandbox.base.worlds import WorldManifest
from sandbox.pipeline.events import read_manifest
from sandbox.pipeline.features import Snapshot, snapshot
from sandbox.pipeline.live_features import LiveFeatures
from sandbox.virtual.weeks.arms import assigned
from sandbox.virtual.weeks.births import births, forget, index_of, write_world
from sandbox.virtual.weeks.cohort import Batch
from sandbox.virtual.weeks.history import History
from sandbox.virtual.weeks.plan import Place, Plan
from sandbox.virtual.weeks.records import Events, Record
from sandbox.virtual.weeks.retrain import WEEKLY, train, warm_up, write_covisit, write_popular
from sandbox.virtual.weeks.served import Served
from sandbox.virtual.weeks.shards import Shard, Share, divided
from sandbox.virtual.weeks.shown import SHOWN, ShownWriter
from sandbox.virtual.weeks.tally import Tally
from sandbox.virtual.weeks.workers import Apart, Here, Worker, all_of

HOUR_S = 3_600.0


@dataclass(frozen=True)
class Outcome:
    """arms: as Tally.document has them. per_user: sums of each arm's users, by name. retrains, births:
    what became of models and catalogue."""

    arms: list[dict[str, Any]]
    per_user: list[dict[str, np.ndarray]]
    retrains: list[dict[str, Any]]
    births: dict[str, Any]


class Weeks:
    """The state that passes from day to day outside of the users: log, features, models, counts."""

    def __init__(self, plan: Plan, place: Place, manifest: WorldManifest, processes: int) -> None:
        self.plan, self.place = plan, place
        self.retrains: list[dict[str, Any]] = []
        self._shards: list[Worker] = []
        self._shown: ShownWriter | None = None
        self._nights: dict[float, Snapshot] = {}  # as far back as models are trained
        self.start_ts = manifest.history_end_ts
        self.births = births(manifest.items, plan.births_share, self.start_ts, plan.days, plan.seed)
        # Where there may be one, in a process of its own: joining the log takes a gigabyte that would stay
        # with this one to the end.
        reader = Apart(History, place.world) if processes else Here(History, place.world)
        try:
            reader.start("without", self.births.item)
            self._set_up(manifest, processes)
            self.record = Record(reader.result())
            self.config = self._first_models()
        except BaseException:
            self.close()
            raise
        finally:
            reader.close()

    def _set_up(self, manifest: WorldManifest, processes: int) -> None:
        """What can be made ready while the log is read."""
        plan, place = self.plan, self.place
        catalogue = Catalogue.load(place.world / "public" / "catalogue.npz")
        self.catalogue = self.births.catalogue(catalogue)
        self.users = plan.chosen(manifest.users)
        self.arm = assigned(self.users, len(plan.arms), plan.seed)
        arm_of = np.full(manifest.users, -1)
        arm_of[self.users] = self.arm
        names = tuple(arm.name for arm in plan.arms)
        self.tally = Tally(self.catalogue, arm_of, names, self.start_ts, plan.days)
        if place.keep:
            self._shown = ShownWriter(place.work / SHOWN, names)
        write_world(place.world, place.shadow, self.catalogue)
        for share in self._shares(max(processes, 1)):
            self._shards.append(Apart(Shard, share) if processes else Here(Shard, share))
        if plan.models and 0 < plan.retrain_days < plan.days:
            warm_up()

    @classmethod
    def begin(cls, plan: Plan, place: Place, processes: int) -> Weeks:
        """The world as it is when the first day begins. place.work: an empty directory to work in.

        processes: cohorts beside this process, 0 for none; the outcome is the same. Raises CFG-004 for a
        plan that this world does not allow, MODEL-001, MODEL-002, WORLD-001 and WORLD-003.
        """
        manifest = read_manifest(place.world)
        plan.check(manifest)
        return cls(plan, place, manifest, processes)

    def close(self) -> None:
        """Ends the processes, and what is written down is whole."""
        for shard in self._shards:
            shard.close()
        if self._shown is not None:
            self._shown.close()

    def day(self, day: int) -> None:
        """The nightly jobs, then 24 hours with the batch job that carries features on."""
        begins = self.start_ts + day * DAY_S
        give_back()  # before the hour that takes most: what a training left behind would stay beside the next one
        self._nightly(day, begins)
        served: list[Served] = []
        for hour in range(self.plan.jobs_every_h, 25, self.plan.jobs_every_h):
            until = begins + hour * HOUR_S
            served.append(Served.joined(all_of(self._shards, "until", until)))
            known = self.record.events(served[-1], until)
            if hour < 24:  # the nightly job counts all of the log anew
                self._carry_on(known, until)
        today = Served.joined(served)
        self.record.close_day(today, begins + DAY_S)
        self.tally.close_day(day, today)
        if self._shown is not None:
            self._shown.add(today)

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
        with ThreadPoolExecutor(1) as beside:  # what needs no model, beside what does
            features = beside.submit(snapshot, log, self.catalogue, now)
            jobs = [write_popular] if day else []
            jobs += [write_covisit] if due and self.plan.models else []
            lists = [beside.submit(job, log, self.catalogue, now, self.place.registry, seed) for job in jobs]
            if due and self.plan.models:
                self._retrain(day, now, seed)
            if day:
                self._rebuild_index(day, now)
            shot, _ = features.result(), [made.result() for made in lists]
        if self.plan.models and self.plan.retrain_days:
            first = now - WEEKLY.sampling.days * DAY_S
            self._nights = {ts: s for ts, s in self._nights.items() if ts >= first} | {now: shot}
        all_of(self._shards, "switch", [arm.on(self.config) for arm in self.plan.arms])
        everybody = np.arange(self.catalogue.n_users)
        self.live = LiveFeatures(self.catalogue, everybody, shot.profile, shot.stats, now)
        all_of(self._shards, "refresh", Batch(now, shot.profile, shot.stats))

    def _carry_on(self, known: dict[str, Events], now: float) -> None:
        """The nightly features with what happened since."""
        for kind, events in known.items():
            self.live.add_many(kind, events.user, events.item, events.ts, events.dwell_s)
        batch = Batch(now, self.live.profile(now), self.live.stats(now))
        all_of(self._shards, "refresh", batch)

    def _retrain(self, day: int, now: float, seed: int) -> None:
        trained = train(
            self.record.log, self.catalogue, now, models=self.plan.models, suffix=f"d{day}", seed=seed,
            target=self.place.registry, taken=self._nights,
        )  # fmt: skip
        for model, version in trained.versions.items():
            setattr(self.config.model, model, version)
        self.retrains.append(
            {"day": day, "versions": trained.versions, "rows": trained.rows, "metrics": trained.metrics}
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
        index_of(self.place.registries, config.model.two_tower, version, self.births.by(now), self.place.registry)
        config.retrieval.index_version = version

    def _shares(self, n: int) -> list[Share]:
        """The users, divided into n cohorts."""
        found = artefacts.load(self.place.world / "registry", "features", artefacts.FEATURES_VERSION)
        held = found.arrays("features.safetensors")
        self.tally.seen_before(held["stream_user_id"], held["stream_ts"])
        return [
            Share(
                self.place, self.users[part], self.arm[part], self.start_ts, self.plan.seed,
                self.births.item, held["stream_user_id"], held["stream_ts"], held["user_session"],
                held["user_seen"],
            )
            for part in divided(self.arm, len(self.plan.arms), n)
        ]  # fmt: skip
