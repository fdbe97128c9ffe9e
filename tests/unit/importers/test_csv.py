"""Anybody's log becomes a world, or is told what is wrong with it."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.world.behaviour import Behaviour
from sandbox.world.importers import keys, table
from sandbox.world.importers.importing import Imported, import_world

NAMES = {"user": "who", "item": "what", "time": "when", "value": "stars"}


def write(path: Path, rows, header=("who", "what", "stars", "when"), **form) -> Path:
    with path.open("w", newline="", encoding=form.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **form)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def bring_in(log: Path, *, name: str = "mine", mapping=NAMES, force=False, **files) -> Imported:
    return import_world(lambda: table.read(log, mapping=mapping, **files), name, built="2026-01-01", force=force)


def test_a_log_becomes_a_world_with_its_own_users_items_and_times(small_log, tmp_path: Path) -> None:
    done = bring_in(write(tmp_path / "log.csv", small_log))
    manifest = load_manifest("mine")
    assert (manifest.users, manifest.source, done.skipped) == (60, "csv", {})
    assert not manifest.has_negatives
    assert manifest.history_start_ts == 1_700_000_000
    assert manifest.history_end_ts == small_log[-1][3] + 1
    public = world_dir("mine") / "public"
    impressions = pq.read_table(public / "impressions.parquet")
    assert len(impressions) == manifest.impressions == len(small_log)
    users = pq.read_table(public / "users.parquet")
    assert set(users["key"].to_pylist()) == {row[0] for row in small_log}
    outcomes = pq.read_table(public / "outcomes.parquet").to_pylist()
    likes = [row for row in outcomes if row["kind"] == "like"]
    assert len(outcomes) == manifest.events == len(small_log) + len(likes)
    assert likes
    assert min(row["value"] for row in likes) >= 4
    assert keys.user_id(world_dir("mine"), "u07") == users["key"].to_pylist().index("u07")


def test_the_fitted_behaviour_beats_popularity_and_keeps_its_levels(small_log, tmp_path) -> None:
    fit = bring_in(write(tmp_path / "log.csv", small_log)).manifest.fit
    assert fit["auc"] > fit["auc_popularity"]
    assert fit["ctr_uniform"] == pytest.approx(0.02, rel=0.05)
    assert fit["ctr_uniform"] < fit["ctr_oracle"] < 0.17


def test_tastes_that_the_log_shows_are_the_tastes_of_the_world(small_log, tmp_path: Path) -> None:
    bring_in(write(tmp_path / "log.csv", small_log))
    place = world_dir("mine")
    behaviour = Behaviour.load(place)
    taste = {0: [], 1: []}
    for user in range(0, 60, 7):
        for item in ("i03", "i24"):  # odd users go for i20 and up, even ones for the others
            p = behaviour.click_probability(
                np.array([keys.user_id(place, f"u{user:02d}")]), np.array([[keys.item_id(place, item)]])
            )
            taste[int((user % 2 == 1) == (item == "i24"))].append(float(p[0, 0]))
    assert np.mean(taste[1]) > 1.5 * np.mean(taste[0])


def test_the_same_file_gives_the_same_bytes(small_log, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", small_log)
    for name in ("one", "two"):
        bring_in(log, name=name)
    for file in sorted(p for p in world_dir("one").rglob("*") if p.suffix in (".npz", ".parquet")):
        other = world_dir("two") / file.relative_to(world_dir("one"))
        assert file.read_bytes() == other.read_bytes(), file.name


def test_form_does_not_matter(small_log, tmp_path: Path) -> None:
    plain = table.read(write(tmp_path / "a.csv", small_log), mapping=NAMES)
    tabs = write(tmp_path / "b.tsv", small_log, delimiter="\t", quoting=csv.QUOTE_ALL, encoding="utf-16")
    packed = tmp_path / "c.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    millis = [(u, i, str(v).replace(".", ","), 1_000 * t) for u, i, v, t in small_log]
    semicolons = write(tmp_path / "d.csv", millis, delimiter=";")
    for other in (tabs, packed, semicolons):
        source = table.read(other, mapping=NAMES)
        np.testing.assert_array_equal(source.log.ts, plain.log.ts)
        np.testing.assert_array_equal(source.log.value, plain.log.value)
        assert source.users.key == plain.users.key


def test_columns_with_usual_names_need_no_map(small_log, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", small_log, ("User ID", "productId", "Rating", "Timestamp"))
    assert len(table.read(log).log) == len(small_log)


def test_a_file_without_header_is_mapped_by_number(small_log, tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", small_log[1:], small_log[0])
    numbers = {"user": "1", "item": "2", "value": "3", "time": "4"}
    assert len(table.read(log, mapping=numbers).log) == len(small_log)


def test_attributes_of_items_and_users_are_taken_over(small_log, tmp_path: Path) -> None:
    items = write(
        tmp_path / "items.csv",
        [(f"i{k:02d}", f"Song {k}", "Pop|Rock" if k % 2 else "Jazz", f"Band {k % 5}", "de", "212,5",
          "9.90", "2019", "16") for k in range(40)],
        ("item", "title", "genres", "artist", "lang", "duration_s", "price", "year", "min_age"),
    )  # fmt: skip
    users = write(
        tmp_path / "users.csv",
        [(f"u{k:02d}", 15 + k % 50, "F" if k % 2 else "male", "Germany") for k in range(60)],
        ("user", "age", "sex", "country"),
    )
    mapping = NAMES | {"item": "what"}
    log = write(tmp_path / "log.csv", small_log)
    done = bring_in(log, mapping=mapping, items=items, users=users)
    place = world_dir("mine") / "public"
    song = pq.read_table(place / "items.parquet").to_pylist()[3]
    assert song["title"] == "Song 3"
    assert sorted(song["topics"]) == ["Pop", "Rock"]
    assert (song["lang"], song["duration_s"], song["age_rating"]) == ("de", 212.5, 16)
    assert song["price"] == pytest.approx(9.9)
    person = pq.read_table(place / "users.parquet").to_pylist()[1]
    assert (person["age_band"], person["gender"], person["region"]) == ("13-17", "f", "EU")
    assert person["jurisdiction"] == "gdpr"
    creators = pq.read_table(place / "creators.parquet")["name"].to_pylist()
    assert sorted(creators) == [f"Band {k}" for k in range(5)]
    assert not {"creator", "price", "age", "gender", "user region"} & set(done.filled)


def test_the_catalogue_keeps_the_promises_of_the_format(small_log, tmp_path: Path) -> None:
    bring_in(write(tmp_path / "log.csv", small_log))
    c = Catalogue.load(world_dir("mine") / "public" / "catalogue.npz")
    sums = c.item_topics.sum(axis=1)
    assert np.all(np.isclose(sums, 1) | (sums == 0))
    assert c.follows_indptr[-1] == len(c.follows_creator)
    assert c.blocked_indptr[-1] == len(c.blocked_creator)
    for user in range(c.n_users):
        assert not set(c.follows(user)) & set(c.blocked(user))
    in_b = (c.creator_group[c.item_creator] == 1).mean()
    assert 0.05 < in_b < 0.45
    assert (c.item_regions > 0).all()


def test_bad_rows_are_skipped_counted_and_named(small_log, tmp_path: Path) -> None:
    bad = [("", "i01", 3, 1_700_000_000), ("u01", "", 3, 1_700_000_000),
           ("u01", "i01", 3, "someday"), ("u01", "i01", "good", 1_700_000_000), small_log[5]]  # fmt: skip
    done = bring_in(write(tmp_path / "log.csv", [*bad, *small_log]))
    assert done.skipped == {
        "missing user": 1,
        "missing item": 1,
        "unreadable time": 1,
        "unreadable value": 1,
        "duplicate row": 1,
    }
    assert done.as_json()["skipped"] == done.skipped


def test_items_that_the_item_file_lacks_are_skipped(small_log, tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", [(f"i{k:02d}", "t") for k in range(1, 40)], ("id", "title"))
    source = table.read(write(tmp_path / "log.csv", small_log), items=items, mapping=NAMES)
    unknown = sum(row[1] == "i00" for row in small_log)
    assert source.skipped["item not in the item file"] == unknown > 0


def test_a_file_that_is_mostly_bad_is_refused_at_its_first_bad_line(small_log, tmp_path) -> None:
    rows = [("", *row[1:]) if k % 3 else row for k, row in enumerate(small_log)]
    with pytest.raises(SandboxError, match="missing user: 1000") as refused:
        table.read(write(tmp_path / "log.csv", rows), mapping=NAMES)
    assert refused.value.where.endswith("log.csv, line 3")


@pytest.mark.parametrize("keep", [lambda r: r[0] == "u01", lambda r: r[1] == "i21", lambda _: False])
def test_one_user_one_item_or_nothing_is_no_log(small_log, tmp_path: Path, keep) -> None:
    log = write(tmp_path / "log.csv", [row for row in small_log if keep(row)])
    with pytest.raises(SandboxError, match="WORLD-002"):
        table.read(log, mapping=NAMES)


def test_a_wrong_column_is_refused_with_the_columns_that_there_are(small_log, tmp_path) -> None:
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        table.read(write(tmp_path / "log.csv", small_log), mapping=NAMES | {"user": "customer"})
    assert "'who'" in refused.value.expected
    assert "--map user=" in refused.value.fix


@pytest.mark.parametrize("pair", ["user", "user=", "=who", "nose=who"])
def test_a_map_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(SandboxError, match="CFG-004"):
        table.parse_map([pair])


def test_a_name_in_use_is_kept_and_replaced_only_by_force(small_log, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", small_log)
    bring_in(log)
    with pytest.raises(SandboxError, match="WORLD-004"):
        bring_in(log)
    bring_in(write(tmp_path / "half.csv", small_log[:700]), force=True)
    assert load_manifest("mine").impressions == 700


@pytest.mark.parametrize("name", ["laptop", "../up", "", "A B"])
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_read(name: str) -> None:
    def never():
        raise AssertionError("the source was read")

    with pytest.raises(SandboxError, match="CFG-004"):
        import_world(never, name, built="2026-01-01")


def test_an_import_that_fails_leaves_the_old_world_and_no_traces(
    small_log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path / "log.csv", small_log)
    bring_in(log)
    before = load_manifest("mine")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sandbox.world.importers.importing.write_public", fails)
    with pytest.raises(SandboxError, match="RUN-005"):
        bring_in(log, force=True)
    assert load_manifest("mine") == before
    assert [p.name for p in world_dir("mine").parent.iterdir() if p.is_dir()] == ["mine"]


def test_an_unknown_key_is_answered_with_similar_ones(small_log, tmp_path: Path) -> None:
    bring_in(write(tmp_path / "log.csv", small_log))
    with pytest.raises(SandboxError, match="WIRE-003") as unknown:
        keys.user_id(world_dir("mine"), "U07 ")
    assert "u07" in unknown.value.expected
