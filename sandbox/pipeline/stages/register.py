"""Register: what was trained becomes versions of the registry, named by what they are, with whom they saw."""

from __future__ import annotations

import json

import numpy as np

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.rows import Row, row_of
from sandbox.pipeline.stages.arrays import read_columns
from sandbox.pipeline.stages.spec import Made, Stage, Tally, Work
from sandbox.pipeline.stages.store import digest_of, key_of
from sandbox.pipeline.training_set import LABEL_WINDOW_H

PREFIX = {"two_tower": "tt", "ranker": "rk"}  # the index has the name of the towers that it is of


def run(work: Work) -> Tally:
    """Manifests and files, as they are to be registered; `publish` does it."""
    from sandbox.pipeline import index
    from sandbox.pipeline.build import code_hash
    from services.model.core import encode_items, load_two_tower

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
        files = [work.reads[of][0] for of in (f"{name}.safetensors", "seen_users", "card.md", "card.html")]
        named = key_of({"manifest": manifest.model_dump(), "files": digest_of(files)})[:10]
        manifests[name] = manifest.model_copy(update={"version": f"{PREFIX[name]}-{named}"})
    towers = manifests["two_tower"]
    model = load_two_tower(work.reads["two_tower.safetensors"][0].read_bytes(), towers.config)
    manifests["index"], searched = index.artefact(
        encode_items(model), encoder_version=towers.version, version=towers.version.replace("tt-", "ix-"), like=towers
    )
    for name, blob in searched.items():
        work.file(name).write_bytes(blob)
    documents = {name: manifest.model_dump() for name, manifest in manifests.items()}
    work.file("versions.json").write_text(json.dumps(documents, indent=1))
    return Tally(len(train), len(manifests), {}, whole.to_ts)


def publish(made: Made) -> dict[str, list[Row]]:
    manifests = {n: Manifest.model_validate(m) for n, m in json.loads(made.files["versions.json"].read_text()).items()}
    users = read_columns(made.files["seen_users"])["user_id"]
    packed = artefacts.pack_arrays({"user_id": users.astype(np.int32)})
    cards = {name: made.files[name].read_bytes() for name in ("card.md", "card.html")}
    files = {
        "two_tower": {"model.safetensors": made.files["two_tower.safetensors"].read_bytes(), "users.safetensors": packed},
        "ranker": {
            "model.safetensors": made.files["ranker.safetensors"].read_bytes(), "users.safetensors": packed, **cards,
        },
        "index": {name: made.files[name].read_bytes() for name in ("index.faiss", "vectors.safetensors")},
    }  # fmt: skip
    for name, manifest in manifests.items():
        artefacts.register(made.root / "registry", manifest, files[name])
    trained = [manifests[name] for name in ("two_tower", "ranker")]
    parents = [(m, "dataset", d, digest) for m in trained for d, digest in made.parents.items()]
    parents += [(manifests["index"], "version", trained[0].version, trained[0].data.digest)]
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
        "model_users": [row_of.model_users(model_version=m.version, user_id=int(u)) for m in trained for u in users],
        "artefact_parents": [
            row_of.artefact_parents(
                version=m.version, artifact=m.artifact, run=made.run, parent_kind=kind, parent=parent, digest=digest
            )
            for m, kind, parent, digest in parents
        ],
        "train_runs": [
            row_of.train_runs(
                model_version=m.version, artifact=m.artifact, started=made.as_of, finished=made.as_of,
                data_from=m.data.from_ts, data_to=m.data.to_ts, label_window_h=int(m.data.label_window_h),
                n_rows=m.data.rows, pos_rate=m.data.pos_rate, config_hash=m.code_hash, data_digest=m.data.digest,
                parent=None,
            )
            for m in trained
        ],
    }  # fmt: skip


STAGE = Stage(
    "register",
    (
        "examples", "two_tower.safetensors", "ranker.safetensors", "trained.json", "seen_users", "slices", "gate", "card.md",
        "card.html",
    ),
    ("versions.json", "index.faiss", "vectors.safetensors"),
    ("as_of",),
    run,
    "versions of the registry, with their index, their card and whom they saw",
    publish,
)  # fmt: skip
