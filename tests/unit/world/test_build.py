from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from sandbox.base.catalogue import Catalogue
from sandbox.base.worlds import WorldManifest
from sandbox.world.latent import Latent
from sandbox.world.log import KINDS
from sandbox.world.presets import HISTORY_END_TS, PRESETS, SLATE
from tests.unit.world.conftest import build_at

World = tuple[WorldManifest, Path]
FEW = replace(PRESETS["tiny"], users=60, items=80, creators=12, days=2)


def rows(world: World, query: str) -> list[tuple]:
    """query names public files as IMPRESSIONS, OUTCOMES, ITEMS, USERS or CONSENT_LEDGER."""
    for name in ("impressions", "outcomes", "items", "users", "consent_ledger"):
        query = query.replace(name.upper(), f"'{world[1]}/public/{name}.parquet'")
    return duckdb.sql(query).fetchall()


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_one_seed_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_at(tmp_path / name, FEW)

    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    build_at(tmp_path / "one", FEW)
    build_at(tmp_path / "two", replace(FEW, seed=8))

    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)


def test_the_manifest_counts_what_was_written(tiny: World) -> None:
    manifest = tiny[0]

    assert rows(tiny, "select count(*) from IMPRESSIONS") == [(manifest.impressions,)]
    assert rows(tiny, "select count(*) from OUTCOMES") == [(manifest.events,)]
    assert rows(tiny, "select count(*) from ITEMS") == [(manifest.items,)]
    assert rows(tiny, "select count(*) from USERS") == [(manifest.users,)]
    assert manifest.history_end_ts == HISTORY_END_TS


def test_nothing_in_the_history_happened_outside_of_it(tiny: World) -> None:
    manifest = tiny[0]
    within = f"between {manifest.history_start_ts} and {manifest.history_end_ts}"

    assert rows(tiny, f"select count(*) from IMPRESSIONS where not ts {within}") == [(0,)]
    late = f"not event_ts {within} or not ingest_ts {within} or ingest_ts < event_ts"
    assert rows(tiny, f"select count(*) from OUTCOMES where {late}") == [(0,)]


def test_the_log_is_in_order_of_time(tiny: World) -> None:
    for table, column in (("IMPRESSIONS", "ts"), ("OUTCOMES", "event_ts")):
        ts = np.array(rows(tiny, f"select {column} from {table}"))[:, 0]
        assert (np.diff(ts) >= 0).all()


def test_every_outcome_follows_an_impression_of_its_request(tiny: World) -> None:
    orphans = """select count(*) from OUTCOMES o anti join IMPRESSIONS i
                 on o.request_id = i.request_id and o.item_id = i.item_id and o.user_id = i.user_id
                 and o.session_id = i.session_id and o.event_ts > i.ts"""

    assert rows(tiny, orphans) == [(0,)]
    kinds = {kind for (kind,) in rows(tiny, "select distinct kind from OUTCOMES")}
    assert kinds == set(KINDS)


def test_no_slate_holds_an_item_twice_or_leaves_a_gap(tiny: World) -> None:
    slates = """select count(*), count(distinct item_id), min(position), max(position), count(distinct ts)
                from IMPRESSIONS group by request_id"""

    for n, distinct, first, last, times in set(rows(tiny, slates)):
        assert n == distinct == last <= SLATE
        assert (first, times) == (1, 1)


def test_nothing_is_shown_twice_in_a_session(tiny: World) -> None:
    twice = "select 1 from IMPRESSIONS group by session_id, item_id having count(*) > 1"

    # Two random slots may repeat the item that another of them displaced: one session in thousands.
    assert len(rows(tiny, twice)) <= 3


def test_nobody_was_shown_what_rules_forbid(tiny: World) -> None:
    catalogue = Catalogue.load(tiny[1] / "public" / "catalogue.npz")
    user, item, ts = (
        np.array(column) for column in zip(*rows(tiny, "select user_id, item_id, ts from IMPRESSIONS"), strict=True)
    )

    minor = catalogue.user_age_band[user] < 2  # unknown or 13-17
    assert (catalogue.item_maturity[item][minor] < 16).all()
    assert ((catalogue.item_regions[item] >> catalogue.user_region[user]) & 1 == 1).all()
    assert (catalogue.item_published_ts[item] <= ts).all()
    assert (catalogue.user_created_ts[user] <= ts).all()


