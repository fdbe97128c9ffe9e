"""A world at a glance, from its public files and its hours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sandbox.base.catalogue import REGIONS, Catalogue
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.world import damage
from sandbox.world.latent import Latent


@dataclass(frozen=True)
class Summary:
    """Shares are 0..1, keyed by label in display order."""

    manifest: dict[str, Any]
    history_from: str
    history_to: str
    clicks_by_item_tenth: dict[str, float]
    ctr_by_position: dict[str, float]
    ctr_by_hour: dict[str, float]
    sessions_by_hour: dict[str, float]
    items_by_topic: dict[str, float]
    users_by_region: dict[str, float]
    outcomes: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(name: str) -> Summary:
    """Raises WORLD-001 when there is no such world, WORLD-003 when its files are damaged."""
    manifest, folder = load_manifest(name), world_dir(name)
    public = folder / "public"
    with damage.named(folder):
        catalogue, latent = Catalogue.load(public / "catalogue.npz"), Latent.load(folder)
        shown = pq.read_table(
            public / "impressions.parquet", columns=["ts", "request_id", "session_id", "user_id", "item_id", "position"]
        )
        kinds, clicked = _outcomes(public)
    ts, position = shown["ts"].to_numpy(), shown["position"].to_numpy().astype(np.int64)
    key = shown["request_id"].to_numpy() * manifest.items + shown["item_id"].to_numpy()
    was_clicked = np.isin(key, clicked["request_id"] * manifest.items + clicked["item_id"])

    _, first = np.unique(shown["session_id"].to_numpy(), return_index=True)
    offset_h = latent.user_tz_h[shown["user_id"].to_numpy()[first]]
    local = (ts[first] / 3_600 + offset_h).astype(np.int64) % 24
    hour = (ts / 3_600).astype(np.int64) % 24
    main = catalogue.item_topics.argmax(axis=1)[catalogue.item_topics.sum(axis=1) > 0]
    return Summary(
        manifest=manifest.model_dump(),
        history_from=_iso(manifest.history_start_ts),
        history_to=_iso(manifest.history_end_ts),
        clicks_by_item_tenth=_tenths(np.bincount(clicked["item_id"], minlength=manifest.items)),
        ctr_by_position=_rates(position, was_clicked, range(1, min(20, int(position.max(initial=1))) + 1)),
        ctr_by_hour=_rates(hour, was_clicked, range(24)),
        sessions_by_hour=_shares(local, [f"{h:02d}" for h in range(24)]),
        items_by_topic=_shares(main, manifest.topics),
        users_by_region=_shares(catalogue.user_region, list(REGIONS)),
        outcomes=kinds,
    )


def _outcomes(public: Path) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Counts by kind, most first; and request_id and item_id of the clicks."""
    table = pq.read_table(public / "outcomes.parquet", columns=["request_id", "item_id", "kind"])
    kind = table["kind"].combine_chunks().dictionary_encode()
    names, codes = kind.dictionary.to_pylist(), np.asarray(kind.indices)
    counts = {name: int((codes == code).sum()) for code, name in enumerate(names)}
    is_click = codes == (names.index("click") if "click" in names else -1)
    clicks = {name: table[name].to_numpy()[is_click] for name in ("request_id", "item_id")}
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))), clicks


def _tenths(clicks: np.ndarray) -> dict[str, float]:
    falling = np.sort(clicks)[::-1].astype(np.float64)
    parts = [part.sum() for part in np.array_split(falling, 10)]
    return {f"{10 * i}-{10 * (i + 1)}%": float(p / max(1.0, sum(parts))) for i, p in enumerate(parts)}


def _rates(group: np.ndarray, hit: np.ndarray, groups: range) -> dict[str, float]:
    size = max(groups.stop, int(group.max(initial=0)) + 1)
    shown, hits = (np.bincount(group, minlength=size), np.bincount(group, weights=hit, minlength=size))
    return {f"{g:02d}": float(hits[g] / max(1, shown[g])) for g in groups}


def _shares(codes: np.ndarray, names: list[str]) -> dict[str, float]:
    counts = np.bincount(codes.astype(np.int64), minlength=len(names))
    return {name: float(counts[i] / max(1, len(codes))) for i, name in enumerate(names)}


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="minutes")
