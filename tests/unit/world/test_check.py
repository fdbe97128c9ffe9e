from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.worlds import WorldManifest
from sandbox.world.check import IMPORTED, LAPTOP, TINY, check_folder, gini
from sandbox.world.latent import Latent

World = tuple[WorldManifest, Path]


def test_the_tiny_world_keeps_its_bands(tiny: World) -> None:
    checks = check_folder(*tiny)

    assert [c for c in checks if not c.ok] == []
    assert {c.check for c in checks} == set(TINY) == set(LAPTOP)


def test_an_imported_world_is_held_only_to_what_applies(tiny: World) -> None:
    checks = check_folder(tiny[0].model_copy(update={"source": "csv"}), tiny[1])

    assert {c.check for c in checks} == set(IMPORTED)


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"b0": -1.0}, "ctr_uniform"),
        ({"intent_gain": 0.0}, "ctr_oracle_intent_gain"),
        ({"value_bait": 0.0, "value_quality": 0.0, "value_taste": 0.0}, "satisfaction_click_less_value"),
        ({"return_gain": 0.0}, "return_rate_click_over_value"),
        ({"leave_latency": 0.0}, "latency_leave_ratio_1s"),
    ],
)
def test_a_world_out_of_tune_is_found_out(
    tiny: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, float], fails: str
) -> None:
    monkeypatch.setattr("sandbox.world.check._USERS", 300)
    monkeypatch.setattr("sandbox.world.check._REPEATS", 5)
    latent = Latent.load(tiny[1])
    (tmp_path / "public").symlink_to(tiny[1] / "public")
    replace(latent, weights=replace(latent.weights, **change)).save(tmp_path)

    outside = {c.check for c in check_folder(tiny[0], tmp_path) if not c.ok}

    assert fails in outside


def test_gini_by_hand() -> None:
    assert gini(np.array([5, 5, 5, 5])) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)
    assert gini(np.array([1, 3])) == pytest.approx(0.25)
