"""Register: what was trained becomes versions of the registry, named by what they hold, with whom they saw."""

from __future__ import annotations

import json

import numpy as np

from sandbox.base import artefacts, stages
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.rows import Row, row_of
from sandbox.pipeline.stages.arrays import read_columns
from sandbox.pipeline.stages.spec import Made, Stage, Tally, Work
from sandbox.pipeline.stages.store import digest_of, key_of
from sandbox.pipeline.training_set import LABEL_WINDOW_H

PREFIX = {"two_tower": "tt", "ranker": "rk"}
CARDS = ("card.md", "card.html")  # of the ranker


def run(work: Work) -> Tally:
    """Manifests and files, as they are to be registered; `publish` does it."""
    from sandbox.pipeline.build import code_hash  # torch: see train

    trained = json.loads(work.reads["trained.json"][0].read_text())
    examples = read_columns(work.reads["examples"][0], ("ts", "click", "weight"))
    train = examples["ts"] < trained["cut_ts"]
    whole = Lineage(
        from_ts=float(examples["ts"][0]), to_ts=float(examples["ts"][train][-1]), rows=int(train.sum()),
        digest=digest_of([work.reads["examples"][0]]), label_window_h=LABEL_WINDOW_H,
        pos_rate=float(np.average(examples["click"][train], weights=examples["weight"][train])),
    )  # fmt: skip
    clicks = whole.model_copy(update={"rows": int((train & examples["click"]).sum()), "pos_rate": 1.0})
    manifests = {}
    for name, lineage in (("two_tower", clicks), ("ranker", whole)):
        made = trained["models"][name]
        metrics = {k: v for k, v in made["metrics"].items() if np.isfinite(v)}
        manifest = Manifest(
            artifact=name, version="unnamed", created_ts=work.as_of, code_hash=code_hash(), seed=trained["seed"],
            data=lineage, metrics=metrics, config=made["config"],
            inputs=list(trained["inputs"]) if name == "ranker" else [],
        )  # fmt: skip
        # Named by all that it holds: equal bytes have one name, and a name never stands for others.
        cards = CARDS if name == "ranker" else ()
        files = [work.reads[of][0] for of in (f"{name}.safetensors", "seen_users", *cards)]
        named = key_of({"manifest": manifest.model_dump(), "files": digest_of(files)})[:10]
        manifests[name] = manifest.model_copy(update={"version": f"{PREFIX[name]}-{named}"})
    documents = {name: manifest.model_dump() for name, manifest in manifests.items()}
    work.file("versions.json").write_text(json.dumps(documents, indent=1))
    return Tally(len(train), len(manifests), {}, whole.to_ts)


def publish(made: Made) -> dict[str, list[Row]]:
    manifests = {n: Manifest.model_validate(m) for n, m in json.loads(made.files["versions.json"].read_text()).items()}
    users = read_columns(made.files["seen_users"])["user_id"]
    packed = artefacts.pack_arrays({"user_id": users.astype(np.int32)})
    cards = {name: made.files[name].read_bytes() for name in CARDS}
    for name, manifest in manifests.items():
        tensors = made.files[f"{name}.safetensors"].read_bytes()
        files = {"model.safetensors": tensors, "users.safetensors": packed, **(cards if name == "ranker" else {})}
        register(made, manifest, files)
    _judge(made, manifests["ranker"].version)
    told = read_columns(made.files["slices"])
    figures = zip(told["slice"], told["metric"], told["value"], told["model"], strict=True)
    return {
        "eval_metrics": [
            row_of.eval_metrics(
                model_version=manifests["ranker"].version, split="held out", slice=of, metric=metric, value=float(value),
                evaluated_at=made.as_of,
            )
            for of, metric, value, who in figures
            if who == "candidate" and np.isfinite(value)
        ],
        "model_users": [row_of.model_users(model_version=m.version, user_id=int(u)) for m in manifests.values() for u in users],
        "artefact_parents": [
            parent(made, manifest, "dataset", dataset, digest)
            for manifest in manifests.values()
            for dataset, digest in made.parents.items()
        ],
        "train_runs": [
            row_of.train_runs(
                model_version=m.version, artifact=m.artifact, started=made.as_of, finished=made.as_of,
                data_from=m.data.from_ts, data_to=m.data.to_ts, label_window_h=int(m.data.label_window_h),
                n_rows=m.data.rows, pos_rate=m.data.pos_rate, config_hash=m.code_hash, data_digest=m.data.digest,
                parent=None,
            )
            for m in manifests.values()
        ],
    }  # fmt: skip


def _judge(made: Made, version: str) -> None:
    """What the gate said stands with the version, once: what it did not pass goes to no canary and not live."""
    registry, said = made.root / "registry", read_columns(made.files["gate"])
    verdict = said["verdict"].tolist()[0]
    if stages.read(registry).gates.get("ranker", {}).get(version) != verdict:
        figures = {name: float(said[name][0]) for name in ("difference", "low", "high") if np.isfinite(said[name][0])}
        stages.gate(
            registry, "ranker", version, verdict, actor="pipeline", at=made.started, world_ts=made.as_of,
            why=str(said["reason"][0]), evidence={"run": made.run, "against": str(said["against"][0]), **figures},
        )  # fmt: skip


def register(made: Made, manifest: Manifest, files: dict[str, bytes]) -> None:
    """The one place at which the pipeline writes to the registry."""
    artefacts.register(made.root / "registry", manifest, files)


def parent(made: Made, manifest: Manifest, kind: str, name: str, digest: str) -> Row:
    """A row of artefact_parents. kind: dataset or version."""
    return row_of.artefact_parents(
        version=manifest.version, artifact=manifest.artifact, run=made.run, parent_kind=kind, parent=name, digest=digest
    )


STAGE = Stage(
    "register",
    (
        "examples", "two_tower.safetensors", "ranker.safetensors", "trained.json", "seen_users", "slices", "gate", "card.md",
        "card.html",
    ),
    ("versions.json",),
    ("as_of",),
    run,
    "versions of the registry, with their card and whom they saw",
    publish,
)  # fmt: skip
