"""Tables of the lake that are fixed when a run begins: `python -m sandbox.runtime.publish [RUN_DIR]`.

Catalogue, users, consents, and what the offline plane left in the registry. A process of its own that
ends when it is done: Parquet and the offline files stay out of the memory of whoever runs on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sandbox.base import artefacts
from sandbox.base.artefacts import Artefact
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, N_TOPICS, SEGMENTS, USER_PROFILE, segment_codes
from sandbox.base.rows import Row, row_of
from sandbox.base.run import RunInfo, write_atomically
from sandbox.base.worlds import WorldManifest, load_manifest
from sandbox.runtime.local.child import failure_file
from sandbox.runtime.local.lossy_log import lose_lines_on_a_full_disk
from sandbox.runtime.rows import send_rows
from sandbox.runtime.settings import ContainerSettings
from sandbox.runtime.tether import tether_to_supervisor

FIRST = "-1"  # how versions of the first generation end: they are in the lake from the run's beginning
_SAMPLED_ENTITIES = 500  # of each kind in offline_features: enough to compare with what is served
_LABELS = ("click", "long_dwell", "conversion")


def publish(run: RunInfo) -> dict[str, int]:
    """Sends every fixed table to the collector. Returns rows by table.

    Raises WORLD-001, WORLD-003, MODEL-001, MODEL-002, and RUN-001 when there is no collector.
    """
    world = Path(run.world_dir)
    manifest = load_manifest(run.world)
    there = {(a.manifest.artifact, a.manifest.version): a for a in artefacts.versions(world / "registry")}
    features = artefacts.load(world / "registry", "features", artefacts.FEATURES_VERSION)
    tables = {
        **catalogue_tables(world / "public", manifest, features),
        "offline_features": list(offline_rows(features)),
        **registry_tables(list(there.values())),
    }
    for table, rows in tables.items():
        if not send_rows(run, table, rows, "runtime"):
            raise SandboxError(
                "RUN-001",
                where="collector",
                seen=f"no connection for {table}",
                expected="a running collector",
                fix="see the collector's log",
            )
    return {table: len(rows) for table, rows in tables.items()}


def catalogue_tables(public: Path, manifest: WorldManifest, features: Artefact) -> dict[str, list[Row]]:
    """items, users, creators and consent_ledger by table. Raises WORLD-003."""
    items, users = _table(public / "items.parquet"), _table(public / "users.parquet")
    creators, ledger = (_table(public / "creators.parquet"), _table(public / "consent_ledger.parquet"))
    traits = user_traits(features, manifest.users, manifest.topics)  # by number: the erased have no row
    segment, main_topic = ([of[user] for user in users["user_id"]] for of in traits)
    return {
        "items": _across(row_of.items(
            item_id=items["item_id"], title=items["title"], created_ts=items["published_ts"],
            creator_id=items["creator_id"], creator_group=items["creator_group"],
            category=items["category"], lang=items["lang"], sensitivity=items["sensitivity"],
            sens_score=items["sens_score"], sens_labelled_ts=items["sens_labelled_ts"],
            age_rating=items["age_rating"],
            regions=[",".join(r or ()) for r in items["regions"]],
            duration_s=items["duration_s"], price=items["price"], sponsored=items["sponsored"],
            in_stock=items["in_stock"], deleted_ts=[None] * len(items["item_id"]),
        )),
        "users": _across(row_of.users(
            user_id=users["user_id"], home_region=users["region"],
            jurisdiction=users["jurisdiction"], lang=users["lang"], age_band=users["age_band"],
            gender=users["gender"], segment=segment, main_topic=main_topic,
            created_ts=users["created_ts"],
        )),
        "creators": _across(row_of.creators(
            creator_id=creators["creator_id"], name=creators["name"],
            creator_group=creators["creator_group"], followers=creators["followers"],
        )),
        "consent_ledger": _across(row_of.consent_ledger(
            user_id=ledger["user_id"], purpose=ledger["purpose"], state=ledger["state"],
            effective_ts=ledger["effective_ts"], jurisdiction=ledger["jurisdiction"],
            signal=ledger["signal"],
        )),
    }  # fmt: skip


def _table(path: Path) -> dict[str, list[Any]]:
    try:
        columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    except (OSError, ValueError) as error:  # ValueError: what Arrow says of a torn file
        raise SandboxError(
            "WORLD-003",
            where=str(path),
            seen=str(error)[:300],
            expected="a table of the world",
            fix="build or import the world anew with --force",
        ) from error
    return columns


def user_traits(features: Artefact, n_users: int, topics: Sequence[str]) -> tuple[list[str], list[str | None]]:
    """Segment and main topic of every user, as serving sees them; `new` for whom it may not know."""
    arrays = features.arrays("features.safetensors")
    segment, main = ["new"] * n_users, [None] * n_users  # type: list[str], list[str | None]
    profile, at = arrays["user_profile"], USER_PROFILE.columns.index
    codes = segment_codes(profile[:, at("impressions_28d_log")])
    shares = profile[:, at("topic_00") : at("topic_00") + N_TOPICS]
    for row, user in enumerate(arrays["user_id"].tolist()):
        segment[user] = SEGMENTS[int(codes[row])]
        best = int(shares[row].argmax())
        main[user] = topics[best] if shares[row, best] > 0 and best < len(topics) else None
    return segment, main


def offline_rows(features: Artefact) -> Iterable[Row]:
    """A sample of what the batch job computed, for comparison with what is served."""
    arrays, as_of = features.arrays("features.safetensors"), features.manifest.created_ts
    n_items = len(arrays["item_stats"])
    for view, ids, values in (
        (USER_PROFILE, arrays["user_id"], arrays["user_profile"]),
        (ITEM_STATS, np.arange(n_items), arrays["item_stats"]),
    ):
        step = max(1, len(ids) // _SAMPLED_ENTITIES)
        for row in range(0, len(ids), step):
            entity_id = str(ids[row])
            for column, value in zip(view.columns, values[row].tolist(), strict=True):
                yield row_of.offline_features(
                    as_of=as_of, entity=view.entity, entity_id=entity_id, view=view.name, feature=column, value=value
                )


def registry_tables(artefacts: list[Artefact]) -> dict[str, list[Row]]:
    """train_runs, eval_metrics, registry_events and training_rows of the first generation."""
    runs: list[Row] = []
    metrics: list[Row] = []
    events: list[Row] = []
    sample: list[Row] = []
    for artefact in artefacts:
        m = artefact.manifest
        if not m.version.endswith(FIRST):
            continue  # trained for a release: it enters the lake with its rollout
        for action in ("registered", "promoted"):
            events.append(event_row(artefact, m.created_ts, action, actor="pipeline"))
        metrics += metric_rows(artefact, m.created_ts)
        if m.artifact in ("two_tower", "ranker"):
            runs.append(train_run_row(artefact, m.created_ts))
        if "training_rows.safetensors" in m.files:
            sample += training_rows(artefact)
    return {"train_runs": runs, "eval_metrics": metrics, "registry_events": events, "training_rows": sample}


def version(
    send: Callable[[str, list[Row]], None], artefact: Artefact, ts: float, actor: str, gate_result: str = "pass"
) -> None:
    """Brings a version that comes to a stack into the lake, as any training run does. All of it is dated `ts`, world
    seconds: no row that names it is older than the moment at which it can be read. send: takes a table's rows."""
    m = artefact.manifest
    send("registry_events", [event_row(artefact, ts, "registered", actor=actor, gate_result=gate_result)])
    send("eval_metrics", metric_rows(artefact, ts))
    if m.artifact in ("two_tower", "ranker"):
        send("train_runs", [train_run_row(artefact, ts)])
    if "training_rows.safetensors" in m.files:
        send("training_rows", training_rows(artefact))
    if "users.safetensors" in m.files:
        users = artefact.arrays("users.safetensors")["user_id"].tolist()
        send("model_users", [row_of.model_users(model_version=m.version, user_id=user) for user in users])


