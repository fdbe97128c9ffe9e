"""What the services hold once they have loaded a configuration: models, index, contract and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sandbox.base import artefacts
from sandbox.base.arms import ranker_of
from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config, ModelConfig
from sandbox.base.errors import SandboxError
from sandbox.virtual.answers.forward import RankerPass, TowerPass
from sandbox.virtual.answers.nearest import Nearest
from services.model.core import Ranker, TwoTower, load_ranker, load_two_tower
from services.ranking.core import Contract, Floats, Ints
from services.ranking.server import weights_of
from services.retrieval.core import Covisit, Found, popular_by_region
from services.retrieval.index import Index
from services.rules.policy import Policy
from services.rules.server import policy_of

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """A configuration in force, with everything it names. rankers, towers: by version."""

    config: Config
    rankers: dict[str, RankerPass]
    towers: dict[str, TowerPass]
    nearest: Nearest
    contract: Contract
    weights: Floats
    policy: Policy

    @property
    def index(self) -> Index:
        return self.nearest.index

    @property
    def ranker(self) -> Ranker:
        """The live one."""
        return self.rankers[self.config.model.ranker].model

    def ranker_of(self, user: int, now: float) -> str:
        """The version that answers a user: the live one, or the canary. now: world seconds."""
        return ranker_of(self.config.model, user, now)

    def scorable(self, version: str) -> bool:
        """Whether that ranker takes what the contract makes."""
        return len(self.contract.columns) == len(self.rankers[version].model.config.inputs)

    def score(self, version: str, users: Ints, items: Ints, x: Floats) -> Floats:
        """Probabilities of one request's rows by that ranker, float32 [n, 3]. Raises MODEL-003."""
        return self.rankers[version](users, items, x, [len(items)])

    @property
    def tower(self) -> TwoTower:
        return self.encoder.model

    @property
    def encoder(self) -> TowerPass:
        return self.towers[self.config.model.two_tower]


@dataclass(frozen=True)
class Sources:
    """What retrieval and the gateway read once. None and empty: the artefact is missing or damaged.

    popular_items: as stored, int [regions, n], -1 where there is none.
    """

    covisit: Covisit | None
    popular: list[Found]
    popular_items: np.ndarray | None

    @classmethod
    def of(cls, registries: Sequence[Path]) -> Sources:
        """A missing artefact costs its source, as in the services."""
        near = _arrays(registries, "covisit", artefacts.COVISIT_VERSION, "neighbours.safetensors")
        best = _arrays(registries, "popular", artefacts.POPULAR_VERSION, "popular.safetensors")
        return cls(
            Covisit(near["items"], near["scores"]) if near else None,
            popular_by_region(best["items"], best["scores"]) if best else [],
            best["items"] if best else None,
        )


def load(
    config: Config, held: Loaded | None, registries: Sequence[Path], catalogue: Catalogue, topics: list[str], seed: int
) -> Loaded:
    """Everything the configuration names; what `held` has already is kept, not read anew.

    Raises MODEL-001, MODEL-002, MODEL-003, CFG-001 and CFG-003, as the services' reload does.
    """
    rankers, towers = _models(config.model, held, registries)
    wanted = config.retrieval.index_version
    if held is not None and held.index.version == wanted:
        nearest = held.nearest
    else:
        nearest = Nearest(Index.of(artefacts.find(registries, "index", wanted)))
    nearest = nearest.searching(config.retrieval.nprobe)
    contract = Contract.of(config.ranking.contract_version, config.ranking.contract)
    weights = weights_of(config.ranking)
    if held is not None and held.config.rules == config.rules:
        policy = held.policy
    else:
        policy = policy_of(config.rules, catalogue, topics, seed)
    return Loaded(config, rankers, towers, nearest, contract, weights, policy)


def _models(
    config: ModelConfig, held: Loaded | None, registries: Sequence[Path]
) -> tuple[dict[str, RankerPass], dict[str, TowerPass]]:
    """The active versions, canary and shadow, and those that are held ready; `keep_loaded` lists both artifacts'."""
    kept: dict[str, list[str]] = {"ranker": [], "two_tower": []}
    for version in config.keep_loaded:
        there = [a for a in kept if _exists(registries, a, version)]
        if not there:
            raise SandboxError(
                "MODEL-001",
                where="model server, keep_loaded",
                seen=version,
                expected="a version in the registry",
                fix="see what there is: sandbox model list",
            )
        for artifact in there:
            kept[artifact].append(version)
    rolling = [rolled.version for rolled in (config.canary, config.shadow) if rolled is not None]
    rankers = held.rankers if held is not None else {}
    towers = held.towers if held is not None else {}
    return (
        {v: rankers.get(v) or _ranker(registries, v) for v in (config.ranker, *kept["ranker"], *rolling)},
        {v: towers.get(v) or _tower(registries, v) for v in (config.two_tower, *kept["two_tower"])},
    )


def _ranker(registries: Sequence[Path], version: str) -> RankerPass:
    found = artefacts.find(registries, "ranker", version)
    return RankerPass(load_ranker(found.read("model.safetensors"), found.manifest.config))


def _tower(registries: Sequence[Path], version: str) -> TowerPass:
    found = artefacts.find(registries, "two_tower", version)
    return TowerPass(load_two_tower(found.read("model.safetensors"), found.manifest.config))


def _exists(registries: Sequence[Path], artifact: str, version: str) -> bool:
    return any((r / artifact / version / "manifest.json").exists() for r in registries)


def _arrays(registries: Sequence[Path], artifact: str, version: str, name: str) -> dict[str, np.ndarray]:
    try:
        return artefacts.find(registries, artifact, version).arrays(name)
    except SandboxError:
        return {}
