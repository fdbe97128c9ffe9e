"""Forward passes over many requests whose every row has the bits that it has when it comes alone.

A matrix product may add up in another order when more rows come with it; each product here keeps the
shape in which the model server computes it, and everything else works row by row anyway.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from services.model.core import TwoTower, encode_user


@torch.inference_mode()
def encode_many(
    model: TwoTower, users: NDArray[np.int64], profiles: NDArray[np.float32], recent: NDArray[np.int64]
) -> NDArray[np.float32]:  # fmt: skip
    """`encode_user` of each row alone, float32 [n, dim]; same arguments, same errors."""
    return np.concatenate(
        [encode_user(model, users[i : i + 1], profiles[i : i + 1], recent[i : i + 1]) for i in range(len(users))]
        or [np.zeros((0, model.config.dim), np.float32)]
    )  # fmt: skip
