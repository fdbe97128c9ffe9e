"""Forward passes of the two models over many requests, with the numbers of the model server.

A matrix product may add up in another order when a row stands elsewhere or more rows come with it.
So what is asked of the user tower keeps the shape of one request, and the ranker's rows stand where a
measurement at the start has shown that their place and their company do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms
from services.model.core import TILE, Ranker, TwoTower

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BIG = 2 * TILE  # rows of a pass over many requests: half the calls, and still in the second cache
_ALIGN = 8  # rows: products take rows in pairs or fours, so places that differ by 8 are alike


class TowerPass:
    """`services.model.core.encode_user` for many users at once."""

    def __init__(self, model: TwoTower) -> None:
        self.model = model
        self._user, self._history = model.user_id.weight.detach(), model.history.weight.detach()
        self._weight = model.attention.weight.detach()[:, 0]
        self._slope, self._bias = _of(model.profile)

    @torch.inference_mode()
    def __call__(self, users: Ints, profiles: Floats, recent: Ints) -> Floats:
        """Each row as if it came alone, float32 [n, dim]; arguments as of `encode_user`.

        Only the product with the profile depends on how many rows there are. Raises MODEL-003 for arrays
        of another shape or with NaN or infinity in them.
        """
        model, config, n = self.model, self.model.config, len(users)
        if profiles.shape != (n, len(self._slope)) or not np.isfinite(profiles).all():
            raise _bad("profile", profiles, f"finite ({n}, {len(self._slope)})")
        if recent.ndim != 2 or len(recent) != n:
            raise _bad("recent", recent, f"({n}, any)")
        known = (recent >= 0) & (recent < config.n_items)
        rows = torch.from_numpy(np.where(known, recent + 1, 0))
        weight = torch.full((n, recent.shape[1] + 1), 0.0)
        weight[:, :-1] = torch.where(torch.from_numpy(known), self._weight[rows], -1e9)
        pooled = torch.einsum("nr,nrd->nd", torch.softmax(weight, 1)[:, :-1], self._history[rows])
        scaled = torch.from_numpy(np.ascontiguousarray(profiles, np.float32)) - model.profile_mean
        scaled.mul_(model.profile_scale).clamp_(-5.0, 5.0)
        about = torch.empty(n, config.dim)
        for alone, out in zip(scaled.split(1), about.split(1), strict=True):
            torch.addmm(self._bias, alone, self._slope, out=out)
        row = torch.from_numpy(np.where((users >= 0) & (users < config.n_users), users + 1, 0))
        vectors: Floats = (self._user[row] + pooled + about).numpy()
        return vectors


class RankerPass:
    """`services.model.core.score` for many users, three times as fast: what belongs to an item is
    gathered at once, and every step writes where the next one reads."""

    def __init__(self, model: Ranker) -> None:
        self.model, config = model, model.config
        creator = torch.cat([torch.zeros(1, dtype=torch.int64), model.item_creator + 1])
        of_item = (model.item_id.weight, model.creator.weight[creator], model.item_bias.weight)
        of_user = (model.user_id.weight, model.user_bias.weight)
        self._item = torch.cat([w.detach() for w in of_item], 1).numpy()
        self._user = torch.cat([w.detach() for w in of_user], 1).numpy()
        n_inputs, k = len(config.inputs), config.id_dim
        self._at = np.cumsum([n_inputs, k, k, k, config.creator_dim]).tolist()
        width = self._at[-1]
        self._scaled = np.empty((BIG, n_inputs), np.float32)
        self._base = np.empty((BIG, width), np.float32)
        self._cross = [
            (_of(down)[0], *_of(up)) for down, up in zip(model.cross_down, model.cross_up, strict=True)
        ]  # fmt: skip
        self._layers = [_of(layer) for layer in model.deep]
        self._down, self._up = torch.empty(BIG, config.cross_rank), torch.empty(BIG, width)
        self._crossed = torch.empty(BIG, width)
        self._deep = [torch.empty(BIG, h) for h in config.hidden]
        self._last = torch.empty(BIG, width + config.hidden[-1])
        self.align, self.big = TILE, TILE
        if self._steady(TILE):
            self.align = _ALIGN
            self.big = BIG if self._steady(BIG) else TILE

    def __call__(self, users: Ints, items: Ints, x: Floats, sizes: Sequence[int]) -> Floats:
        """Probabilities as `score` has them, float32 [n, 3].

        users, items: int64 [n], -1 unknown; x: float32 [n, inputs]; request after request, sizes: rows of
        each. Raises MODEL-003 for arrays of another shape or with NaN or infinity in them.
        """
        n, config = sum(sizes), self.model.config
        if x.shape != (n, len(config.inputs)) or not np.isfinite(x.sum(dtype=np.float64)):
            raise _bad("x", x, f"finite ({n}, {len(config.inputs)})")
        user_row = np.where((users >= 0) & (users < config.n_users), users + 1, 0)
        item_row = np.where((items >= 0) & (items < config.n_items), items + 1, 0)
        rows = _places(sizes, self.align)
        whole = n if rows is None else int(rows[-1]) + 1
        full = whole // TILE * TILE  # from here on the last tile, which is filled up
        if rows is not None:
            user_row, item_row, x = (_spread(of, rows, whole) for of in (user_row, item_row, x))
        out, at = np.empty((-(-whole // TILE) * TILE, 3), np.float32), 0
        while at < full:
            tile = slice(at, at + (self.big if full - at >= self.big else TILE))
            self._tile(user_row[tile], item_row[tile], x[tile], out[tile])
            at = tile.stop
        if at < whole:
            last = np.arange(whole - at)
            users, items, x = (_spread(of[at:], last, TILE) for of in (user_row, item_row, x))
            self._tile(users, items, x, out[at:])
        return out[:n] if rows is None else out[rows]

    @torch.inference_mode()
    def _tile(self, user_row: Ints, item_row: Ints, x: Floats, out: Floats) -> None:
        """The model's forward pass and `score`'s last steps, operation by operation. Rows of a tile."""
        model, n = self.model, len(x)
        inputs, to_user, to_item, to_both, width = self._at
        user, item = self._user.take(user_row, axis=0), self._item.take(item_row, axis=0)
        k, scaled, base = model.config.id_dim, self._scaled[:n], self._base[:n]
        np.subtract(x, model.x_mean.numpy(), out=scaled)
        np.multiply(scaled, model.x_scale.numpy(), out=scaled)
        np.clip(scaled, -5.0, 5.0, out=base[:, :inputs])
        base[:, inputs:to_user], base[:, to_user:to_item] = user[:, :k], item[:, :k]
        np.multiply(user[:, :k], item[:, :k], out=base[:, to_item:to_both])
        base[:, to_both:] = item[:, k:-1]

        given, last = torch.from_numpy(base), self._last[:n]
        crossed, down, up = given, self._down[:n], self._up[:n]
        for to_rank, to_width, bias in self._cross:
            torch.mm(crossed, to_rank, out=down)
            torch.addmm(bias, down, to_width, out=up)
            crossed = torch.add(up.mul_(given), crossed, out=self._crossed[:n])
        last[:, :width] = crossed
        deep = given
        for (slope, bias), room in zip(self._layers, self._deep, strict=True):
            deep = torch.addmm(bias, deep, slope, out=room[:n]).relu_()
        last[:, width:] = deep
        logits = torch.addmm(model.heads.bias, last, model.heads.weight.T)
        click = logits.numpy()[:, 0]
        click += user[:, k]
        click += item[:, -1]
        torch.sigmoid(logits, out=torch.from_numpy(out))
        out[:, 1:] *= out[:, :1]

    def _steady(self, n: int) -> bool:
        """Whether a row has the same bits anywhere in a tile of n rows, a multiple of the alignment on."""
        out, first = np.empty((n, 3), np.float32), np.empty((TILE, 3), np.float32)
        for row in range(4):
            made_up = (
                uniforms(0, "ranker pass, steady", row, np.arange(self._scaled.shape[1])) - 0.5
            )
            x = np.repeat(6 * made_up[None, :].astype(np.float32), n, axis=0)
            one = np.ones(n, np.int64)
            self._tile(one[:TILE], one[:TILE], x[:TILE], first)
            self._tile(one, one, x, out)
            if (out.reshape(-1, _ALIGN, 3) != first[:_ALIGN]).any():
                return False
        return True


def _of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights [inputs, outputs] and bias [outputs]; no bias where the layer has none."""
    assert isinstance(layer, nn.Linear), "the ranker is made of linear layers"
    bias = layer.bias if layer.bias is not None else torch.zeros(0)
    return layer.weight.detach().T, bias.detach()


def _places(sizes: Sequence[int], align: int) -> Ints | None:
    """int64 [n]: where each row stands when every request begins at a multiple of `align`; None where
    they stand like this anyway."""
    held = np.array(sizes, np.int64)
    room = -(-held // align) * align
    if (room[:-1] == held[:-1]).all():
        return None
    starts = np.cumsum(room) - room - (np.cumsum(held) - held)
    out: Ints = np.repeat(starts, held) + np.arange(held.sum())
    return out


def _spread(values: NDArray[Any], rows: Ints, n: int) -> NDArray[Any]:
    """The values at those rows of n, zeros elsewhere."""
    out = np.zeros((n, *values.shape[1:]), values.dtype)
    out[rows] = values
    return out


def _bad(name: str, seen: NDArray[np.generic], expected: str) -> SandboxError:
    return SandboxError(
        "MODEL-003", where=f"model input {name}", seen=f"{seen.shape}, or not finite",
        expected=expected, fix="build the inputs by the contract of the model's manifest",
    )  # fmt: skip
