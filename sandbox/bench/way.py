"""A recommendation's way through the processes: who calls whom, and which core runs where. Pure.

The cold floor's processes follow it, and a message of theirs says in its first bytes which step it is for.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

# Op -> what its process does, one after the other: a core, or a call.
WAY: dict[str, tuple[str, ...]] = {
    "gateway": ("call features.GetUser", "call retrieval", "call ranking", "call rules"),
    "features.GetUser": ("core features.GetUser",),
    "retrieval": ("call model.EncodeUser", "core retrieval"),
    "model.EncodeUser": ("core model.EncodeUser",),
    "ranking": ("call features.GetItems", "core ranking.inputs", "call model.Score", "core ranking.scores"),
    "features.GetItems": ("core features.GetItems",),
    "model.Score": ("core model.Score",),
    "rules": ("core rules",),
    "events.AppendImpressions": (),
}
BEHIND = {"gateway": "events.AppendImpressions"}  # called once the answer is out
OPS = tuple(WAY)
PROCESSES = tuple(dict.fromkeys(op.split(".")[0] for op in OPS))
COUNTED = tuple(name for name in PROCESSES if name != "events")  # of stack and floor alike, see `serving.measure`
_HEAD = struct.Struct("<BII")  # op, number of the recommendation, bytes of the answer


def process_of(op: str) -> str:
    return op.split(".")[0]


def message(op: str, i: int, sizes: Mapping[str, tuple[int, int]]) -> bytes:
    """As many bytes as the real request has, or what says what is asked, where that has fewer."""
    n_bytes, n_answer = sizes[op]
    return _HEAD.pack(OPS.index(op), i, n_answer) + bytes(max(0, n_bytes - _HEAD.size))


def read(raw: bytes) -> tuple[str, int, int]:
    """(op, number of the recommendation, bytes of the answer)."""
    at, i, n_answer = _HEAD.unpack_from(raw)
    return OPS[at], i, n_answer


def called(op: str) -> list[str]:
    """Ops that one call of it leads to, in order, itself first."""
    steps = [step.split(" ", 1) for step in WAY[op]]
    found = [op, *(then for kind, of in steps if kind == "call" for then in called(of))]
    return found + ([BEHIND[op]] if op in BEHIND else [])
