"""The two models that are served: a two-tower retriever and a multi-task ranker. Torch, and no I/O
but their own tensors; what a version is and whether its files are whole is the registry's matter.

Ids are the catalogue's; -1, or an id the model has never seen, is the *unknown* user or item, which
both models have learned: the user without consent gets the unknown user's vector and nobody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from sandbox.base.errors import SandboxError
from sandbox.base.features import DIM, N_TOPICS, USER_PROFILE

TILE = 256  # rows of one forward pass of the ranker: always as many, so a row's score is its own
N_PROFILE = len(USER_PROFILE.columns)
N_CONTENT = 8  # numbers that describe an item beside its topics and creator
N_POSITIONS = 21  # slate places with a learned examination bias; the last one is "further down"
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class TowerConfig:
    """n_users, n_items, n_creators: sizes of the catalogue it was trained on."""

    n_users: int
    n_items: int
    n_creators: int
    dim: int = DIM
    temperature: float = 1.0  # dot products are divided by it in the training softmax


@dataclass(frozen=True)
class RankerConfig:
    """inputs: columns of the matrix, by name; the ids' embeddings come on top of them."""

    n_users: int
    n_items: int
    n_creators: int
    inputs: tuple[str, ...]
    id_dim: int = 16
    creator_dim: int = 8
    cross_layers: int = 2
    cross_rank: int = 24
    hidden: tuple[int, ...] = (64, 32)


class TwoTower(nn.Module):
    """Users and items as vectors of `dim`; their dot product is the affinity.

    Source: the layout of Yi et al., RecSys 2019 (towers, softmax with popularity correction), with
    attention over recent items after Zhou et al., KDD 2018.
    """

    profile_mean: Tensor
    profile_scale: Tensor
    item_creator: Tensor
    item_topics: Tensor
    item_content: Tensor

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config, dim = config, config.dim
        self.user_id = nn.Embedding(config.n_users + 1, dim)  # row 0: the unknown user
        self.item_id = nn.Embedding(config.n_items + 1, dim)  # row 0: the unknown item
        self.creator = nn.Embedding(config.n_creators + 1, dim)
        self.history = nn.Embedding(config.n_items + 1, dim)  # an item as something once clicked
        self.attention = nn.Embedding(config.n_items + 1, 1)
        self.profile = nn.Linear(N_PROFILE, dim)
        self.topics = nn.Linear(N_TOPICS, dim, bias=False)
        self.content = nn.Linear(N_CONTENT, dim)
        self.register_buffer("profile_mean", torch.zeros(N_PROFILE))
        self.register_buffer("profile_scale", torch.ones(N_PROFILE))
        self.register_buffer("item_creator", torch.zeros(config.n_items, dtype=torch.int64))
        self.register_buffer("item_topics", torch.zeros(config.n_items, N_TOPICS))
        self.register_buffer("item_content", torch.zeros(config.n_items, N_CONTENT))

    def users(self, user_row: Tensor, profile: Tensor, recent: Tensor) -> Tensor:
        """[n, dim]. user_row: int64 [n], 0 for the unknown user, else id + 1; profile: [n, 36];
        recent: int64 [n, r] of item ids, -1 where there is none."""
        rows = recent + 1
        weight = torch.where(recent >= 0, self.attention(rows).squeeze(-1), -1e9)
        # One more place of weight e^0 that holds nothing: a short history speaks less loudly.
        weight = torch.softmax(torch.cat([weight, torch.zeros_like(weight[:, :1])], 1), 1)[:, :-1]
        pooled = torch.einsum("nr,nrd->nd", weight, self.history(rows))
        scaled = ((profile - self.profile_mean) * self.profile_scale).clamp(-5.0, 5.0)
        out: Tensor = self.user_id(user_row) + pooled + self.profile(scaled)
        return out

    def items(self, item_id: Tensor, id_row: Tensor | None = None) -> Tensor:
        """[n, dim]. id_row: rows of the id embedding, 0 to leave the id out; None: id + 1."""
        out: Tensor = (
            self.item_id(item_id + 1 if id_row is None else id_row)
            + self.creator(self.item_creator[item_id] + 1)
            + self.topics(self.item_topics[item_id])
            + self.content(self.item_content[item_id])
        )
        return out


