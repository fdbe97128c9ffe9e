"""Sizes of the worlds that come with the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.base.errors import SandboxError

# 2026-03-02 08:00 UTC, a Monday morning: where every preset's history ends and live time begins.
HISTORY_END_TS = 1_772_438_400.0
SLATE = 10  # items per slate of the history
MAX_DEPTH = 20  # requests of one session at the most


@dataclass(frozen=True)
class Preset:
    """What a world is built from. sessions_per_day: mean over users at satisfaction .5."""

    name: str
    users: int
    items: int
    creators: int
    days: int
    sessions_per_day: float
    seed: int = 7
    random_share: float = 0.02  # of slots, filled uniformly with their propensity logged


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("tiny", users=300, items=400, creators=60, days=7, sessions_per_day=1.1),
        Preset("laptop", users=20_000, items=10_000, creators=1_200, days=28, sessions_per_day=0.11),
        Preset("large", users=200_000, items=100_000, creators=12_000, days=28, sessions_per_day=0.11),
    )
}


def preset_named(name: str) -> Preset:
    """Raises CFG-004 for a name that is no preset."""
    if name not in PRESETS:
        raise SandboxError(
            "CFG-004",
            where="--preset",
            seen=name,
            expected=f"one of {list(PRESETS)}",
            fix="choose a preset; real data comes in by sandbox world import",
        )
    return PRESETS[name]
