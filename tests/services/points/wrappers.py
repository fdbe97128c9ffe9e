"""What is put on each point: a wrapper that delays, changes, fails, drops, or answers nonsense."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np

from sandbox.base.catalogue import REGIONS
from sandbox.base.errors import SandboxError
from sandbox.base.features import Status, unpack_many
from services.proto.recsys.v1 import rules_pb2
from services.skeleton.room import Room

UK = REGIONS.index("UK")
NOBODY = 10**9  # a user of whom there are no rows
DELAY_S = 0.4  # wall seconds: more than anything here takes by itself


class Wrapper:
    """Acts on the calls of one peer and operation; `seen` are those."""

    def __init__(self, kind, peer, op, wall=None, **how):
        self.kind, self.peer, self.op, self.wall, self.how = kind, peer, op, wall, how
        self.seen = []

    def _concerns(self, call):
        return (self.peer is None or call.peer == self.peer) and call.op == self.op

    async def around(self, call, proceed):
        if not self._concerns(call):
            return await proceed(call)
        self.seen.append(call)
        if self.kind == "delaying":
            await self.wall.wait_until(self.wall.now() + DELAY_S)
        if self.kind == "changing":
            return await proceed(replace(call, payload=self.how["change"](call.payload)))
        if self.kind == "answering":
            return self.how["answer"](await proceed(call))
        return self._ended(call) if self.kind in ENDS else await proceed(call)

    def around_sync(self, call, proceed):
        if not self._concerns(call):
            return proceed(call)
        self.seen.append(call)
        if self.kind == "changing":
            return proceed(replace(call, payload=self.how["change"](call.payload)))
        if self.kind == "answering":
            return self.how["answer"](proceed(call))
        return self._ended(call)

    def _ended(self, call):
        if self.kind == "failing":
            raise SandboxError(self.how["code"], where="a test", seen="", expected="", fix="")
        if self.kind == "breaking":
            raise ZeroDivisionError("a bug in a fault")
        return self.how["drop"](call) if self.kind == "dropping" else "soup"


ENDS = ("failing", "breaking", "dropping", "nonsense")


def two_items(request):
    changed = deepcopy(request)
    changed.slate_size = 2
    return changed


def one_item(answer):
    del answer.slate[1:]
    return answer


def gone(rows):
    return replace(rows, status=np.full_like(rows.status, Status.MISSING))


def gone_in(payload):
    return {**payload, "rows": gone(payload["rows"])}


def of_nobody(payload):
    return {**payload, "user_profile": np.array([NOBODY])}


def all_gone(answer):
    return {name: gone(rows) for name, rows in answer.items()}


def nothing_read(call):
    """Rows that are not there, without a look at the store."""
    views, ids = call.attributes["views"], call.payload
    return {name: unpack_many(views[name], [None] * len(ids[name]), 0.0) for name in ids}


def first_only(payload):
    users, items, inputs = payload
    return users, np.repeat(items[:1], len(items)), np.repeat(inputs[:1], len(items), 0)


def nothing_found(_):
    return np.zeros(0, np.int64), np.zeros(0, np.float32)


def sevens(updates):
    return [(entity, ts, np.full(len(row), 7.0, np.float32)) for entity, ts, row in updates]


def seven_each(minute):
    tick, rows = minute
    return tick, [(*row[:3], 7.0) for row in rows]


def one_handler(room):
    """One that a call keeps for longer than anything here takes."""
    return replace(room, handlers=1, held_s=lambda method, place: DELAY_S)


def throttled(room):
    """To a hundredth of what the requests at hand take."""
    return replace(room, quota=0.004, period_s=0.5)


def elsewhere(row):
    return (*row[:4], "AU", *row[5:])


# (point, process, peer, op) -> how a wrapper of each kind goes about it
HOW = {
    ("rpc", "gateway", "rules", "Apply"): {
        "change": two_items, "answer": one_item, "code": "WIRE-005",
        "drop": lambda call: rules_pb2.ApplyResponse(rules_version="mine"),
    },
    ("handle", "rules", "gateway", "Apply"): {
        "change": two_items, "answer": one_item, "code": "WIRE-005",
        "drop": lambda call: rules_pb2.ApplyResponse(rules_version="mine"),
    },
    ("read", "features", "user_profile", "GetUser"): {
        "change": gone_in, "answer": gone, "code": "STORE-001", "drop": lambda call: gone(call.payload["rows"]),
    },
    ("collect", "collector", "indicators", "minute"): {
        "change": seven_each, "answer": seven_each, "code": "WIRE-005", "drop": lambda call: (call.payload[0], []),
    },
    ("source", "retrieval", "ann", "find"): {
        "change": lambda n: 2, "answer": nothing_found, "code": "WIRE-005", "drop": nothing_found,
    },
    ("fetch", "features", "redis", "GetUser"): {
        "change": of_nobody, "answer": all_gone, "code": "STORE-001", "drop": nothing_read,
    },
    ("consent", "features", "ledger", "GetConsent"): {
        "change": lambda asked: {**asked, "at": 0.0}, "answer": lambda said: (False, *said[1:]), "code": "STORE-001",
        "drop": lambda call: (False, 0.0, ""),
    },
    ("region", "gateway", "region", "tag"): {
        "change": lambda home: UK, "answer": lambda region: UK, "code": "WIRE-005", "drop": lambda call: UK,
    },
    ("index", "retrieval", None, "search"): {
        "change": lambda vector: vector * 0, "answer": nothing_found, "code": "MODEL-003", "drop": nothing_found,
    },
    ("model", "model", None, "Score"): {
        "change": first_only, "answer": lambda p: np.full_like(p, 0.25), "code": "MODEL-003",
        "drop": lambda call: np.full((len(call.payload[1]), 3), 0.25, np.float32),
    },
    ("process", "rules", None, "tick"): {
        "change": one_handler, "answer": one_handler, "code": "WIRE-005", "drop": lambda call: one_handler(Room(9)),
    },
    ("process", "ranking", None, "tick"): {
        "change": throttled, "answer": throttled, "code": "WIRE-005", "drop": lambda call: throttled(Room(64)),
    },
    ("job", "materialiser", "item_stats", "run"): {
        "change": lambda job: replace(job, passes=3, rows_per_write=7), "answer": lambda n: 0, "code": "STORE-004",
        "drop": lambda call: None,
    },
    ("store", "materialiser", "redis", "upkeep"): {
        "change": lambda commands: (*commands, ("RPUSH", "board", 1, 2, 3), ("SORT", "board")),
        "answer": lambda n: n + 5, "code": "STORE-001", "drop": lambda call: 7,
    },
    ("log", "gateway", "requests", "row"): {
        "change": elsewhere, "answer": elsewhere, "code": "WIRE-005", "drop": lambda call: None,
    },
    ("write", "events", "events", "Append"): {
        "change": lambda entries: entries[:1], "answer": lambda taken: [False] * len(taken), "code": "STORE-001",
        "drop": lambda call: [True] * len(call.payload),
    },
    ("write", "stream", "user_session", "apply"): {
        "change": sevens, "answer": sevens, "code": "STORE-001", "drop": lambda call: [],
    },
    ("write", "materialiser", "item_stats", "write"): {
        "change": sevens, "answer": sevens, "code": "STORE-001", "drop": lambda call: [],
    },
}  # fmt: skip
KINDS = ("plain", "delaying", "changing", "answering", *ENDS)
