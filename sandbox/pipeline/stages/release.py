"""The pipeline's run behind a release: versions under the names that the release calls them by, and what the run found.

The run goes into a book of its own, so that the world's own runs are what they were; what its stages made is kept in
the world, by content, for whoever asks for the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sandbox.base import artefacts
from sandbox.base.artefacts import Manifest
from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.rows import Row, row_of
from sandbox.pipeline.stages import check
from sandbox.pipeline.stages.arrays import read_columns
from sandbox.pipeline.stages.book import Book, Run, rows_of
from sandbox.pipeline.stages.engine import Armed, Engine
from sandbox.pipeline.stages.plan import STAGES
from sandbox.pipeline.stages.register import CARDS, PREFIX
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.pipeline.stages.sources import of_world
from sandbox.pipeline.stages.store import Dataset

_RUN = "p-1"  # the first of a book
_KEPT = tuple(replace(stage, publish=None) for stage in STAGES)  # the world's registry and book are not touched


def train_for_release(
    world_dir: Path,
    *,
    suffix: str,
    artifacts: Sequence[str],
    into: Path,
    config: PipelineConfig | None = None,
    bypass: Mapping[str, str] | None = None,
    armed: Mapping[str, Armed] | None = None,
    progress: ProgressFn = quiet,
) -> Run:
    """Runs the whole pipeline over the world's history and registers tt-`suffix` with ix-`suffix`, and rk-`suffix`, as
    `artifacts` names them, in `into`. The run lies in `into`/.book-`suffix`, for `told`.

    armed: what is wrapped around which stage. bypass: check -> why it may fail. Raises PIPE-005 where a check stops
    the run, and what the pipeline raises.
    """
    book = _book(into, suffix)
    began = iter(range(1 << 30))  # training takes no world time: the clock only tells what came after what
    engine = Engine(
        of_world(world_dir), _KEPT, check.standard(), lambda: float(next(began)), lambda: 0.0, progress, armed, book
    )
    run = engine.run(config or PipelineConfig(), bypass=bypass)
    if run.blocked_by:
        raise SandboxError(
            "PIPE-005",
            where=f"release of generation {suffix}, stage {run.blocked_by.stage}",
            seen=run.blocked_by.reason,
            expected=f"check {run.blocked_by.check} to pass",
            fix="mend what it found, or let it go on and say why: pipeline.bypass of the release",
        )
    made = {
        name: dataset
        for one in run.stages
        if (entry := engine.store.find(one.stage, one.key))
        for name, dataset in entry.outputs.items()
    }
    _register(made, suffix, artifacts, into, Catalogue.load(engine.sources.files["catalogue"][0]))
    return run


def told(into: Path, suffix: str, ts: float) -> dict[str, list[Row]]:
    """Rows of the lake that tell of the run behind a generation that waits in `into`, by table; none where no pipeline
    made it. All of it is dated `ts`, world seconds: no row that tells of it is older than the moment at which it can be
    read. What was kept from other runs counts as made in this one: a drill's world has seen no other. Who let a check
    go on is the release's own change record."""
    book = _book(into, suffix)
    if not book.exists():
        return {}
    run = Book(book).read(_RUN)
    stages = [one.model_copy(update={"started": ts, "finished": ts, "cached": False}) for one in run.stages]
    renamed = {"run": f"p-{suffix}", "started": ts, "finished": ts, "stages": stages}
    tables = rows_of(run.model_copy(update=renamed))
    tables.pop("changes", None)
    return {
        **tables,
        "artefact_parents": [
            row_of.artefact_parents(
                version=f"{PREFIX[artifact]}-{suffix}", artifact=artifact, run=f"p-{suffix}", parent_kind="dataset",
                parent=dataset, digest=digest,
            )
            for artifact in PREFIX
            if (into / artifact / f"{PREFIX[artifact]}-{suffix}").exists()
            for one in run.stages
            if one.stage == "train"
            for dataset, digest in one.inputs.items()
        ],
    }  # fmt: skip


def _register(
    made: Mapping[str, Dataset], suffix: str, artifacts: Sequence[str], into: Path, catalogue: Catalogue
) -> None:
    from sandbox.pipeline import index  # torch: only for who trains

    manifests = {n: Manifest.model_validate(m) for n, m in json.loads(made["versions.json"].path.read_text()).items()}
    users = artefacts.pack_arrays({"user_id": read_columns(made["seen_users"].path)["user_id"].astype(np.int32)})
    for name in artifacts:
        manifest = manifests[name].model_copy(update={"version": f"{PREFIX[name]}-{suffix}"})
        files = {"model.safetensors": made[f"{name}.safetensors"].path.read_bytes(), "users.safetensors": users}
        if name == "ranker":
            manifest = manifest.model_copy(update={"metrics": manifest.metrics | _slices(made["slices"].path)})
            files |= {card: made[card].path.read_bytes() for card in CARDS}
            files["training_rows.safetensors"] = _sample(made, catalogue)
        artefacts.register(into, manifest, files)
        if name == "two_tower":
            index.rebuild([into], manifest.version, f"ix-{suffix}", into)


def _slices(path: Path) -> dict[str, float]:
    """Figures of the new ranker by slice, in the names that a manifest has for them: metric[column=value]."""
    column = read_columns(path)
    rows = zip(column["slice"], column["metric"], column["value"], column["model"], strict=True)
    return {
        metric if of == "all" else f"{metric}[{of}]": float(value)
        for of, metric, value, who in rows
        if who == "candidate" and np.isfinite(value)
    }


def _sample(made: Mapping[str, Dataset], catalogue: Catalogue) -> bytes:
    from sandbox.pipeline.build import take, training_sample  # torch
    from sandbox.pipeline.stages.training import read_joined

    rows, _ = read_joined(made["examples"].path, made["tower_rows"].path)
    cut_ts = json.loads(made["trained.json"].path.read_text())["cut_ts"]
    return training_sample(take(rows, rows.examples.ts < cut_ts), catalogue.user_personalised)


def _book(into: Path, suffix: str) -> Path:
    return into / f".book-{suffix}"
