"""How alike two versions score the same candidates."""

from __future__ import annotations

import numpy as np
import pytest

from services.model.beside import likeness

UP = np.linspace(0.1, 0.9, 30, dtype=np.float32)


def test_the_same_order_is_alike_whatever_the_level() -> None:
    found = likeness(UP, UP / 2)

    assert (found.overlap, found.rank_corr) == (1.0, pytest.approx(1.0))
    assert (found.live, found.shadow) == (pytest.approx(0.5), pytest.approx(0.25))


def test_the_opposite_order_has_none_of_the_first_ten_in_common() -> None:
    found = likeness(UP, UP[::-1])

    assert (found.overlap, found.rank_corr) == (0.0, pytest.approx(-1.0))


@pytest.mark.parametrize("flat", [np.full(30, 0.2, np.float32), UP[:1]])
def test_where_there_is_no_order_none_is_claimed(flat: np.ndarray) -> None:
    assert likeness(UP[: len(flat)], flat).rank_corr is None
