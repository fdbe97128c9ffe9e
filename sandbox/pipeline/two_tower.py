"""Training of the two-tower retriever: a softmax over sampled items, corrected for how they are sampled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.streams import seed_of, stream
from services.model.core import N_CONTENT, TowerConfig, TwoTower


@dataclass(frozen=True)
class TowerSettings:
    """learning_rate: peak of a one-cycle schedule. weight_decay: AdamW's. id_dropout: share of users
    and items whose id is left out of a batch, so that content alone is learned as well.
    history_dropout: share of recent items left out. n_negatives: items drawn beside the batch's own."""

    epochs: int = 3
    min_steps: int = 100  # more epochs where the log is too small for as many
    batch: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 0.3
    id_dropout: float = 0.05
    history_dropout: float = 0.2
    n_negatives: int = 512
    all_items_below: int = 4096  # a smaller catalogue is not sampled


@dataclass(frozen=True)
class Pairs:
    """Interactions. user: int64 [n], -1 unknown; item: int64 [n]; profile: float32 [n, 36];
    recent: int64 [n, r], -1 none."""

    user: np.ndarray
    item: np.ndarray
    profile: np.ndarray
    recent: np.ndarray


def untrained(catalogue: Catalogue, seed: int) -> TwoTower:
    """The model before training; the same for the same seed."""
    config = TowerConfig(catalogue.n_users, catalogue.n_items, len(catalogue.creator_group))
    model = TwoTower(config)
    generator = torch.Generator().manual_seed(seed_of(seed, "two_tower", "init"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("attention") or name.endswith("bias") or name == "profile.weight":
                parameter.zero_()
            else:
                parameter.normal_(0.0, 0.05, generator=generator)
        model.item_creator.copy_(torch.from_numpy(catalogue.item_creator.astype(np.int64)))
        model.item_topics.copy_(torch.from_numpy(catalogue.item_topics))
        model.item_content.copy_(torch.from_numpy(content(catalogue)))
    return model


def content(catalogue: Catalogue) -> np.ndarray:
    """float32 [items, N_CONTENT]: what is known of an item the day it is published, scaled."""
    columns = [
        np.log1p(catalogue.item_duration_s),
        np.log1p(catalogue.item_price),
        catalogue.item_price > 0,
        catalogue.item_maturity / 18.0,
        catalogue.item_sens_score,
        np.log1p(catalogue.creator_followers[catalogue.item_creator]),
        catalogue.item_language == 0,
        catalogue.item_sponsored,
    ]
    raw = np.stack(columns, 1).astype(np.float64)
    assert raw.shape[1] == N_CONTENT, "the model has a column for each of these"
    spread = raw.std(axis=0)
    scaled = (raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    return np.asarray(scaled, np.float32)


def train(
    pairs: Pairs,
    catalogue: Catalogue,
    *,
    seed: int,
    settings: TowerSettings | None = None,
    progress: ProgressFn = quiet,
) -> tuple[TwoTower, float]:
    """The fitted model, and the mean loss of the last epoch, nats. Same seed, same weights."""
    settings = settings or TowerSettings()
    model, n = untrained(catalogue, seed), len(pairs.item)
    if n == 0:
        return model.eval(), float("nan")
    known = pairs.profile[pairs.user >= 0]
    if len(known):
        model.profile_mean.copy_(torch.from_numpy(known.mean(axis=0)))
        model.profile_scale.copy_(torch.from_numpy(_inverse(known.std(axis=0))))
    draw = stream(seed, "two_tower batches")
    chance = torch.Generator().manual_seed(seed_of(seed, "two_tower", "dropout"))
    sampler = _Sampler(pairs.item, catalogue.n_items, settings, draw)
    size = min(settings.batch, max(n // 20, 128))  # a small log still makes some steps
    per_epoch = -(-n // size)
    epochs = max(settings.epochs, -(-settings.min_steps // per_epoch))
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    schedule = one_cycle(optimiser, epochs * per_epoch)
    batches, loss_sum = _Batches(pairs), 0.0
    model.train()
    for epoch in range(epochs):
        order, loss_sum = draw.permutation(n), 0.0
        for at in range(0, n, size):
            rows = order[at : at + size]
            loss = _loss(model, batches.of(rows, settings, chance), sampler, settings, chance)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward([loss])
            optimiser.step()
            schedule.step()
            loss_sum += float(loss.detach()) * len(rows)
        progress("two_tower", (epoch + 1) / epochs)
    return model.eval(), loss_sum / n


def one_cycle(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Learning rate up to its peak in the first tenth of the steps, then down to 0 by a cosine."""
    warm = max(steps // 10, 1)

    def factor(step: int) -> float:
        return min((step + 1) / warm, 1.0) * 0.5 * (1.0 + math.cos(math.pi * min(step / steps, 1.0)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


class _Batches:
    """Pairs as tensors, with ids and histories dropped at random."""

    def __init__(self, pairs: Pairs) -> None:
        self.user_row = torch.from_numpy(pairs.user + 1)
        self.item = torch.from_numpy(pairs.item)
        self.profile = torch.from_numpy(pairs.profile)
        self.recent = torch.from_numpy(pairs.recent)

    def of(
        self, rows: np.ndarray, settings: TowerSettings, chance: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        at = torch.from_numpy(rows)
        user, item, recent = self.user_row[at], self.item[at], self.recent[at]
        user = user * (torch.rand(user.shape, generator=chance) >= settings.id_dropout)
        gone = torch.rand(recent.shape, generator=chance) < settings.history_dropout
        return user, item, self.profile[at], recent.masked_fill(gone, -1)


class _Sampler:
    """The items that a batch's softmax runs over, and the log of each one's chance to be among them."""

    def __init__(self, items: np.ndarray, n_items: int, settings: TowerSettings, draw: np.random.Generator) -> None:
        self.n_items, self.settings, self.draw = n_items, settings, draw
        share = np.bincount(items, minlength=n_items) / max(len(items), 1)
        uniform = settings.n_negatives / n_items
        # Chance of at least one draw, by popularity through the batch or evenly through the negatives.
        self.log_chance = np.log(-np.expm1(-(settings.batch * share + uniform))).astype(np.float32)

    def candidates(self, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sorted item ids int64 [c], and their log chance float32 [c]."""
        if self.n_items <= self.settings.all_items_below:
            return np.arange(self.n_items), np.zeros(self.n_items, np.float32)
        drawn = self.draw.integers(0, self.n_items, self.settings.n_negatives)
        ids = np.unique(np.concatenate([positives, drawn]))
        return ids, self.log_chance[ids]


def _loss(
    model: TwoTower,
    batch: tuple[Tensor, Tensor, Tensor, Tensor],
    sampler: _Sampler,
    settings: TowerSettings,
    chance: torch.Generator,
) -> Tensor:
    user_row, item, profile, recent = batch
    ids, log_chance = sampler.candidates(item.numpy())
    candidates = torch.from_numpy(ids)
    kept = torch.rand(candidates.shape, generator=chance) >= settings.id_dropout
    vectors = model.items(candidates, (candidates + 1) * kept)
    logits = model.users(user_row, profile, recent) @ vectors.T
    logits = logits / model.config.temperature - torch.from_numpy(log_chance)
    target = torch.from_numpy(np.searchsorted(ids, item.numpy()))
    return nn.functional.cross_entropy(logits, target)


def _inverse(spread: np.ndarray) -> np.ndarray:
    return np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0).astype(np.float32)
