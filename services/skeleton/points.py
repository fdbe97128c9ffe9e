"""The points at which a call can be wrapped: one registry, pure data, from which all else that knows of them follows.

A point is a seam of serving, or a stage of the offline plane. What its calls carry, what `proceed` returns,
in which processes it lies under which names, and what of a fault can hold there stands here and nowhere
else: the seams of a process, what is refused at load, docs/faults.md, the table of
docs/writing-a-fault.md and the benches read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import Message

from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, Rows
from sandbox.base.run import GRPC_PROCESSES
from sandbox.base.schema import TABLES
from services.skeleton.room import Room

Peers = Mapping[str, tuple[str, ...]]  # peer -> operations

ANY = "(any)"  # a peer that is named when a run goes on: a version, a key
LOAD = "load"  # the generator of traffic
MATERIALISER = "materialiser"
COLLECTOR = "collector"
# Stages of the offline pipeline, in their order: those of sandbox.pipeline.stages.plan, which a test holds it to.
PIPELINE = (
    "ingest", "deduplicate", "bots", "privacy", "sensitivity", "labels", "features", "training_set", "train", "evaluate",
    "gate", "register", "build_index", "roll_out", "monitor",
)  # fmt: skip
# Parts of a scope, in the order in which they are told.
PARTS = ("callee", "ops", "regions", "paths", "user_buckets", "items", "groups", "segments", "surfaces", "instances")
_USER = ("regions", "user_buckets")


@dataclass(frozen=True)
class Point:
    """awaited: its wrapper's `around` runs, else `around_sync`. when: in a request, a job or a stage.
    payload, answer: what goes in, and what `proceed` returns and a wrapper has to return, in words.
    returns: the types of the answer; () where nothing can be said. lies: process -> peer -> operations.
    parts: of a scope that a call here can be asked for. share, onset, ends: whether less than all, other than
    at once, and an end by itself can hold. why: for what does not. stage: of the offline plane, in no process.
    """

    name: str
    purpose: str
    awaited: bool
    when: str
    payload: str
    answer: str
    parts: tuple[str, ...]
    lies: Mapping[str, Peers] = field(default_factory=dict)
    returns: tuple[type, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    share: bool = True
    onset: bool = True
    ends: bool = True
    why: str = ""
    stage: bool = False
    knows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # peer -> parts, where peers differ
    made_by: str = ""  # key of a scenario's release by which what passes here is made before the drill begins

    @property
    def processes(self) -> tuple[str, ...]:
        return () if self.stage else tuple(self.lies)

    def peers(self, process: str) -> Peers:
        """Those that a target or a scope can name: {} where any may come."""
        there = self.lies.get(process, {})
        return {} if ANY in there else there

    def ops(self, process: str, peer: str | None = None) -> tuple[str, ...]:
        """Operations on that peer, on all of them for None. Empty where the point does not lie."""
        there = self.lies.get(process, {})
        if peer is not None:
            return there.get(peer, there.get(ANY, ()))
        return tuple(dict.fromkeys(op for ops in there.values() for op in ops))

    def misfit(self, process: str, peer: str, op: str) -> str | None:
        """What is wrong with a call of these names; None for one that the point really has."""
        if self.stage:
            return None if op in self.ops(self.name) else f"op {op!r} is never at {self.name}"
        if process not in self.lies:
            return f"{self.name} does not lie in {process!r}"
        if not self.ops(process, peer):
            return f"{self.name} in {process} has no peer {peer!r}"
        if op not in self.ops(process, peer):
            return f"{self.name} in {process}, {peer}: no op {op!r}"
        return None


_EDGES: Mapping[str, Peers] = {
    "gateway": {
        "features": ("GetUser", "GetConsent"),
        "retrieval": ("Retrieve",),
        "ranking": ("Rank",),
        "rules": ("Apply",),
        "events": ("Append", "AppendImpressions"),
    },
    "retrieval": {"model": ("EncodeUser",)},
    "ranking": {"features": ("GetItems",), "model": ("Score",)},
}
# The callees' side of the same edges: process -> caller -> operations.
_CALLED = {
    callee: {caller: callees[callee] for caller, callees in _EDGES.items() if callee in callees}
    for callee in dict.fromkeys(callee for callees in _EDGES.values() for callee in callees)
}
_UPDATES = "a list of (entity id, event time, row as float32 [columns])"
_STREAMED, _BATCH = (USER_SESSION.name, USER_SEEN.name), (USER_PROFILE.name, ITEM_STATS.name)
_BY_COLUMN = {"user_id": "user_buckets", "region": "regions", "segment": "segments", "surface": "surfaces",
              "item_id": "items", "instance": "instances"}  # fmt: skip


def _tables(process: str) -> Peers:
    """The tables that a process writes rows of."""
    written = (t for t in TABLES.values() if t.writer in ("every service", process))
    return {table.name: ("row",) for table in written}


_LOGGED = {
    **{process: _tables(process) for process in GRPC_PROCESSES},
    MATERIALISER: {"logs": ("row",), "materialization_runs": ("row",)},
}

POINTS = {point.name: point for point in (
    Point(
        "rpc", "a call from one service to another", True,
        "each attempt of a call, between the caller's stub and the wire",
        "the request message", "the callee's response message; SandboxError where the call failed",
        ("callee", "ops", "regions", "paths", "user_buckets", "instances"), _EDGES, (Message,),
    ),
    Point(
        "handle", "a call at the one who is called", True,
        "in the callee, once it has a place in the handler pool and the request is parsed",
        "the request message", "the response message; SandboxError for the status that the caller gets",
        ("callee", "ops", *_USER, "instances"), _CALLED, (Message,),
        why="a handler knows no network path",
    ),
    Point(
        "write", "features or events going in", True,
        "events: as a call's events go onto the stream; stream: once for each view and batch, before it is "
        "committed; materialiser: each piece of a batch view",
        f"events: a list of entries; else {_UPDATES}",
        "events: a list of bool, which entries were new; else the list of updates that is written",
        ("callee", "ops", "regions", "user_buckets", "items", "groups"),
        {
            "events": {"events": ("Append", "AppendImpressions")},
            "stream": dict.fromkeys(_STREAMED, ("apply",)),
            MATERIALISER: dict.fromkeys((*_BATCH, *_STREAMED), ("write",)),
        },
        (list,), {"event_ts": "newest event, world seconds", "n": "elements",
                  "lives_s": "stream: world seconds that the rows live in the store, None without end"},
        why="what is written takes no path",
        knows={
            "events": ("regions", "user_buckets", "items", "groups"), ITEM_STATS.name: ("items", "groups"),
            **dict.fromkeys((USER_PROFILE.name, *_STREAMED), _USER),
        },
    ),
    Point(
        "fetch", "which rows are asked for", True, "once for each call of the features service, around its read of the store",
        "a dict: the ids asked for, int64 [n], by name of the view; `attributes[\"views\"]` these views, by name",
        "a dict: the rows (`sandbox.base.features.Rows`) by name of the view; SandboxError where the store did not answer",
        ("ops", *_USER), {"features": {"redis": ("GetUser", "GetItems")}}, (dict,), why="the store has one path",
    ),
    Point(
        "read", "features coming out", True, "once for each view of a read, after the store has answered",
        "a dict: `entity_ids`, int64 [n], and `rows`", "the rows (`sandbox.base.features.Rows`)",
        ("callee", "ops", *_USER),
        {"features": {**dict.fromkeys((USER_PROFILE.name, *_STREAMED), ("GetUser",)),
                      ITEM_STATS.name: ("GetItems",)}},
        (Rows,), why="the store has one path",
    ),
    Point(
        "consent", "what the consent ledger says", True, "once for each GetConsent, as the ledger is asked",
        "a dict: `user_id`, `purpose`, `at` (world seconds: what had been said by then counts), `signals` (ways of "
        "saying something that are listened to)",
        "a tuple: granted bool, world seconds of what was said last, its signal", _USER,
        {"features": {"ledger": ("GetConsent",)}}, (tuple,), why="the ledger lies in the process",
    ),
    Point(
        "region", "where a request is said to come from", False, "once for each Recommend, before anything is asked",
        "the code of the user's home region (`sandbox.base.catalogue.REGIONS`), an int",
        "the code of the region that the request is taken to come from", _USER,
        {"gateway": {"region": ("tag",)}}, (int,), why="a region is a matter of one process",
    ),
    Point(
        "job", "a batch job", True, "as the run of a view falls due, before its rows are computed",
        "a `sandbox.base.jobs.JobRun`", "rows written, as they are noted; None where it did not run, which nobody notes",
        ("callee",), {MATERIALISER: dict.fromkeys((*_BATCH, *_STREAMED), ("run",))}, (int, type(None)),
        why="a job is about nobody in particular",
    ),
    Point(
        "store", "what is run on the store beside serving", True, "once a wall second, before the commands of upkeep go out",
        "a tuple of commands, each a tuple of words; as a rule there are none", "how many were run, an int",
        (), {MATERIALISER: {"redis": ("upkeep",)}}, (int,),
        why="upkeep is about nobody in particular",
    ),
    Point(
        "log", "what telemetry records", False, "as a row is written, before it is sent",
        "one row, a tuple in the order of the table's columns", "the row; None to lose it",
        ("callee", *_USER, "items", "segments", "surfaces", "instances"), _LOGGED, (tuple, type(None)),
        why="a row is about whom its columns name",
        knows={name: tuple(part for column, part in _BY_COLUMN.items() if column in table.names)
               for name, table in TABLES.items()},
    ),
    Point(
        "collect", "what is derived from telemetry", False,
        "in the collector, as each world minute closes, before it is written and judged",
        "a tuple: the counts that alerts judge (`sandbox.telemetry.alerts.Tick`) and the rows of `metrics`",
        "the same; where a wrapper fails, the minute is lost", (), {COLLECTOR: {"indicators": ("minute",)}}, (tuple,),
        share=False, onset=False, why="a minute is about everybody",
    ),
    Point(
        "source", "a candidate source", True, "within a Retrieve, as each source in turn is asked",
        "how many items are asked for, an int", "a tuple: ids int64 [n], scores float32 [n], best first; SandboxError "
        "where the source failed, which is flagged",
        ("callee", "ops", *_USER),
        {"retrieval": dict.fromkeys(("ann", "covisit", "followed", "popular", "fresh"), ("find",))}, (tuple,),
        why="a source is asked inside one process",
    ),
    Point(
        "index", "a search", True, "within a Retrieve, once the user's vector is there",
        "the query, float32 [dim]", "a tuple: ids int64 [n], scores float32 [n]",
        ("ops", *_USER), {"retrieval": {ANY: ("search",)}}, (tuple,),
        why="a search happens inside one process",
    ),
    Point(
        "model", "a forward pass", True, "within EncodeUser and Score, before they join a batch",
        "a tuple: users, profiles and recent clicks (EncodeUser), or users, items and inputs (Score)",
        "float32 [n, dim] (EncodeUser), or probabilities float32 [n, 3] (Score)",
        ("ops", *_USER), {"model": {ANY: ("EncodeUser", "Score")}}, (np.ndarray,),
        why="a forward pass happens inside one process",
    ),
    Point(
        "process", "what a process has to work with", False,
        "four times a wall second while something is put on it, and when that changes",
        "a `services.skeleton.room.Room`: what its settings give it", "the room that it has until it asks again",
        (), {process: {ANY: ("tick",)} for process in GRPC_PROCESSES}, (Room,),
        why="a process has one room, whomever it works for",
    ),
    Point(
        "traffic", "who comes when", False, "each world minute of arrivals, as it is drawn",
        "(start, end), world seconds", "the sessions that begin then, which `with_` adds to",
        (), {LOAD: {"arrivals": ("draw",)}}, (),
        {"arrivals": "which can draw `more`"},
        why="arrivals are drawn by the minute, for all users at once",
    ),
    Point(
        "release", "a release", False, "after its patches are made, before they come into force",
        "a `sandbox.pipeline.rollout.Release`", "the record of the operation",
        (), {"release": {ANY: ("rollout",)}}, (), share=False, onset=False, ends=False,
        why="a release happens once, for everybody", stage=True,
    ),
    Point(
        "training_log", "the log that training reads", False, "before a release's models are trained",
        "the log", "the log", (), {"training_log": {"log": ("read",)}}, (),
        {"item_group": "the creator group of every item", "seed": "of its draws"},
        share=False, onset=False, ends=False,
        why="a log is read once, before the release goes out", stage=True, made_by="retrain",
    ),
    Point(
        "index_rows", "what an index is filled with", False, "before the index of a release is built",
        "a `sandbox.pipeline.index.IndexRows`: ids int64 [n], vectors float32 [n, dim]", "the same",
        (), {"index_rows": {ANY: ("build",)}}, (),
        {"published_ts": "float64 by item: when each was published, world seconds", "now": "world seconds: when it is built"},
        share=False, onset=False, ends=False,
        why="an index is built once, before the release goes out", stage=True, made_by="fresh_index",
    ),
    Point(
        "pipeline", "a stage of the pipeline that trains", False, "as a release's models are made, stage by stage",
        "a `sandbox.pipeline.stages.spec.Work`: the stage's own database, the files it reads, where it writes",
        "a `Tally`: rows in, out, and dropped by reason", (), {"pipeline": dict.fromkeys(PIPELINE, ("run",))}, (),
        {"seed": "of its draws"},
        share=False, onset=False, ends=False,
        why="a stage runs once, before the release goes out", stage=True, made_by="pipeline",
    ),
)}  # fmt: skip

SERVED = tuple(point.name for point in POINTS.values() if not point.stage)
STAGES = tuple(point.name for point in POINTS.values() if point.stage)


def fits(name: str, answer: Any) -> bool:
    """Whether a wrapper at that point may return this."""
    returns = POINTS[name].returns
    return not returns or isinstance(answer, returns)
