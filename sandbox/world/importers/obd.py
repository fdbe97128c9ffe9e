"""Open Bandit Dataset: what a shop showed, where, with which probability, and what was clicked.

Source of the format: Saito et al., "Open Bandit Dataset and Pipeline", 2020 (arXiv:2008.07146). Users
are not named there: a user here is a combination of the four hashed user features, the campaign and
the set of items clicked before (the affinities), which is all that the log can tell of a person.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sandbox.world.importers.rows import column, decimal, read_entities, time_form
from sandbox.world.importers.source import Entities, Ids, Log, Skips, Source, refuse
from sandbox.world.importers.text import TextTable, digest_of, open_table
from sandbox.world.importers.tidy import tidy

POLICIES, CAMPAIGNS = ("random", "bts"), ("all", "men", "women")
_TRAITS = tuple(f"user_feature_{k}" for k in range(4))
_AFFINITY = "user-item_affinity_"


def read(folder: Path) -> Source:
    """Every policy and campaign that the folder holds, in the publisher's layout or in one folder.

    Raises WORLD-002 when there is no log, a log has no item_context, or a file cannot be used.
    """
    logs = _logs(folder)
    skipped, lost, rows = Skips(), Skips(), _Rows()
    items, item_ids = Entities(), Ids()
    for campaign in dict.fromkeys(campaign for _, campaign, _ in logs):
        _add_items(folder, campaign, items, item_ids, lost, rows)
    for _policy, campaign, path in logs:
        _add_log(path, campaign, item_ids, rows, skipped)
    items.key = item_ids.keys
    users = Entities(rows.users.keys)
    log = Log(
        np.array(rows.user, np.int64), np.array(rows.item, np.int64), np.array(rows.ts, np.float64),
        np.full(len(rows.user), np.nan, np.float32), np.array(rows.click, np.int8) > 0,
        np.array(rows.position, np.int16), np.array(rows.propensity, np.float32),
        np.zeros(len(rows.user), np.int64),
    )  # fmt: skip
    source = Source("obd", items, users, log, True, skipped=skipped, notes=rows.notes)
    source.skipped_entities = {"items": lost}
    source.digest, source.alone = digest_of(*rows.files), True
    source.traits = _codes(rows.traits)
    source.liked_before = np.array(rows.liked_before, np.int64).reshape(-1, 2)
    return tidy(source)


@dataclass
class _Rows:
    """Columns of all logs, growing."""

    users: Ids = field(default_factory=Ids)
    user: array[int] = field(default_factory=lambda: array("q"))
    item: array[int] = field(default_factory=lambda: array("q"))
    ts: array[float] = field(default_factory=lambda: array("d"))
    click: array[int] = field(default_factory=lambda: array("b"))
    position: array[int] = field(default_factory=lambda: array("h"))
    propensity: array[float] = field(default_factory=lambda: array("f"))
    traits: list[tuple[str, ...]] = field(default_factory=list)  # per user
    liked_before: list[tuple[int, int]] = field(default_factory=list)  # (user, item)
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def _logs(folder: Path) -> list[tuple[str, str, Path]]:
    if not folder.is_dir():
        refuse(str(folder), "no such folder", "the folder of the Open Bandit Dataset", "check the path")
    found = []
    for policy in POLICIES:
        for campaign in CAMPAIGNS:
            names = (f"{policy}_{campaign}.csv", f"{policy}/{campaign}/{campaign}.csv")
            path = _first(folder, names)
            if path is not None:
                found.append((policy, campaign, path))
    if not found:
        refuse(
            str(folder),
            sorted(p.name for p in folder.iterdir())[:12],
            "POLICY/CAMPAIGN/CAMPAIGN.csv or POLICY_CAMPAIGN.csv, policies random and bts",
            "give the folder as the publisher ships it, unpacked",
        )
    return found


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    paths = [folder / (name + end) for name in names for end in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _add_items(folder: Path, campaign: str, items: Entities, ids: Ids, skipped: Skips, rows: _Rows) -> None:
    names = [f"item_context_{campaign}.csv", *(f"{p}/{campaign}/item_context.csv" for p in POLICIES)]
    path = _first(folder, tuple(names))
    if path is None:
        refuse(
            str(folder),
            f"no item_context of campaign {campaign}",
            " or ".join(names),
            "fetch the item_context file of the campaign",
        )
    rows.files.append(path)
    table = open_table(path, wanted=("item_id", "item_feature_1"))
    features = {f"f{k}": column(table, f"item_feature_{k}", "item") for k in (1, 2)}
    _, context = read_entities(table, column(table, "item_id", "item"), features, skipped, "item")
    for key, kind, maker in zip(context.key, context.text("f1"), context.text("f2"), strict=True):
        ids.add(f"{campaign}/{key}")
        for attribute, text in (
            ("title", f"{campaign.capitalize()}'s item {key}"),
            ("topics", f"{campaign} style {kind[:4]}"),
            ("creator", f"{campaign} maker {maker[:4]}"),
        ):
            items.attributes.setdefault(attribute, []).append(text)


def _add_log(path: Path, campaign: str, items: Ids, rows: _Rows, skipped: Skips) -> None:
    table = open_table(path, wanted=("item_id", "propensity_score"))
    at = {name: column(table, name, name) for name in ("timestamp", "item_id", "position", "click", *_TRAITS)}
    chance = next((n for n in ("propensity_score", "action_prob") if n in table.names), None)
    if chance is None:
        refuse(f"{path}, columns", list(table.names)[:12], "propensity_score", "fetch the file again")
    at["propensity"] = table.names.index(chance)
    form, note = time_form(table, at["timestamp"])
    rows.notes += [note] if note else []
    rows.files.append(path)
    affinity = _affinities(table, campaign, items)
    for line, row in table.rows(skipped):
        item = items.of.get(f"{campaign}/{row[at['item_id']].strip()}")
        click, position = row[at["click"]].strip(), decimal(row[at["position"]])
        propensity = decimal(row[at["propensity"]])
        try:
            ts = form.parse(row[at["timestamp"]])
        except (ValueError, OverflowError):
            skipped.row("unreadable time", table.line(line))
            continue
        if item is None:
            skipped.row("item not in the item file", table.line(line))
        elif click not in ("0", "1", "0.0", "1.0"):
            skipped.row("click neither 0 nor 1", table.line(line))
        elif not 1 <= position <= 100 or not 0 < propensity <= 1:
            skipped.row("position or propensity out of range", table.line(line))
        else:
            before = [liked for index, liked in affinity if decimal(row[index]) > 0]
            rows.user.append(_user(campaign, tuple(row[at[t]] for t in _TRAITS), before, rows))
            rows.item.append(item)
            rows.ts.append(ts)
            rows.click.append(int(float(click)))
            rows.position.append(int(position))
            rows.propensity.append(propensity)


def _affinities(table: TextTable, campaign: str, items: Ids) -> list[tuple[int, int]]:
    """(column, item) of every affinity column of an item that is known."""
    pairs = []
    for index, name in enumerate(table.names):
        item = items.of.get(f"{campaign}/{name.removeprefix(_AFFINITY)}")
        if name.startswith(_AFFINITY) and item is not None:
            pairs.append((index, item))
    return pairs


def _user(campaign: str, traits: tuple[str, ...], before: list[int], rows: _Rows) -> int:
    liked = "+".join(str(item) for item in before)
    key = f"{campaign}/{'-'.join(trait[:6] for trait in traits)}" + (f"/{liked}" if liked else "")
    count = len(rows.users)
    user = rows.users.add(key)
    if user == count:
        rows.traits.append((campaign, *traits))
        rows.liked_before += [(user, item) for item in before]
    return user


def _codes(traits: list[tuple[str, ...]]) -> np.ndarray:
    """int64 [users, traits]: dense codes, each trait's apart from the others'."""
    columns = [np.unique(values, return_inverse=True)[1] for values in zip(*traits, strict=True)]
    offset, shifted = 0, []
    for codes in columns:
        shifted.append(codes + offset)
        offset += int(codes.max()) + 1
    return np.stack(shifted, axis=1) if shifted else np.zeros((0, 0), np.int64)
