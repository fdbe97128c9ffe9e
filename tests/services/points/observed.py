"""What is seen of a point while a wrapper is on it: the same facts of either side."""

from __future__ import annotations

import numpy as np

from tests.services.points.wrappers import DELAY_S, HOW, Wrapper


async def observe(side, where, kind):
    """Facts, from the rows and from what came of it. side: Live or Virtual. where: a key of HOW."""
    point, process, peer, op = where
    wrapper = Wrapper(kind, peer, op, side.wall(process), **HOW[where])
    seam = side.seams(process).named(point)
    side.forget()
    watch = {"events": _feedback, "stream": _stream, "materialiser": _materialised, "collector": _minute,
             "rules": _in_line, "ranking": _held_up}  # fmt: skip
    if kind != "plain":
        seam.put(wrapper)
    try:
        looks = watch.get(process) if point in ("write", "process", "collect", "job") else None
        looks = _upkept if point == "store" else looks
        seen = await (looks(side, seam, wrapper) if looks else _request(side))
    finally:
        seam.take_off(wrapper)
    assert kind == "plain" or wrapper.seen, "the wrapper met its call"
    return {**seen, "instances": sorted({call.place.instance for call in wrapper.seen})}


def _spans(side, **wanted):
    return [s for s in side.rows("spans") if all(s[k] == v for k, v in wanted.items())]


def _slow(spans):
    return any(s["dur_ms"] >= DELAY_S * 1000 for s in spans)


async def _request(side):
    await side.ask()
    requests, shown = side.rows("requests"), side.rows("impressions")
    outer = _spans(side, service="gateway", op="Recommend", kind="server")
    own = _spans(side, trace_id=outer[0]["trace_id"])  # not of probes in the background
    apply = _spans(side, op="Apply", kind="client")
    reads = [r for r in side.rows("feature_reads") if r["view"] == "user_profile"]
    one = requests[0] if requests else {}
    by_ann = [r for r in side.rows("candidates") if r["source"] == "ann"]
    chances = {round(r["p_click"], 5) for r in shown if r["p_click"] is not None}
    return {
        "status": [s["status"] for s in outer],
        "rows of requests": len(requests),
        "elsewhere": one.get("region") not in ("EU", None),
        "consent": (one.get("consent"), one.get("consent_from")),
        "untagged": [r["fields"] for r in side.rows("logs") if r["msg"] == "region not tagged"],
        "GetConsent": [(s["status"], _slow([s])) for s in _spans(side, op="GetConsent", kind="client")],
        "fallback": one.get("fallback"),
        "searched": (bool(one.get("encoder_version")), bool(one.get("index_version"))),
        "scored": bool(one.get("model_version")),
        "shown": min(len(shown), 3),  # none, one, two or a whole slate
        "slow": _slow(outer),
        "rules": [(s["attempt"], s["status"], _slow([s])) for s in apply],
        "rules served": len(_spans(side, op="Apply", kind="server")),
        "profile missing": [(r["n_rows"], r["n_missing"]) for r in reads],
        "MGET": [(s["status"], s["n_keys"]) for s in own if s["op"] == "MGET" and s["n_keys"] <= 3],
        "GetUser": [s["status"] for s in _spans(side, op="GetUser", kind="server")],
        "EncodeUser": [s["status"] for s in own if (s["op"], s["kind"]) == ("EncodeUser", "client")],
        "Score": [(s["status"], _slow([s])) for s in _spans(side, op="Score", kind="client")],
        "Retrieve": [(s["status"], _slow([s])) for s in _spans(side, op="Retrieve", kind="server")],
        "by ann": min(len(by_ann), 3),
        "one score": len({r["score"] for r in by_ann}) == 1,
        "one chance": len(chances) == 1,
        "lost rows": side.dropped(),
    }


async def _in_line(side, seam, wrapper):
    """Of three requests at once: who waits for a handler."""
    await side.ask(3)
    apply = _spans(side, op="Apply", kind="server")
    return {
        **_outcome(side),
        "slow": sum(_slow([s]) for s in apply),
        "in line": sorted(round(s["queue_ms"] / 1000 / DELAY_S) for s in apply),
    }


async def _held_up(side, seam, wrapper):
    """Of three requests at once: whether the process stands still in between. For how long depends on how much of a
    period is left, which a busy machine decides; where next to nothing is left it does not, and more are sent."""
    before = side.throttled_ms("ranking")
    await side.ask(3)
    told = _outcome(side)
    for _ in range(5):
        if held := side.throttled_ms("ranking") > before:
            break
        side.forget()
        await side.ask(3)
    return {**told, "held": held}


def _outcome(side):
    return {
        "status": [s["status"] for s in _spans(side, op="Recommend", kind="server")],
        "errors": sorted({r["msg"] for r in _errors(side)}),
    }


async def _feedback(side, seam, wrapper):
    appended = await side.tell()
    spans = _spans(side, op="Append", kind="client")
    return {
        "entries": appended,
        "outcomes": len(side.rows("outcomes")),
        "Append": [(s["attempt"], s["status"], _slow([s])) for s in spans],
    }


async def _stream(side, seam, wrapper):
    side.forget_session()
    began = side.wall("stream").now()
    await side.tell()
    failing = wrapper.kind in ("failing", "breaking", "nonsense")
    if failing:
        await side.until(lambda: _errors(side))
    elif wrapper.kind != "plain":
        await side.until(lambda: wrapper.seen)
    if not failing:
        await side.caught_up()
    took, during = side.wall("stream").now() - began, _summary(side.session_row())
    seam.take_off(wrapper)
    await side.caught_up()
    return {
        "while it was on": during,
        "late": took >= DELAY_S if wrapper.kind == "delaying" else None,
        "errors": sorted({r["msg"] for r in _errors(side)}),
        "afterwards": _summary(side.session_row()),
    }


def _errors(side):
    return [r for r in side.rows("logs") if r["level"] == "error"]


async def _materialised(side, seam, wrapper):
    side.clear_items()
    began = side.wall("materialiser").now()
    status = await side.materialise()
    took = side.wall("materialiser").now() - began
    runs = [r for r in side.rows("materialization_runs") if r["view"] == "item_stats"]
    return {
        "status": status,
        "runs": [(r["status"], r["rows_written"] / side.n_items()) for r in runs],
        "row": _summary(side.item_row()),
        "late": took >= DELAY_S if wrapper.kind == "delaying" else None,
    }


async def _minute(side, seam, wrapper):
    await side.minute()
    rates = [r["value"] for r in side.rows("metrics") if r["name"] == "request_rate"]
    return {
        "told": ["sevens" if rate == 7.0 else "own" for rate in rates],
        "errors": sorted({r["msg"] for r in _errors(side)}),
    }


async def _upkept(side, seam, wrapper):
    side.clear_board()
    began = side.wall("materialiser").now()
    await side.tend()
    took = side.wall("materialiser").now() - began
    return {
        "board": side.board(),
        "said": [(r["level"], r["msg"], r["fields"]) for r in side.rows("logs") if r["msg"].startswith("upkeep")],
        "late": took >= DELAY_S if wrapper.kind == "delaying" else None,
    }


def _summary(row):
    """Of a row that was written: whether it is the wrapper's, all sevens."""
    if row is None:
        return "none"
    return "sevens" if np.all(row == 7.0) else "own"
