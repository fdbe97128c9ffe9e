"""MovieLens, as GroupLens ships it: the 100k format and the format of the later releases."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from sandbox.world.importers.rows import Columns, column, read_choices, read_entities
from sandbox.world.importers.source import Entities, Ids, Skips, Source, existing, refuse
from sandbox.world.importers.text import digest_of, open_table
from sandbox.world.importers.tidy import tidy

LIKE_FROM = 4.0  # stars
_100K = ("u.data", "u.item", "u.user", "u.genre")
_LATEST = ("ratings.csv", "movies.csv")
_ITEM_COLUMNS = 5  # key, title, release date, video release date, URL; then a flag per genre
_NO_GENRE = {"unknown", "(no genres listed)"}
_CALIFORNIA = range(900, 962)  # first three digits of ZIP codes


def read(folder: Path) -> Source:
    """Either format, told apart by the names of the files.

    Raises WORLD-002 when the folder or a file of it is missing or cannot be used.
    """
    if folder.is_dir() and not any((folder / name).exists() for name in _100K):
        if any((folder / name).exists() for name in (*_LATEST, "ratings.csv.gz")):
            return _read_latest(folder)
        refuse(
            str(folder),
            sorted(p.name for p in folder.iterdir())[:12],
            f"{', '.join(_100K)} (100k) or {', '.join(_LATEST)} (latest)",
            "give the folder as the publisher ships it, unpacked",
        )
    return _read_100k(folder)


def _read_100k(folder: Path) -> Source:
    data, item, user, genre = existing(folder, _100K, "MovieLens 100k")
    skipped, lost = Skips(), {"items": Skips(), "users": Skips()}
    genres = _genres(genre)
    table = open_table(item, header=False, delimiter="|", quoting=csv.QUOTE_NONE)
    if table.width != _ITEM_COLUMNS + len(genres):
        refuse(
            f"{item}, line 1",
            f"{table.width} columns",
            f"{_ITEM_COLUMNS} columns and a flag for each of the {len(genres)} genres of u.genre",
            "fetch the files again, all from one release",
        )
    flags = {f"flag {g}": _ITEM_COLUMNS + place for place, g in enumerate(genres)}
    item_ids, items = read_entities(table, 0, {"title": 1, "published": 2} | flags, lost["items"], "item")
    items.attributes["topics"] = [
        "|".join(g for g in genres if g and items.attributes[f"flag {g}"][row] == "1") for row in range(len(items))
    ]
    for name in flags:
        del items.attributes[name]
    people = open_table(user, header=False, delimiter="|", quoting=csv.QUOTE_NONE)
    if people.width < 5:
        refuse(
            f"{user}, line 1",
            f"{people.width} columns",
            "key, age, gender, occupation, ZIP code",
            "fetch the file again",
        )
    user_ids, users = read_entities(people, 0, {"age": 1, "gender": 2, "region": 4}, lost["users"], "user")
    users.attributes["region"] = [_region_of_zip(code) for code in users.attributes["region"]]
    ratings = open_table(data, header=False, delimiter="\t", quoting=csv.QUOTE_NONE)
    if ratings.width != 4:
        refuse(f"{data}, line 1", f"{ratings.width} columns", "user, item, rating, time", "fetch the file again")
    log, notes = read_choices(
        ratings, Columns(0, 1, 3, 2), user_ids, item_ids, skipped, closed_users=True, closed_items=True
    )
    digest = digest_of(data, item, user, genre)
    source = Source("movielens", items, users, log, False, LIKE_FROM, skipped, notes, digest)
    source.skipped_entities = lost
    return tidy(source)


def _read_latest(folder: Path) -> Source:
    ratings_file, movies_file = existing(folder, _LATEST, "MovieLens")
    skipped, lost = Skips(), {"items": Skips()}
    movies = open_table(movies_file, wanted=("movieId", "title", "genres"))
    key, title, genres = (column(movies, n, n) for n in ("movieId", "title", "genres"))
    item_ids, items = read_entities(movies, key, {"title": title, "topics": genres}, lost["items"], "item")
    items.attributes["topics"] = ["" if text in _NO_GENRE else text for text in items.attributes["topics"]]
    items.attributes["published"] = [_year_in(text) for text in items.attributes["title"]]
    ratings = open_table(ratings_file, wanted=("userId", "movieId", "rating", "timestamp"))
    user, item, time, value = (column(ratings, n, n) for n in ("userId", "movieId", "timestamp", "rating"))
    columns = Columns(user, item, time, value)
    users = Ids()
    log, notes = read_choices(ratings, columns, users, item_ids, skipped, closed_users=False, closed_items=True)
    digest = digest_of(ratings_file, movies_file)
    people = Entities(users.keys)
    source = Source("movielens", items, people, log, False, LIKE_FROM, skipped, notes, digest)
    source.skipped_entities = lost
    return tidy(source)


def _genres(path: Path) -> list[str]:
    table = open_table(path, header=False, delimiter="|", quoting=csv.QUOTE_NONE)
    rows = [row for _, row in table.rows(Skips())]
    try:
        order = sorted(rows, key=lambda row: int(row[1]))
    except ValueError:
        refuse(f"{path}", rows[0], "a genre and its number, separated by |", "fetch the file again")
    return ["" if row[0] in _NO_GENRE else row[0] for row in order]


def _region_of_zip(code: str) -> str:
    """US ZIP codes tell California apart; Canadian codes begin with a letter; "" for others."""
    if re.fullmatch(r"\d{5}", code):
        return "US-CA" if int(code[:3]) in _CALIFORNIA else "US"
    return "CA" if re.match(r"[A-Z]\d[A-Z]", code) else ""


def _year_in(title: str) -> str:
    """The year that ends a title: "Heat (1995)"."""
    match = re.search(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$", title)
    return match.group(1) if match else ""
