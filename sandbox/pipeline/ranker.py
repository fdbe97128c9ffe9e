"""Training of the multi-task ranker on shown items with the features of their time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.streams import seed_of, stream
from sandbox.pipeline.training_set import Joined
from sandbox.pipeline.two_tower import one_cycle
from services.model.core import N_POSITIONS, Ranker, RankerConfig
from services.ranking.core import INPUTS


@dataclass(frozen=True)
class RankerSettings:
    """learning_rate: peak of a one-cycle schedule. id_decay: AdamW's weight decay on embeddings,
    weight_decay: on the rest. id_dropout: share of rows whose user or item id is left out."""

    epochs: int = 2
    min_steps: int = 60  # more epochs where the log is too small for as many
    batch: int = 4096
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    id_decay: float = 0.2
    id_dropout: float = 0.05


def untrained(catalogue: Catalogue, seed: int, inputs: tuple[str, ...] = INPUTS) -> Ranker:
    """The model before training; the same for the same seed."""
    config = RankerConfig(catalogue.n_users, catalogue.n_items, len(catalogue.creator_group), inputs)
    model = Ranker(config)
    generator = torch.Generator().manual_seed(seed_of(seed, "ranker", "init"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif name.startswith(("cross", "deep", "heads")):
                small = 0.1 if name.startswith("cross_up") else 1.0  # begins close to linear
                parameter.normal_(0.0, small * parameter.shape[1] ** -0.5, generator=generator)
            else:
                parameter.normal_(0.0, 0.05, generator=generator)
        model.item_creator.copy_(torch.from_numpy(catalogue.item_creator.astype(np.int64)))
    return model


def train(
    joined: Joined,
    catalogue: Catalogue,
    *,
    seed: int,
    settings: RankerSettings | None = None,
    inputs: tuple[str, ...] = INPUTS,
    progress: ProgressFn = quiet,
) -> tuple[Ranker, float]:
    """The fitted model, and the mean weighted loss of the last epoch, nats. Same seed, same weights."""
    settings = settings or RankerSettings()
    model, n = untrained(catalogue, seed, inputs), len(joined.examples)
    if n == 0:
        return model.eval(), float("nan")
    model.x_mean.copy_(torch.from_numpy(joined.x.mean(axis=0, dtype=np.float64)))
    spread = joined.x.std(axis=0, dtype=np.float64)
    model.x_scale.copy_(torch.from_numpy(np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)))
    _start_at_base_rates(model, joined)
    rows = _Rows(joined)
    draw = stream(seed, "ranker batches")
    chance = torch.Generator().manual_seed(seed_of(seed, "ranker", "dropout"))
    optimiser = torch.optim.AdamW(_groups(model, settings), settings.learning_rate, fused=True)
    size = min(settings.batch, max(n // 20, 128))  # a small log still makes some steps
    per_epoch = -(-n // size)
    epochs = max(settings.epochs, -(-settings.min_steps // per_epoch))
    schedule = one_cycle(optimiser, epochs * per_epoch)
    model.train()
    loss_sum = 0.0
    for epoch in range(epochs):
        order, loss_sum = torch.from_numpy(draw.permutation(n)), 0.0
        for at in range(0, n, size):
            batch = order[at : at + size]
            loss = rows.loss(model, batch, settings.id_dropout, chance)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward([loss])
            optimiser.step()
            schedule.step()
            with torch.no_grad():  # the first place is the one that serving assumes
                model.position_bias.weight[0] = 0.0
            loss_sum += float(loss.detach()) * len(batch)
        progress("ranker", (epoch + 1) / epochs)
    return model.eval(), loss_sum / n


class _Rows:
    """The training set as tensors."""

    def __init__(self, joined: Joined) -> None:
        e = joined.examples
        self.user_row = torch.from_numpy(joined.user + 1)
        self.item_row = torch.from_numpy(e.item + 1)
        self.position = torch.from_numpy(np.clip(e.position, 1, N_POSITIONS))
        self.x = torch.from_numpy(joined.x)
        labels = np.stack([e.click, e.long_dwell, e.conversion], 1).astype(np.float32)
        # Dwell and conversion are learned given the click, and a conversion once its window is over.
        counts = np.stack([np.ones(len(e)), e.click, e.click & e.mature], 1) * e.weight[:, None]
        self.labels, self.counts = torch.from_numpy(labels), torch.from_numpy(counts).float()

    def loss(self, model: Ranker, rows: Tensor, id_dropout: float, chance: torch.Generator) -> Tensor:
        kept = torch.rand((2, len(rows)), generator=chance) >= id_dropout
        logits = model(self.user_row[rows] * kept[0], self.item_row[rows] * kept[1], self.x[rows], self.position[rows])
        each = bce(logits, self.labels[rows], weight=self.counts[rows], reduction="none")
        total: Tensor = each.sum() / self.counts[rows, 0].sum()
        return total


def _start_at_base_rates(model: Ranker, joined: Joined) -> None:
    """Biases of the heads at the logits of their rates at the first place, and the places' biases at
    how much lower the others are: what is left to learn is who clicks what."""
    e = joined.examples
    place = np.clip(e.position, 1, N_POSITIONS) - 1
    shown = np.bincount(place, weights=e.weight, minlength=N_POSITIONS)
    clicked = np.bincount(place, weights=e.weight * e.click, minlength=N_POSITIONS)
    overall = clicked.sum() / shown.sum()
    by_place = _logit((clicked + 50 * overall) / (shown + 50))
    clicks = max(float(clicked.sum()), 1.0)
    given_click = [float((label & e.click).sum()) / clicks for label in (e.long_dwell, e.conversion)]
    start = np.array([by_place[0], *_logit(np.array(given_click))], np.float32)
    with torch.no_grad():
        model.heads.bias.copy_(torch.from_numpy(start))
        model.position_bias.weight[:, 0] = torch.from_numpy((by_place - by_place[0]).astype(np.float32))


def _logit(rate: np.ndarray) -> np.ndarray:
    bounded = np.clip(rate, 1e-4, 1 - 1e-4)
    return np.log(bounded / (1 - bounded))


def _groups(model: Ranker, settings: RankerSettings) -> list[dict[str, object]]:
    ids = {"user_id", "item_id", "user_bias", "item_bias", "creator"}
    named = list(model.named_parameters())
    of_ids = [p for name, p in named if name.split(".")[0] in ids]
    free = [p for name, p in named if name.startswith(("position_bias", "heads.bias"))]
    taken = {id(p) for p in (*of_ids, *free)}
    rest = [p for _, p in named if id(p) not in taken]
    return [
        {"params": of_ids, "weight_decay": settings.id_decay},
        {"params": rest, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
