"""From a read source to a world in its place: fitted, filled in, written beside it, then renamed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.worlds import WorldManifest, world_dir
from sandbox.world.files import check_name, locked, place_for
from sandbox.world.importers import recognise
from sandbox.world.importers.complete import complete
from sandbox.world.importers.fit import Fitted, fit_choices, fit_labelled
from sandbox.world.importers.fit_shown import fit_shown
from sandbox.world.importers.levels import policy_ctrs
from sandbox.world.importers.source import Source
from sandbox.world.importers.truth import truth_of
from sandbox.world.importers.writing import positions, write_public
from sandbox.world.latent import Weights
from sandbox.world.presets import PRESETS

SEED = 7
CAROUSEL_ETA = 0.3  # position matters little where three slots stand side by side


@dataclass(frozen=True)
class Imported:
    """What became of a source. filled: what it lacked or stated in vain -> how many of its items,
    users or creators got something else, see docs/worlds.md."""

    manifest: WorldManifest
    source: Source
    filled: dict[str, int]

    @property
    def skipped(self) -> dict[str, int]:
        """Rows of the log left out, by reason: with the interactions they are all its rows."""
        return dict(self.source.skipped)

    @property
    def period(self) -> tuple[str, str]:
        """ISO times of the first and the last row that is kept, UTC."""
        first, last = self.source.log.ts[[0, -1]].tolist()
        return tuple(datetime.fromtimestamp(ts, UTC).isoformat(timespec="seconds") for ts in (first, last))  # type: ignore[return-value]

    @property
    def notes(self) -> list[str]:
        return self.source.notes

    def as_json(self) -> dict[str, object]:
        m, source = self.manifest, self.source
        return {
            "name": m.name, "users": m.users, "items": m.items, "events": m.events,
            "impressions": m.impressions, "skipped": self.skipped, "fit": m.fit,
            "filled": self.filled, "notes": self.notes, "rows": source.rows,
            "interactions": len(source.log), "from": self.period[0], "to": self.period[1],
            "skipped_entities": {
                name: dict(skipped) for name, skipped in source.skipped_entities.items()
            },
            "columns": [asdict(use) for use in source.columns],
        }  # fmt: skip


def check_free(name: str, *, force: bool) -> None:
    """Raises CFG-004 for a name that can't be one, WORLD-004 when it's taken and not `force`."""
    check_name(name)
    if name in PRESETS:
        raise SandboxError(
            "CFG-004",
            where="--name",
            seen=name,
            expected="a name that is not a preset's",
            fix="choose another name, such as my-log",
        )
    if world_dir(name).exists() and not force:
        raise SandboxError(
            "WORLD-004",
            where=str(world_dir(name)),
            seen=name,
            expected="a name not in use",
            fix="choose another name, or replace that world with --force",
        )


def import_world(
    read: Callable[[], Source], name: str, *, built: str, force: bool = False, seed: int = SEED,
    progress: ProgressFn = quiet,
) -> Imported:  # fmt: skip
    """Read, fit and write a world. built: ISO time, handed in.

    Nothing is left behind, and a world that `force` would replace stays, unless all of it succeeds.
    Raises WORLD-002 for a source that cannot be used, and what `check_free` raises.
    """
    check_free(name, force=force)
    progress("reading", 0.0)
    source = read()
    progress("fitting the behaviour", 0.3)
    with locked(name):
        check_free(name, force=force)  # another import may have taken it meanwhile
        with place_for(name) as folder:
            return _write(folder, source, name, built, seed, progress)


def _write(folder: Path, source: Source, name: str, built: str, seed: int, progress: ProgressFn) -> Imported:
    log = source.log
    start_ts, end_ts = float(log.ts[0]), float(np.floor(log.ts[-1]) + 1)
    names, topics = recognise.topic_slots(source.items.text("topics"))
    if not source.has_negatives:
        fitted = fit_choices(log, len(source.users), topics, seed)
    elif source.alone:
        fitted = fit_shown(source, seed)
    else:
        log.position = positions(source).astype(np.int16)
        fitted = fit_labelled(log, len(source.users), topics, seed)
    progress("filling in what the source lacks", 0.8)
    filled = complete(source, seed, names, topics, manner_of(fitted, topics), start_ts, end_ts)
    weights = Weights(examine_eta=CAROUSEL_ETA) if source.alone else Weights()
    latent = truth_of(fitted, log, filled.catalogue, seed, weights)
    latent.save(folder)
    progress("writing", 0.9)
    impressions, events = write_public(folder / "public", source, filled, seed)
    fit = fitted.quality | policy_ctrs(latent)
    manifest = WorldManifest(
        name=name,
        source=source.kind,
        seed=seed,
        users=len(source.users),
        items=len(source.items),
        creators=len(filled.creator_name),
        events=events,
        impressions=impressions,
        has_negatives=source.has_negatives,
        history_start_ts=start_ts,
        history_end_ts=end_ts,
        topics=names,
        content_hash=content_hash(source, seed),
        built=built,
        fit={key: round(value, 6) for key, value in fit.items()},
    )
    (folder / "world.json").write_text(manifest.model_dump_json(indent=1))
    progress("done", 1.0)
    return Imported(manifest, source, filled.filled)


def content_hash(source: Source, seed: int) -> str:
    """Of the bytes read, the code that read them and the seed."""
    whole = hashlib.sha256(f"{source.kind}/{source.digest}/{seed}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def manner_of(fitted: Fitted, topics: np.ndarray) -> np.ndarray:
    """float64 [items]: place along the axis on which fitted tastes differ most, beyond topics.

    Unit standard deviation; the sign puts the longer tail above 0.
    """
    item = fitted.item.astype(np.float64)
    design = np.hstack([topics, np.ones((len(item), 1))])
    rest = item - design @ np.linalg.lstsq(design, item, rcond=None)[0]
    _, vectors = np.linalg.eigh(rest.T @ rest)
    place = rest @ vectors[:, -1]
    place = (place - place.mean()) / (place.std() + 1e-12)
    return np.asarray(place if (place**3).mean() >= 0 else -place)
