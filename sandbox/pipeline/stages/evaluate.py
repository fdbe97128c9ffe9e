"""Evaluate: the new ranker on the rows held out, by slice, beside the one in force; and its card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from sandbox.pipeline.stages import card
from sandbox.pipeline.stages.arrays import write_columns
from sandbox.pipeline.stages.slices import Figure, Judged, figures, slices
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

_CLIP = 1e-6
_NAMES = [f.name for f in fields(Figure)]


def run(work: Work) -> Tally:
    from sandbox.pipeline.build import take  # torch: see train
    from sandbox.pipeline.stages.training import read_joined
    from services.model.core import score

    trained = json.loads(work.reads["trained.json"][0].read_text())
    rows, _ = read_joined(work.reads["examples"][0], work.reads["tower_rows"][0])
    held = take(rows, rows.examples.ts >= trained["cut_ts"])
    e, inputs = held.examples, list(trained["inputs"])

    def said(tensors: bytes, config: dict[str, object]) -> np.ndarray:
        from services.model.core import load_ranker

        model = load_ranker(tensors, config)
        columns = [inputs.index(name) for name in model.config.inputs]
        p = score(model, held.user, e.item, np.ascontiguousarray(held.x[:, columns]))[:, 0]
        return p.astype(np.float64).clip(_CLIP, 1 - _CLIP)

    p = {"candidate": said(work.reads["ranker.safetensors"][0].read_bytes(), trained["models"]["ranker"]["config"])}
    live = _live(work.reads[f"{SOURCE}live"], inputs, trained["cut_ts"])
    if live:
        p["live"] = said(*live)
    column = {name: held.x[:, inputs.index(name)] for name in _BY if name in inputs}
    seen, shown = (column.get(name, np.full(len(e), np.inf)) for name in _BY)
    told = list(_figures(work, p, held.user, e.item, e.click, e.weight.astype(np.float64), e.position, seen, shown))
    told += list(_by_position(work))
    table = pa.table({name: [getattr(f, name) for _, f in told] for name in _NAMES})
    work.db.register("told", table.append_column("model", pa.array([who for who, _ in told])))
    n = work.write("slices", "SELECT * REPLACE (value::DOUBLE AS value, reason::VARCHAR AS reason) FROM told")
    said_of = {"user_id": e.user, "item_id": e.item, "click": e.click, "position": e.position, "weight": e.weight}
    write_columns(work.file("predictions"), said_of | {f"p_{who}": values for who, values in p.items()})
    page = card.page(trained, told, work.as_of)
    work.file("card.md").write_text(card.markdown(page))
    work.file("card.html").write_text(card.html(page))
    return Tally(len(e), n, {}, float(e.ts[-1]) if len(e) else None)


_BY = ("user_profile.impressions_28d_log", "item_stats.impressions_log")


def _figures(
    work: Work, p: dict[str, np.ndarray], user: np.ndarray, item: np.ndarray, click: np.ndarray, weight: np.ndarray,
    position: np.ndarray, seen: np.ndarray, shown: np.ndarray,
) -> Iterator[tuple[str, Figure]]:  # fmt: skip
    """(model, figure). Levels are compared where an item stood first: scores are those of the first place."""
    first = position == 1
    for who, values in p.items():
        # As many rows are flagged as there are clicks: what a slate of the best would hold.
        bar = np.quantile(values, 1 - max(click.mean(), 1e-9)) if len(click) else 1.0
        for name, mask in slices(work.catalogue, user, item, seen, shown):
            level = mask & first
            ranked = figures(name, Judged(click[mask], values[mask], weight[mask]), values[mask] >= bar)
            levels = figures(name, Judged(click[level], values[level], weight[level]), values[level] >= bar)
            yield from ((who, f) for f in ranked if f.metric in ("auc", "tpr", "specificity"))
            yield from ((who, f) for f in levels if f.metric not in ("auc", "tpr", "specificity"))
            if name.startswith("creator_group"):
                yield who, _exposure(name, values, mask)


def _exposure(name: str, p: np.ndarray, mask: np.ndarray) -> Figure:
    """Share of the best tenth that a group's items make, over their share of all rows: 1 is in proportion."""
    n = int(mask.sum())
    if n == 0 or len(p) < 100:
        return Figure(name, "exposure_ratio", None, n, 0, f"not estimable ({n} rows)")
    best = p >= np.quantile(p, 0.9)
    return Figure(name, "exposure_ratio", float(mask[best].mean() / mask.mean()), n, 0)


def _by_position(work: Work) -> Iterator[tuple[str, Figure]]:
    """Clicks by place among rows that chance put there: what a place is worth by itself."""
    found = work.db.execute(
        "SELECT position, count(*), sum((click_ts IS NOT NULL)::INT) FROM labels WHERE propensity < 1 GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for position, n, clicks in found:
        why = None if n >= 100 else f"not estimable ({n} rows)"
        yield "log", Figure(f"position={position}", "ctr_randomised", None if why else clicks / n, n, int(clicks), why)


def _live(files: tuple[Path, ...], inputs: list[str], cut_ts: float) -> tuple[bytes, dict[str, object]] | None:
    """Tensors and configuration of the ranker in force; None where there is none, or one that reads other inputs or
    has learned from rows that are held out here."""
    if not files:
        return None
    manifest = json.loads(files[0].read_text())
    if not set(manifest["inputs"]) <= set(inputs) or manifest["data"]["to_ts"] >= cut_ts:
        return None
    return files[1].read_bytes(), manifest["config"]


STAGE = Stage(
    "evaluate",
    ("labels", "examples", "tower_rows", "ranker.safetensors", "trained.json", f"{SOURCE}catalogue", f"{SOURCE}live"),
    ("predictions", "slices", "card.md", "card.html"),
    ("as_of",),
    run,
    "the new ranker on held-out rows, by slice, beside the one in force; its card",
)