def metric_rows(artefact: Artefact, ts: float) -> list[Row]:
    """Rows of eval_metrics. A metric called `name[column=value]` belongs to that slice. ts: world seconds at
    which the version entered the registry."""
    m, rows = artefact.manifest, []
    for name, value in sorted(m.metrics.items()):
        metric, bracket, slice_ = name.partition("[")
        where = slice_.rstrip("]") if bracket else "all"
        rows.append(
            row_of.eval_metrics(
                model_version=m.version, split="held_out", slice=where, metric=metric, value=value, evaluated_at=ts
            )
        )
    return rows


def event_row(artefact: Artefact, ts: float, action: str, *, actor: str, gate_result: str = "pass") -> Row:
    """Row of registry_events. ts: world seconds. gate_result: what a world and its drills bring has passed."""
    m = artefact.manifest
    return row_of.registry_events(
        ts=ts, artifact=m.artifact, version=m.version, action=action, actor=actor,
        gate_result=gate_result, digest=artefact.digest,
    )  # fmt: skip


def train_run_row(artefact: Artefact, ts: float) -> Row:
    """Row of train_runs. World time stands still while models are trained: a run begins and ends at `ts`,
    the world seconds at which its version entered the registry."""
    m = artefact.manifest
    return row_of.train_runs(
        model_version=m.version, artifact=m.artifact, started=ts, finished=ts,
        data_from=m.data.from_ts, data_to=m.data.to_ts,
        label_window_h=round(m.data.label_window_h), n_rows=m.data.rows, pos_rate=m.data.pos_rate,
        config_hash=str(m.config.get("key", m.code_hash)), data_digest=m.data.digest,
        parent=m.parents.get(m.artifact),
    )  # fmt: skip


def training_rows(artefact: Artefact) -> list[Row]:
    """Rows of training_rows: the sample kept with the ranker, one row per label."""
    a, version = artefact.arrays("training_rows.safetensors"), artefact.manifest.version
    n, rows = len(a["user_id"]), []
    for label in _LABELS:
        rows += _across(row_of.training_rows(
            model_version=[version] * n, user_id=[user if user >= 0 else None for user in a["user_id"].tolist()],
            item_id=a["item_id"].tolist(), label=a[label].astype(float).tolist(),
            label_kind=[label] * n, event_ts=a["event_ts"].tolist(),
            label_ts=[_time(t) for t in a["label_ts"].tolist()],
            feature_as_of=a["feature_as_of"].tolist(), weight=a["weight"].tolist(),
            position=a["position"].tolist(),
        ))  # fmt: skip
    return rows


def _time(ts: float) -> float | None:
    return ts if np.isfinite(ts) else None


def _across(columns: Row) -> list[Row]:
    """Rows of a table. columns: a row of it with a whole column in each place."""
    return list(zip(*columns, strict=True))


def main(argv: list[str]) -> int:
    """argv: [RUN_DIR]; without it the environment of a container says where the run is."""
    tether_to_supervisor()
    lose_lines_on_a_full_disk()
    run_dir = Path(argv[0]) if argv else ContainerSettings.read().run_dir
    try:
        n = publish(RunInfo.load(run_dir))
    except SandboxError as error:
        print(f"error {error}", file=sys.stderr)  # noqa: T201 the process's own log file
        with suppress(OSError):
            write_atomically(failure_file(run_dir, "publish"), json.dumps(error.as_json()))
        return 1
    print(f"info published {sum(n.values())} rows of {len(n)} tables")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
