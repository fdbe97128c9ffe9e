"""How the users of a simulation are divided over its processes: only the time it takes depends on it."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.virtual.weeks.arms import assigned
from sandbox.virtual.weeks.shards import divided


@pytest.mark.parametrize(
    ("n_arms", "n", "arms_each"), [(1, 2, 1), (2, 1, 2), (2, 2, 1), (2, 4, 1), (4, 2, 2), (3, 2, 3)]
)
def test_shards_are_alike_and_hold_few_arms(n_arms: int, n: int, arms_each: int) -> None:
    arm = assigned(np.arange(12_000), n_arms, seed=1)

    parts = divided(arm, n_arms, n)

    assert sorted(np.concatenate(parts).tolist()) == list(range(12_000))
    assert [len(np.unique(arm[part])) for part in parts] == [arms_each] * n
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) < 5 * np.sqrt(12_000)


def test_fewer_users_than_shards_leave_some_of_them_empty() -> None:
    parts = divided(np.array([1]), 2, 2)

    assert [part.tolist() for part in parts] == [[], [0]]