class Ranker(nn.Module):
    """Click, long dwell and conversion of shown items from ids and the contract's inputs.

    A low-rank cross network (DCN-v2: Wang et al., WWW 2021) beside a small deep part. Long dwell and
    conversion are conditional on the click and multiplied with it (ESMM: Ma et al., SIGIR 2018).
    The place's bias is learned apart (PAL: Guo et al., RecSys 2019) and left out when serving.
    """

    item_creator: Tensor
    x_mean: Tensor
    x_scale: Tensor

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self.config, k = config, config.id_dim
        self.user_id = nn.Embedding(config.n_users + 1, k)
        self.item_id = nn.Embedding(config.n_items + 1, k)
        self.user_bias = nn.Embedding(config.n_users + 1, 1)
        self.item_bias = nn.Embedding(config.n_items + 1, 1)
        self.creator = nn.Embedding(config.n_creators + 1, config.creator_dim)
        self.position_bias = nn.Embedding(N_POSITIONS, 1)
        self.register_buffer("item_creator", torch.zeros(config.n_items, dtype=torch.int64))
        self.register_buffer("x_mean", torch.zeros(len(config.inputs)))
        self.register_buffer("x_scale", torch.ones(len(config.inputs)))
        width = len(config.inputs) + 3 * k + config.creator_dim
        self.cross_down = nn.ModuleList(
            nn.Linear(width, config.cross_rank, bias=False) for _ in range(config.cross_layers)
        )
        self.cross_up = nn.ModuleList(nn.Linear(config.cross_rank, width) for _ in range(config.cross_layers))
        widths = (width, *config.hidden)
        self.deep = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.heads = nn.Linear(width + config.hidden[-1], 3)

    def embedded(self, user_row: Tensor, item_row: Tensor, x: Tensor) -> Tensor:
        """[n, width]: scaled inputs, ids, the product of the ids, creator."""
        scaled = ((x - self.x_mean) * self.x_scale).clamp(-5.0, 5.0)
        user, item = self.user_id(user_row), self.item_id(item_row)
        known = (item_row > 0).to(torch.int64)
        creator = (self.item_creator[(item_row - 1).clamp(min=0)] + 1) * known
        return torch.cat([scaled, user, item, user * item, self.creator(creator)], 1)

    def forward(self, user_row: Tensor, item_row: Tensor, x: Tensor, position: Tensor | None = None) -> Tensor:
        """Logits [n, 3]: click, long dwell given click, conversion given click.

        user_row, item_row: int64 [n], id + 1, 0 for unknown. x: float32 [n, inputs].
        position: int64 [n], place in the slate from 1; None: as if all stood at the first place.
        """
        base = self.embedded(user_row, item_row, x)
        crossed = base
        for down, up in zip(self.cross_down, self.cross_up, strict=True):
            crossed = base * up(down(crossed)) + crossed
        deep = base
        for layer in self.deep:
            deep = torch.relu(layer(deep))
        logits = self.heads(torch.cat([crossed, deep], 1))
        click = logits[:, :1] + self.user_bias(user_row) + self.item_bias(item_row)
        if position is not None:
            click = click + self.position_bias((position - 1).clamp(0, N_POSITIONS - 1))
        return torch.cat([click, logits[:, 1:]], 1)


