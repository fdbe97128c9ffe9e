"""What is new in an overview: put into the one before it, it is the one after it, and it is no more than that."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.room.overview import Alert, Change, Edge, Flow, Job, Node, Overview, Store, Stream, Version
from sandbox.room.overview_delta import KEYS, ONES, delta
from sandbox.warroom import pages

FIGURES = (None, 0.25, 12.0)
_SIGNALS = [{}, {"ctr": [(60.0, 0.25)]}, {"ctr": [(60.0, 12.0), (120.0, None)]}, {"request_rate": [(60.0, 1.0)]}]


def some(rows: list[Any], *keys: str) -> st.SearchStrategy[list[Any]]:
    """A few of them, each once."""
    return st.lists(st.sampled_from(rows), max_size=3, unique_by=lambda row: tuple(getattr(row, key) for key in keys))


OVERVIEWS = st.builds(
    Overview, world_ts=st.sampled_from([0.0, 60.0]),
    edges=some([Edge(caller=a, callee=b, rate=x, errors=0.0, p99_ms=1.0, instances=1) for a, b in ("ab", "ac") for x in FIGURES], *KEYS["edges"]),
    flows=some([Flow(source="a", target=b, rate=x, behind_s=None) for b in "bc" for x in FIGURES], *KEYS["flows"]),
    nodes=some([Node(service="a", instances=n, cpu_pct=x, queue=None) for n in (1, 2) for x in FIGURES], *KEYS["nodes"]),
    store=st.sampled_from([None, *(Store(ops=x, used_mb=1.0) for x in FIGURES)]),
    stream=st.sampled_from([None, *(Stream(rate=x, backlog=1.0) for x in FIGURES)]),
    jobs=some([Job(view=v, finished_ts=9.0, status=of, rows=1.0) for v in "ab" for of in ("OK", "FAILED")], *KEYS["jobs"]),
    versions=some([Version(of="model_version", version=v, share=x) for v in "ab" for x in (0.5, 1.0)], *KEYS["versions"]),
    changes=some([Change(world_ts=ts, target="a", text=text) for ts in (1.0, 2.0) for text in "xy"], *KEYS["changes"]),
    alerts=some([Alert(rule=rule, summary="slow", since_ts=ts) for rule in "ab" for ts in (1.0, 2.0)], *KEYS["alerts"]),
    signals=st.sampled_from(_SIGNALS),
)  # fmt: skip


def as_known(seen: Overview) -> dict[str, Any]:
    """Without the order of rows, which tells nothing."""
    known = {**seen.model_dump(), "signals": {name: dict(of) for name, of in seen.signals.items() if of}}
    return known | {
        name: {tuple(row[key] for key in keys): row for row in known[name]} for name, keys in KEYS.items()
    }  # fmt: skip


def put_in(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    now = known | {name: new[name] for name in ("world_ts", "store", "stream") if name in new}
    for name, keys in KEYS.items():
        gone = {tuple(key) for key in new.get("gone", {}).get(name, [])}
        rows = {tuple(row[key] for key in keys): row for row in new.get(name, [])}
        now[name] = {key: row for key, row in (known[name] | rows).items() if key not in gone}
    signals = {name: dict(points) for name, points in new.get("signals", {}).items()}
    return now | {
        "signals": {
            name: known["signals"].get(name, {}) | signals.get(name, {}) for name in {*known["signals"], *signals}
        }
    }


@given(OVERVIEWS, OVERVIEWS)
def test_what_is_new_makes_the_one_before_the_one_after(before: Overview, told: Overview):
    now = told.after(before)  # points of signals stay known
    new = delta(before, now)

    assert put_in(as_known(before), new or {"world_ts": now.world_ts}) == as_known(now)


@given(OVERVIEWS)
def test_where_nothing_but_the_time_is_new_nothing_is_told(seen: Overview):
    assert delta(seen, seen.model_copy(update={"world_ts": seen.world_ts + 60.0})) is None


def test_all_that_an_overview_holds_is_told_and_put_in_by_the_page():
    page = (Path(pages.__file__).parent / "static" / "sight.js").read_text()
    keys = re.search(r"const KEYS = (\{.*?\});", page, re.DOTALL)
    assert keys is not None
    written = re.sub(r",(\s*[}\]])", r"\1", re.sub(r"(\w+):", r'"\1":', keys[1]))

    assert {*KEYS, *ONES, "world_ts", "signals"} == set(Overview.model_fields)
    assert json.loads(written) == {name: list(of) for name, of in KEYS.items()}
