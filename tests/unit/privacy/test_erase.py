"""Who is erased is nowhere any more, stays so whatever is written later, and a receipt says what was found."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base import artefacts, tombstones
from sandbox.base.errors import SandboxError
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.privacy import erase as erasing
from sandbox.privacy import people
from sandbox.privacy.erase import Deletion, erase, heed, locked
from sandbox.privacy.export import export, markdown
from sandbox.privacy.files import arrays_of
from sandbox.telemetry.segments import SegmentStore
from tests.unit.privacy import mini
from tests.unit.privacy.mini import NOW

USER = 3


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven people, each shown ten things; a model, a stage's output, a run's lake and a simulated run."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    folder = tmp_path / "worlds" / "w"
    shown = [(user, user + step / 10) for step in range(10) for user in range(7)]
    made = mini.world(folder, mini.people(7), mini.yes(7), shown, trained=[1, USER, USER, 5])
    stage = made / "pipeline" / "cache" / "labels" / "k"
    stage.mkdir(parents=True)
    shutil.copy(made / "public" / "impressions.parquet", stage / "labels.parquet")
    (stage / "stage.json").write_text('{"stage": "labels"}')
    lake(tmp_path / "runs" / "r", made)
    (tmp_path / "twins").mkdir()
    np.savez(
        tmp_path / "twins" / "a.npz", **{"requests.user": np.array([1, USER]), "requests.ts": np.array([1.0, 2.0])}
    )
    np.savez(tmp_path / "twins" / "b.npz", **{"requests.user": np.array([1, 2]), "requests.ts": np.array([1.0, 2.0])})
    return made


def lake(run_dir: Path, world: Path) -> None:
    run_dir.mkdir(parents=True)
    run = RunInfo(
        run_dir=str(run_dir), world="w", world_dir=str(world), world_start=NOW, wall_start=0.0, speed=60.0, seed=1, redis="",
        addresses={}, metrics={},
    )  # fmt: skip
    (run_dir / "run.json").write_text(json.dumps(asdict(run)))
    store = SegmentStore(run_dir / "lake", lambda: 0.0)
    for number, user in enumerate((1, USER, 2)):
        for table, row in rows_of(user, f"r{number}"):
            store.add(table, [row])
        store.flush()


def rows_of(user: int, request: str):
    yield "outcomes", row_of.outcomes(
        event_ts=NOW, ingest_ts=NOW, event_id=request, request_id=request, session_id="s", user_id=user, item_id=1,
        kind="click", value=1.0,
    )  # fmt: skip
    yield "candidates", row_of.candidates(ts=NOW, request_id=request, source="ann", item_id=1, rank=1, score=0.5)
    yield "served_features", row_of.served_features(
        ts=NOW, request_id=request, entity="user", entity_id=str(user), view="user_seen", feature="seen_000", value=1.0,
        feature_event_ts=NOW, status="PRESENT", writer_run="1",
    )  # fmt: skip


def deleted(world: Path, *names: str, **options) -> Deletion:
    return erase(world, people.found(world, names or [str(USER)]), now=NOW, **options)


def everywhere(home: Path, user: int) -> dict[str, int]:
    """Rows of a user in every file below a folder: looked for without any of the code under test."""
    found = {}
    for path in sorted(home.rglob("*")):
        if path.suffix == ".parquet":
            table = pq.read_table(path).to_pydict()
            mine = [n for n in ("user_id", "user") if n in table]
            n = sum(value == user for name in mine for value in table[name])
            n += sum(
                e == "user" and i == str(user)
                for e, i in zip(table.get("entity", ()), table.get("entity_id", ()), strict=True)
            )
        elif path.suffix in (".npz", ".safetensors"):
            arrays = arrays_of(path)
            n = sum(
                int((a == user).sum()) for name, a in arrays.items() if name.rpartition(".")[2] in ("user", "user_id")
            )
        else:
            continue
        if n:
            found[path.relative_to(home).as_posix()] = n
    return found


def test_after_it_no_file_that_names_users_names_the_erased(world, tmp_path):
    before = everywhere(tmp_path, USER)
    assert len(before) >= 8, "the world under test has something to lose"
    others = {path: n for path, n in everywhere(tmp_path, 1).items() if "labels" not in path and "twins/a" not in path}
    done = deleted(world)
    assert done.complete
    assert everywhere(tmp_path, USER) == {}
    assert everywhere(tmp_path, 1) == others
    assert {s.after for s in done.stores} == {0}
    told = {s.name: s.before for s in done.stores}
    assert told["worlds/w/public/impressions.parquet"] == 10
    assert told["worlds/w/registry/ranker/rk-1/training_rows.safetensors"] == 2
    assert told["runs/r/lake/candidates"] == 1, "a row that names no user goes with the request"
    assert not (tmp_path / "twins" / "a.npz").exists()
    assert (tmp_path / "twins" / "b.npz").exists()


def test_a_simulated_run_of_another_world_is_of_other_people(world, tmp_path):
    other = tmp_path / "twins" / "c.npz"
    np.savez(other, **{"requests.user": np.array([USER]), "requests.ts": np.array([1.0]), "world": np.array("v")})

    assert deleted(world).document()["stores"]["twins"] == {"before": 1, "after": 0}
    assert other.exists()


def test_what_is_left_is_what_it_was_in_its_order(world):
    path = world / "public" / "impressions.parquet"
    before = [row for row in pq.read_table(path).to_pylist() if row["user_id"] != USER]
    schema = pq.read_schema(path)
    deleted(world)
    assert pq.read_table(path).to_pylist() == before
    assert pq.read_schema(path).equals(schema)
    assert artefacts.load(world / "registry", "ranker", "rk-1").arrays("training_rows.safetensors")[
        "user_id"
    ].tolist() == [1, 5]


def test_the_models_that_saw_the_person_are_listed_and_those_that_did_not_are_not(world):
    assert deleted(world).models == ("rk-1",)
    assert deleted(world, "6").models == ("rk-1",), "in the period that it was trained on, if not in its sample"
    (mine,) = people.found(world, ["4"])
    path = artefacts.load(world / "registry", "ranker", "rk-1").path / "users.safetensors"
    path.write_bytes(artefacts.pack_arrays({"user_id": np.array([1, 2], np.int32)}))
    assert erase(world, [mine], now=NOW).models == ()


def test_the_pipelines_list_of_a_models_users_is_believed_and_loses_the_erased(world):
    path = world / "pipeline" / "lake" / "model_users" / "p-1.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"model_version": ["rk-1", "rk-1", "rk-2"], "user_id": [1, 2, USER]}), path)
    assert deleted(world).models == ("rk-2",)
    assert pq.read_table(path)["user_id"].to_pylist() == [1, 2]


def test_the_receipt_names_nobody_and_the_content_hash_names_the_set(world):
    plain = json.loads((world / "world.json").read_text())["content_hash"]
    done = deleted(world, "2")
    text = (world / "privacy" / "receipts" / f"{done.receipt['id']}.json").read_text()
    told = json.loads(text)
    assert told["complete"] is True
    assert told["people"] == [tombstones.user_hash(tombstones.load(world).salt, 2)]
    assert "key-2" not in text + (world / "privacy" / "tombstones.jsonl").read_text()
    assert [(due["law"], due["by"], due["confirm_by"]) for due in told["due"]] == [
        ("CCPA/CPRA", "2026-04-16", "2026-03-16")
    ]
    assert json.loads((world / "world.json").read_text())["content_hash"].startswith(plain + "+")


def test_the_same_people_are_the_same_hash_whichever_went_first(world, tmp_path):
    other = tmp_path / "worlds" / "other"
    shutil.copytree(world, other)
    (world / "privacy").mkdir()
    (world / "privacy" / "salt").write_text("00" * 16)
    shutil.copytree(world / "privacy", other / "privacy")
    deleted(world, "1")
    deleted(world, "2")
    erase(other, people.found(other, ["2", "1"]), now=NOW, runs=())
    hashes = {json.loads((w / "world.json").read_text())["content_hash"] for w in (world, other)}
    assert len(hashes) == 1


def test_twice_is_no_mistake_and_keeps_the_first_receipt(world):
    first = deleted(world)
    again = deleted(world)
    assert (again.already, again.complete) == (True, True)
    assert again.receipt["id"] == first.receipt["id"]


def test_a_dry_run_counts_and_changes_nothing(world, tmp_path):
    before = everywhere(tmp_path, USER)
    done = deleted(world, dry_run=True)
    assert not done.complete
    assert sum(s.before for s in done.stores) > 10
    assert everywhere(tmp_path, USER) == before
    assert tombstones.load(world).stones == ()


def test_a_store_that_cannot_be_read_makes_it_incomplete_and_never_done(world, tmp_path):
    damaged = world / "registry" / "ranker" / "rk-1" / "training_rows.safetensors"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:40])
    (tmp_path / "runs" / "lost").mkdir()
    (tmp_path / "runs" / "lost" / "run.json").write_text("{")
    done = deleted(world)
    lost = {s.name: s.after for s in done.stores if s.error}
    assert lost == {"worlds/w/registry/ranker/rk-1/training_rows.safetensors": None, "runs/lost": None}
    assert not done.complete
    assert done.receipt["complete"] is False
    damaged.write_bytes(whole)
    shutil.rmtree(tmp_path / "runs" / "lost")
    again = deleted(world)
    assert (again.complete, again.receipt["complete"], again.receipt["id"]) == (True, True, done.receipt["id"])
    told = json.loads((world / "privacy" / "receipts" / f"{done.receipt['id']}.json").read_text())
    assert len(told["attempts"]) == 2
    assert everywhere(tmp_path, USER) == {}


def test_redis_that_does_not_answer_makes_it_incomplete(world, tmp_path):
    path = tmp_path / "runs" / "r" / "run.json"
    # Without a supervisor, as in containers: nobody here can say that it is down.
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"redis": str(tmp_path / "no.sock"), "controls": {"a": "b:1"}})
    )
    done = deleted(world)
    assert [s.error["code"] for s in done.stores if s.error] == ["STORE-001"]
    assert not done.complete


def test_a_deletion_that_was_killed_is_finished_by_the_next(world, tmp_path, monkeypatch):
    done_with: list[str] = []

    def killed(store, who):
        if len(done_with) == 3:
            raise KeyboardInterrupt
        done_with.append(store.name)
        return kept(store, who)

    kept = erasing._erased
    monkeypatch.setattr(erasing, "_erased", killed)
    with pytest.raises(KeyboardInterrupt):
        deleted(world)
    monkeypatch.undo()
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    assert everywhere(tmp_path, USER) != {}
    assert not [p for p in tmp_path.rglob(".*") if p.is_file() and p.name != ".lock"], "nothing half-written"
    assert deleted(world).complete
    assert everywhere(tmp_path, USER) == {}


@pytest.mark.parametrize(
    ("name", "by_key"), [("7", False), ("-1", False), ("x", False), ("9" * 40, False), ("key-9", True)]
)
def test_somebody_whom_the_world_never_had_is_told_so(world, name, by_key):
    with pytest.raises(SandboxError, match="PRIV-002"):
        people.found(world, [name], by_key=by_key)


def test_people_are_known_by_the_sources_key_and_an_erased_key_tells_no_number(world):
    assert people.found(world, ["key-3"], by_key=True)[0].user == USER
    deleted(world)
    with pytest.raises(SandboxError, match="was erased"):
        people.found(world, ["key-3"], by_key=True)


def test_while_somebody_exports_nobody_is_erased_and_the_other_way_round(world, tmp_path):
    before = everywhere(tmp_path, USER)
    with locked(world, shared=True):
        with pytest.raises(SandboxError, match="PRIV-004"):
            deleted(world)
        export(world, people.found(world, ["1"])[0])
    assert everywhere(tmp_path, USER) == before
    with locked(world, shared=False), pytest.raises(SandboxError, match="PRIV-004"):
        export(world, people.found(world, ["1"])[0])


def test_damaged_tombstones_stop_everybody(world):
    deleted(world)
    (world / "privacy" / "tombstones.jsonl").write_text("half a li")
    with pytest.raises(SandboxError, match="PRIV-003"):
        deleted(world, "1")
    with pytest.raises(SandboxError, match="PRIV-003"):
        heed(world, world)


def test_a_world_that_takes_its_place_has_the_erased_gone_even_under_another_number(world, tmp_path):
    deleted(world)
    fresh = tmp_path / "worlds" / "fresh"
    # The source lists people in another order: the erased key-3 is number 1 now.
    shown = [(user, float(user)) for user in range(7)]
    mini.world(fresh, mini.people(7), mini.yes(7), shown)
    users = pq.read_table(fresh / "public" / "users.parquet")
    keys = ["key-0", "key-3", "key-2", "key-1", "key-4", "key-5", "key-6"]
    pq.write_table(
        users.set_column(users.schema.get_field_index("key"), "key", [keys]), fresh / "public" / "users.parquet"
    )
    heed(fresh, world)
    assert everywhere(fresh, 1) == {}
    assert everywhere(fresh, USER) != {}, "number 3 is somebody else there"
    assert tombstones.load(fresh).users(7).tolist() == [1]
    hashes = [json.loads((w / "world.json").read_text())["content_hash"] for w in (fresh, world)]
    assert all("+" in text for text in hashes)


def test_feedback_that_waits_for_the_lake_is_blanked_where_it_stands(world, tmp_path):
    journal = tmp_path / "runs" / "r" / "outcomes.journal"
    lines = [
        json.dumps(row) for user in (1, USER, 2) for table, row in rows_of(user, f"q{user}") if table == "outcomes"
    ]
    journal.write_text("\n" + "\n".join(lines) + '\n["half')
    with journal.open("ab") as writer:  # as the events service holds it
        store = deleted(world, str(USER)).document()["stores"]["runs/r/outcomes.journal"]
        writer.write(b'\n["later"]\n')
    left = journal.read_text()

    assert store == {"before": 1, "after": 0}
    assert [line for line in left.split("\n") if line.strip()] == [lines[0], lines[2], '["half', '["later"]']
    assert left.index(lines[2]) == len(lines[0]) + len(lines[1]) + 3, "who knows how far it has read goes on"


def test_the_lakes_writer_heeds_the_tombstone(world, tmp_path):
    watch = tombstones.Watch(world)
    store = SegmentStore(tmp_path / "lake", lambda: 0.0, watch.users)
    tombstones.add(world, [(USER, "key-3")], erased_ts=NOW, receipt="rc-1")
    for user in (1, USER):
        for table, row in rows_of(user, f"r{user}"):
            store.add(table, [row])
    store.flush()
    assert pq.read_table(next((tmp_path / "lake" / "outcomes").glob("*.parquet")))["user_id"].to_pylist() == [1]


def test_an_export_has_all_rows_in_words_and_for_programs(world, tmp_path):
    told = export(world, people.found(world, [str(USER)])[0])
    document = told.document()
    assert len(document["stores"]["worlds/w/public/impressions.parquet"]) == 10
    assert document["stores"]["runs/r/lake/candidates"][0]["request_id"] == "r1"
    assert set(document["stores"]) >= {s.name for s in deleted(world, dry_run=True).stores if s.before}
    assert (document["complete"], document["jurisdiction"]) == (True, "us")
    page = markdown(told)
    assert "## worlds/w/public/users.parquet: 1 rows" in page
    assert "key-3" in page