@torch.inference_mode()
def encode_user(
    model: TwoTower, user_id: NDArray[np.int64], profile: NDArray[np.float32], recent: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Query vectors, float32 [n, dim]. user_id: int64 [n], -1 for the unknown user; profile: float32
    [n, 36], a row of `user_profile`; recent: int64 [n, r], item ids, -1 where none.

    Raises MODEL-003 for arrays of another shape or with NaN or infinity in them.
    """
    _check("profile", profile, (len(user_id), N_PROFILE))
    if recent.ndim != 2 or len(recent) != len(user_id):
        raise _bad("recent", str(recent.shape), f"({len(user_id)}, any)")
    known = np.where((recent >= 0) & (recent < model.config.n_items), recent, -1)
    out = model.users(
        _rows(user_id, model.config.n_users),
        torch.from_numpy(np.ascontiguousarray(profile, np.float32)),
        torch.from_numpy(known.astype(np.int64)),
    )
    return out.numpy()


@torch.inference_mode()
def encode_items(
    model: TwoTower, item_id: NDArray[np.int64] | None = None, *, chunk: int = 8192
) -> NDArray[np.float32]:
    """Item vectors, float32 [n, dim]. item_id: int64 [n], None: the whole catalogue in order."""
    ids = np.arange(model.config.n_items) if item_id is None else item_id
    parts = [
        model.items(torch.from_numpy(ids[at : at + chunk].astype(np.int64))).numpy() for at in range(0, len(ids), chunk)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, model.config.dim), np.float32)


@torch.inference_mode()
def score(
    model: Ranker, user_id: int | NDArray[np.int64], item_id: NDArray[np.int64], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Probabilities, float32 [n, 3]: click, click with a long dwell, click with a conversion.

    user_id: one id or int64 [n], -1 for the unknown user; x: float32 [n, inputs], see the contract.
    Rows are computed in tiles of `TILE`, so a row's score does not depend on what comes with it.
    Raises MODEL-003 for arrays of another shape or with NaN or infinity in them.
    """
    n = len(item_id)
    _check("x", x, (n, len(model.config.inputs)))
    users = np.broadcast_to(np.asarray(user_id, np.int64), (n,))
    size = -(-n // TILE) * TILE
    padded = np.zeros((size, x.shape[1]), np.float32)
    padded[:n] = x
    inputs = torch.from_numpy(padded)
    user_row = _rows(np.pad(users, (0, size - n), constant_values=-1), model.config.n_users)
    item_row = _rows(np.pad(item_id, (0, size - n), constant_values=-1), model.config.n_items)
    out = torch.empty(size, 3)
    for at in range(0, size, TILE):
        tile = slice(at, at + TILE)
        p = torch.sigmoid(model(user_row[tile], item_row[tile], inputs[tile]))
        p[:, 1:] *= p[:, :1]
        out[tile] = p
    return out[:n].numpy()


def dump(model: TwoTower | Ranker) -> tuple[bytes, dict[str, Any]]:
    """The tensors as safetensors bytes, and the configuration for the manifest."""
    return save_tensors({k: v.contiguous() for k, v in model.state_dict().items()}), asdict(model.config)


def load_two_tower(tensors: bytes, config: Mapping[str, Any]) -> TwoTower:
    """Raises MODEL-002 when the tensors are not those of the configuration."""
    names = TowerConfig.__dataclass_fields__
    return _loaded(TwoTower(TowerConfig(**{k: v for k, v in config.items() if k in names})), tensors)


def load_ranker(tensors: bytes, config: Mapping[str, Any]) -> Ranker:
    """Raises MODEL-002 when the tensors are not those of the configuration."""
    names = RankerConfig.__dataclass_fields__
    known = {k: v for k, v in config.items() if k in names}
    known |= {"inputs": tuple(known["inputs"]), "hidden": tuple(known["hidden"])}
    return _loaded(Ranker(RankerConfig(**known)), tensors)


def _loaded(model: M, tensors: bytes) -> M:
    try:
        model.load_state_dict(load_tensors(tensors))
    except (RuntimeError, SafetensorError, ValueError) as error:
        raise SandboxError(
            "MODEL-002",
            where=type(model).__name__,
            seen=str(error)[:300],
            expected="the tensors that the manifest's config describes",
            fix="build the models anew: sandbox model build",
        ) from error
    return model.eval()


def _rows(ids: NDArray[np.int64], n: int) -> Tensor:
    """Rows of an embedding: id + 1, and 0 for what the model does not know."""
    return torch.from_numpy(np.where((ids >= 0) & (ids < n), ids + 1, 0).astype(np.int64))


def _check(name: str, values: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise _bad(name, str(values.shape), str(shape))
    if not np.isfinite(values).all():
        raise _bad(name, "NaN or infinity", "finite numbers")


def _bad(name: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "MODEL-003",
        where=f"model input {name}",
        seen=seen,
        expected=expected,
        fix="build the inputs by the contract of the model's manifest",
    )
