"""The audit finds each breach that was planted, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base import tombstones
from sandbox.base.catalogue import JURISDICTIONS
from sandbox.base.errors import SandboxError
from sandbox.privacy import audit
from tests.unit.privacy import mini
from tests.unit.privacy.mini import NOW

N = 21
_MINOR = {"age_band": "13-17"}
KINDS = (
    "processed-after-withdrawal",
    "minor-profiled-for-ads",
    "kept-too-long",
    "erased-yet-present",
    "wrong-jurisdiction",
)


def planted(folder: Path, plan: dict[int, str]) -> Path:
    """A world in which each of these users is wronged so, and nobody else is."""
    who, said = mini.people(N), mini.yes(N)
    shown = [(user, float(user % 28)) for user in range(N)]
    trained = [user for user in range(N) if plan.get(user) != "erased-yet-present"]
    for user, kind in plan.items():
        if kind == "processed-after-withdrawal":
            said.append((user, "personalisation", "denied", 5.0))
        elif kind == "minor-profiled-for-ads":
            who[user] |= _MINOR
        elif kind == "kept-too-long":
            shown.append((user, 731.0))
        elif kind == "wrong-jurisdiction":
            who[user]["jurisdiction"] = "lgpd" if who[user]["region"] != "BR" else "gdpr"
    world = mini.world(folder, who, said, shown, trained=trained)
    gone = [(user, f"key-{user}") for user, kind in plan.items() if kind == "erased-yet-present"]
    tombstones.add(world, gone, erased_ts=NOW - 7_200, receipt="rc-1")
    return world


def possible(user: int, kind: str) -> bool:
    """Whether the law of the user's region knows that breach."""
    region = mini.REGIONS[user % len(mini.REGIONS)]
    if kind == "minor-profiled-for-ads":
        return region == "EU"  # in March 2026 no other law forbids it outright
    return not (kind == "kept-too-long" and region == "US")


def found_in(world: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for breach in audit.of_world(world, now=NOW, runs=()):
        counts[breach.rule] = counts.get(breach.rule, 0) + breach.people
    return counts


def test_a_healthy_world_has_no_breach(tmp_path):
    assert audit.of_world(planted(tmp_path / "w", {}), now=NOW, runs=()) == []


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.integers(0, N - 1), st.sampled_from(KINDS)))
def test_what_was_planted_is_what_is_found(plan):
    plan = {user: kind for user, kind in plan.items() if possible(user, kind)}
    with tempfile.TemporaryDirectory() as folder:
        world = planted(Path(folder) / "w", plan)
        wanted = {kind: sum(k == kind for k in plan.values()) for kind in set(plan.values())}
        assert found_in(world) == wanted


@pytest.mark.parametrize(
    ("kind", "user", "law", "article", "rows", "hours", "models"),
    [
        ("processed-after-withdrawal", 1, "UK GDPR", "6(1)(a)", 1, 120.0, ("rk-1",)),
        ("processed-after-withdrawal", 3, "the house's own", "opt-out", 1, 120.0, ("rk-1",)),
        ("minor-profiled-for-ads", 0, "DSA", "28(2)", 1, 365 * 24.0, ()),
        ("kept-too-long", 2, "CCPA/CPRA", "1798.100(a)(3)", 1, 731 * 24.0, ()),
        ("wrong-jurisdiction", 5, "LGPD", "7", 4, 365 * 24.0, ()),  # the user's row, and three of the ledger
        ("erased-yet-present", 0, "the house's own", "opt-out", 8, 2.0, ()),
    ],
)
def test_a_breach_is_told_with_law_rows_hours_and_models(tmp_path, kind, user, law, article, rows, hours, models):
    (breach,) = audit.of_world(planted(tmp_path / "w", {user: kind}), now=NOW, runs=())
    assert (breach.rule, breach.law, breach.article, breach.people) == (kind, law, article, 1)
    assert (breach.rows, breach.oldest_hours, breach.models) == (rows, hours, models)


def test_whoever_says_yes_again_before_the_training_was_processed_rightly(tmp_path):
    said = [*mini.yes(7), (0, "personalisation", "denied", 5.0), (0, "personalisation", "granted", 4.0)]
    world = mini.world(tmp_path / "w", mini.people(7), said, [(0, 1.0)], trained=[0])
    assert found_in(world) == {}


def test_a_store_that_cannot_be_read_is_no_store_without_the_erased(tmp_path):
    world = planted(tmp_path / "w", {0: "erased-yet-present"})
    (world / "public" / "catalogue.npz").write_bytes(b"PK")
    with pytest.raises(SandboxError, match="WORLD-003"):
        audit.of_world(world, now=NOW, runs=())


def test_regions_have_the_laws_that_the_model_knows():
    assert set(JURISDICTIONS) == set(mini.REGIONS)