def test_random_slots_are_as_random_as_their_propensity_says(tiny: World) -> None:
    """If each slot were random with share s among n items, propensity is s / n; so the sum over
    random slots of s / (n * propensity) is their count, and their click rate that of a uniform policy."""
    random = rows(tiny, "select propensity, user_id, item_id from IMPRESSIONS where not isnan(propensity)")
    share = len(random) / tiny[0].impressions

    assert share == pytest.approx(0.02, abs=5 * np.sqrt(0.02 / tiny[0].impressions))
    candidates = 0.02 / np.array([p for p, _, _ in random])
    assert candidates.min() > 50
    assert candidates.max() <= tiny[0].items
    shown = np.bincount([item for _, _, item in random], minlength=tiny[0].items)
    popular = np.bincount(
        [i for (i,) in rows(tiny, "select item_id from IMPRESSIONS where isnan(propensity)")], minlength=tiny[0].items
    )
    assert abs(np.corrcoef(shown, popular)[0, 1]) < 0.35  # what is left comes of rights and dates


def test_the_policy_seldom_shows_what_a_user_cannot_read(tiny: World) -> None:
    share = """select avg((i.lang not in ('en', u.lang))::int) from IMPRESSIONS
               join ITEMS i using (item_id) join USERS u using (user_id) where isnan(propensity) = {}"""

    ((chosen,),), ((random,),) = (rows(tiny, share.format(kind)) for kind in ("true", "false"))

    assert chosen < 0.6 * random


def test_duckdb_finds_the_nan_propensities(tiny: World) -> None:
    """With Parquet statistics on that column it would take isnan for always false."""
    unknown = rows(tiny, "select count(*) from IMPRESSIONS where isnan(propensity)")[0][0]

    assert unknown == pytest.approx(0.98 * tiny[0].impressions, rel=0.01)


def test_the_public_files_hold_no_truth(tiny: World) -> None:
    latent = Latent.load(tiny[1])
    for table in ("ITEMS", "USERS"):
        columns = {name for name, *_ in rows(tiny, f"describe select * from {table}")}
        assert not columns & {"quality", "clickbait", "appeal", "patience", "taste", "satisfaction"}
    secret = set(vars(latent)) - {"item_topics", "item_duration_s", "item_price"}  # anybody sees these
    assert not set(np.load(tiny[1] / "public" / "catalogue.npz").files) & secret


def test_the_ledger_ends_at_the_consent_of_the_catalogue(tiny: World) -> None:
    catalogue = Catalogue.load(tiny[1] / "public" / "catalogue.npz")
    last = rows(
        tiny,
        "select user_id, arg_max(state, effective_ts) from CONSENT_LEDGER"
        " where purpose = 'personalisation' group by 1 order by 1",
    )

    granted = np.array([state == "granted" for _, state in last])
    assert (granted == catalogue.user_personalised).all()


def test_the_catalogue_matches_the_tables(tiny: World) -> None:
    catalogue = Catalogue.load(tiny[1] / "public" / "catalogue.npz")

    titles = [t for (t,) in rows(tiny, "select title from ITEMS order by item_id")]
    assert len(set(titles)) == catalogue.n_items
    creators = [c for (c,) in rows(tiny, "select creator_id from ITEMS order by item_id")]
    assert creators == catalogue.item_creator.tolist()
    assert catalogue.item_topics.sum(axis=1) == pytest.approx(np.ones(catalogue.n_items))
    for user in (0, 17, 299):
        assert len(set(catalogue.follows(user).tolist())) == len(catalogue.follows(user))
        assert not set(catalogue.follows(user).tolist()) & set(catalogue.blocked(user).tolist())


def test_some_users_like_group_b_and_most_do_not(tiny: World) -> None:
    catalogue = Catalogue.load(tiny[1] / "public" / "catalogue.npz")
    latent = Latent.load(tiny[1])
    in_b = catalogue.creator_group[catalogue.item_creator] == 1
    pull = latent.user_taste @ latent.item_taste.T
    preference = pull[:, in_b].mean(axis=1) - pull[:, ~in_b].mean(axis=1)

    fans = preference > 0.5
    assert 0.1 < fans.mean() < 0.4
    assert preference[fans].mean() > 1.0 > 0.0 > preference[~fans].mean()
