"""Roll out: the version that its gate passed moves in the registry as far as the settings say, and no other does."""

from __future__ import annotations

import json

import numpy as np

from sandbox.base import stages
from sandbox.base.artefacts import Manifest
from sandbox.base.rows import Row
from sandbox.pipeline.stages.arrays import read_columns, write_columns
from sandbox.pipeline.stages.spec import SOURCE, Made, Stage, Tally, Work

ACTOR = "pipeline"
NOWHERE = "candidate"


def run(work: Work) -> Tally:
    """What is to move, and whom it takes the place of: the version that it was compared with."""
    verdict = str(read_columns(work.reads["gate"][0])["verdict"][0])
    made = json.loads(work.reads["versions.json"][0].read_text())
    versions = {name: Manifest.model_validate(document).version for name, document in made.items()}
    versions["index"] = Manifest.model_validate_json(work.reads["index.json"][0].read_text()).version
    live = work.reads[f"{SOURCE}live"]
    expect = json.loads(live[0].read_text())["version"] if live else ""
    to = work.config.roll_out.to if verdict == "pass" else NOWHERE
    order = ("ranker", "two_tower", "index") if to == "live" else ("ranker",)  # first the one whose place is compared
    write_columns(
        work.file("roll_out"),
        {
            "artifact": np.array(order), "version": np.array([versions[name] for name in order]),
            "to_stage": np.array([to] * len(order)), "verdict": np.array([verdict] * len(order)),
            "expect": np.array([expect if name == "ranker" and to == "live" else "" for name in order]),
        },
    )  # fmt: skip
    return Tally(len(versions), len(order), {"not_asked_for": len(versions) - len(order)})


def publish(made: Made) -> dict[str, list[Row]]:
    """Moves by compare-and-swap. What a run moved once it does not move again: who took it back since meant it."""
    registry, column = made.root / "registry", read_columns(made.files["roll_out"])
    for artifact, version, stage, expect in zip(
        *(column[name].tolist() for name in ("artifact", "version", "to_stage", "expect")), strict=True
    ):
        now = stages.read(registry)
        moved = any((m.actor, m.version, m.to_stage) == (ACTOR, version, stage) for m in now.moves)
        if stage == NOWHERE or moved or now.stage_of(artifact, version) == stage:
            continue
        stages.move(
            registry, artifact, version, stage, expect=expect or None, actor=ACTOR, at=made.started, world_ts=made.as_of,
            why=f"run {made.run}", evidence={"verdict": "pass", "run": made.run},
        )  # fmt: skip
    return {}


STAGE = Stage(
    "roll_out",
    ("gate", "versions.json", "index.json", f"{SOURCE}live"),
    ("roll_out",),
    ("roll_out",),
    run,
    "moves in the registry what its gate passed, as far as the settings say",
    publish,
)
