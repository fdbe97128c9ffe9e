"""Build index: the item vectors of the new two-tower, to be searched; registered under the name of its towers."""

from __future__ import annotations

import json

from sandbox.base.artefacts import Manifest
from sandbox.base.rows import Row
from sandbox.pipeline.stages.register import parent, register
from sandbox.pipeline.stages.spec import Made, Stage, Tally, Work

FILES = ("index.faiss", "vectors.safetensors")


def run(work: Work) -> Tally:
    from sandbox.pipeline import index  # torch: see train
    from services.model.core import encode_items, load_two_tower

    towers = Manifest.model_validate(json.loads(work.reads["versions.json"][0].read_text())["two_tower"])
    model = load_two_tower(work.reads["two_tower.safetensors"][0].read_bytes(), towers.config)
    vectors = encode_items(model)
    manifest, files = index.artefact(
        vectors, encoder_version=towers.version, version=towers.version.replace("tt-", "ix-", 1), like=towers
    )
    for name in FILES:
        work.file(name).write_bytes(files[name])
    work.file("index.json").write_text(manifest.model_dump_json(indent=1))
    return Tally(len(vectors), len(vectors))


def publish(made: Made) -> dict[str, list[Row]]:
    manifest = Manifest.model_validate_json(made.files["index.json"].read_text())
    register(made, manifest, {name: made.files[name].read_bytes() for name in FILES})
    towers = manifest.parents["two_tower"]
    return {"artefact_parents": [parent(made, manifest, "version", towers, made.parents["two_tower.safetensors"])]}


STAGE = Stage(
    "build_index",
    ("versions.json", "two_tower.safetensors"),
    ("index.json", *FILES),
    (),
    run,
    "item vectors of the new two-tower, to be searched",
    publish,
)
