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

from sandbox.base.compiled import laid
from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms
from sandbox.virtual.answers import kernels
from services.model.core import TILE, Ranker, TwoTower

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BIG = 2 * TILE  # rows of a pass over many requests: half the calls, and still in the second cache
_SIZES = (BIG, TILE, TILE // 2, TILE // 4)  # the small ones end a pass, so that less of it is filling
_ALIGN = 8  # rows: products take rows in pairs or fours, so places that differ by 8 are alike


class TowerPass:
    """`services.model.core.encode_user` for many users at once."""

    def __init__(self, model: TwoTower) -> None:
        self.model = model
        self._user, self._history = model.user_id.weight.detach(), model.history.weight.detach()
        self._weight = laid(model.attention.weight.detach()[:, 0].numpy(), np.float32)
        self._mean, self._scale = model.profile_mean.numpy(), model.profile_scale.numpy()
        self._slope, self._bias = _of(model.profile)

    @torch.inference_mode()
    def __call__(self, users: Ints, profiles: Floats, recent: Ints) -> Floats:
        """Each row as if it came alone, float32 [n, dim]; arguments as of `encode_user`.

        Only the product with the profile depends on how many rows there are. Raises MODEL-003 for arrays
        of another shape or with NaN or infinity in them.
        """
        config, n = self.model.config, len(users)
        if profiles.shape != (n, len(self._slope)) or not is_finite(profiles):
            raise _bad("profile", profiles, f"finite ({n}, {len(self._slope)})")
        if recent.ndim != 2 or len(recent) != n:
            raise _bad("recent", recent, f"({n}, any)")
        rows, weight = kernels.attention(laid(recent, np.int64), self._weight, config.n_items)
        history = torch.embedding(self._history, torch.from_numpy(rows))
        share = torch.softmax(torch.from_numpy(weight), 1)[:, None, :-1]
        pooled = torch.bmm(share, history)[:, 0]
        scaled = (profiles - self._mean) * self._scale
        np.clip(scaled, -5.0, 5.0, out=scaled)
        # As many products of one row as there are users, not one product of many rows.
        slope, bias = self._slope.expand(n, -1, -1), self._bias.expand(n, 1, -1)
        about = torch.baddbmm(bias, torch.from_numpy(scaled)[:, None], slope)[:, 0]
        row = torch.from_numpy(np.where((users >= 0) & (users < config.n_users), users + 1, 0))
        vectors: Floats = (torch.embedding(self._user, row) + pooled + about).numpy()
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
        self._mean, self._scale = (laid(of.numpy(), np.float32) for of in (model.x_mean, model.x_scale))
        width = n_inputs + 3 * k + config.creator_dim
        self._cross = [(_of(down)[0], *_of(up)) for down, up in zip(model.cross_down, model.cross_up, strict=True)]
        self._layers, self._heads = [_of(layer) for layer in model.deep], _of(model.heads)
        widths = (width, width, width, width + config.hidden[-1], config.cross_rank, *config.hidden)
        whole = [np.empty((BIG, w), np.float32) for w in widths]
        self._rooms = {n: _Room([of[:n] for of in whole]) for n in _SIZES}
        self.align, self.sizes = TILE, [TILE]
        if self._steady(TILE):
            self.align, self.sizes = _ALIGN, [n for n in _SIZES if n == TILE or self._steady(n)]

    @torch.inference_mode()
    def __call__(self, users: Ints, items: Ints, x: Floats, sizes: Sequence[int]) -> Floats:
        """Probabilities as `score` has them, float32 [n, 3].

        users, items: int64 [n], -1 unknown; x: float32 [n, inputs]; request after request, sizes: rows of
        each. Raises MODEL-003 for arrays of another shape or with NaN or infinity in them.
        """
        n, config = sum(sizes), self.model.config
        if x.shape != (n, len(config.inputs)) or not is_finite(x):
            raise _bad("x", x, f"finite ({n}, {len(config.inputs)})")
        user_row = np.where((users >= 0) & (users < config.n_users), users + 1, 0)
        item_row = np.where((items >= 0) & (items < config.n_items), items + 1, 0)
        rows = _places(sizes, self.align)
        whole = n if rows is None else int(rows[-1]) + 1
        if rows is not None:
            user_row, item_row, x = (_spread(of, rows, whole) for of in (user_row, item_row, x))
        tiles, at = _tiles(whole, self.sizes), 0
        out = np.empty((sum(tiles), 3), np.float32)
        for size in tiles:
            tile = slice(at, at + size)
            if whole - at < size:  # the last one, which is filled up
                held, tile = np.arange(whole - at), slice(0, size)
                user_row, item_row, x = (_spread(of[at:], held, size) for of in (user_row, item_row, x))
            self._tile(user_row[tile], item_row[tile], x[tile], out[at : at + size])
            at += size
        return out[:n] if rows is None else out[rows]

    def _tile(self, user_row: Ints, item_row: Ints, x: Floats, out: Floats) -> None:
        """The model's forward pass and `score`'s last steps, operation by operation. Rows of a tile."""
        room = self._rooms[len(x)]
        given, up, crossed, last, *_ = room.arrays
        given_t, up_t, crossed_t, last_t, down_t, *deep_t = room.tensors
        kernels.embed(
            x, self._mean, self._scale, self._user, user_row, self._item, item_row, self.model.config.id_dim, given
        )
        so_far, so_far_t = given, given_t
        for to_rank, to_width, bias in self._cross:
            torch.mm(so_far_t, to_rank, out=down_t)
            torch.addmm(bias, down_t, to_width, out=up_t)
            kernels.cross(up, given, so_far, crossed)
            so_far, so_far_t = crossed, crossed_t
        below = given_t
        for (slope, bias), here in zip(self._layers, deep_t, strict=True):
            torch.addmm(bias, below if below is given_t else below.relu_(), slope, out=here)
            below = here
        kernels.join(so_far, room.arrays[-1], last)
        slope, bias = self._heads
        logits = torch.addmm(bias, last_t, slope)
        kernels.add_biases(logits.numpy(), self._user, user_row, self._item, item_row)
        torch.sigmoid(logits, out=torch.from_numpy(out))
        out[:, 1:] *= out[:, :1]

    @torch.inference_mode()
    def _steady(self, n: int) -> bool:
        """Whether a row has the same bits anywhere in a tile of n rows, a multiple of the alignment on."""
        out, first, most = (np.empty((n, 3), np.float32), np.empty((TILE, 3), np.float32), max(n, TILE))
        for row in range(4):
            made_up = uniforms(0, "ranker pass, steady", row, np.arange(len(self._mean))) - 0.5
            x = np.repeat(6 * made_up[None, :].astype(np.float32), most, axis=0)
            one = np.ones(most, np.int64)
            self._tile(one[:TILE], one[:TILE], x[:TILE], first)
            self._tile(one[:n], one[:n], x[:n], out)
            if (out.reshape(-1, _ALIGN, 3) != first[:_ALIGN]).any():
                return False
        return True


class _Room:
    """Arrays for a tile, and the same as tensors: what the layers are given, a cross layer on its way, its
    result, what the heads are given, a cross layer's middle, and the deep layers."""

    def __init__(self, arrays: list[Floats]) -> None:
        self.arrays, self.tensors = arrays, [torch.from_numpy(of) for of in arrays]


def _of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights [inputs, outputs] and bias [outputs]; no bias where the layer has none."""
    assert isinstance(layer, nn.Linear), "the ranker is made of linear layers"
    bias = layer.bias if layer.bias is not None else torch.zeros(0)
    return layer.weight.detach().T, bias.detach()


def _tiles(n: int, sizes: Sequence[int]) -> list[int]:
    """Rows of the tiles that hold n rows: as large as can be filled, and at the end the smallest with room."""
    out: list[int] = []
    while n > 0:
        out.append(next((s for s in sizes if TILE <= s <= n), 0) or min(s for s in sizes if s >= n))
        n -= out[-1]
    return out


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


def is_finite(values: Floats) -> bool:
    """Whether every value is a finite number. A sum tells at once, unless it is itself too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _bad(name: str, seen: NDArray[np.generic], expected: str) -> SandboxError:
    return SandboxError(
        "MODEL-003",
        where=f"model input {name}",
        seen=f"{seen.shape}, or not finite",
        expected=expected,
        fix="build the inputs by the contract of the model's manifest",
    )
