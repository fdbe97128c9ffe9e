"""The one registry of errors: every failure that a person or a machine can cause has a code here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """What one code means, for ever: codes are never reused and never renumbered."""

    code: str
    status: str  # name of the gRPC status that a service answers with
    definite: bool  # True: the operation certainly did not happen, so a retry is safe
    title: str


_ALL = (
    # WIRE: what came over an RPC
    Kind("WIRE-001", "INVALID_ARGUMENT", True, "array shapes disagree"),
    Kind("WIRE-002", "INVALID_ARGUMENT", True, "request field out of range"),
    Kind("WIRE-003", "NOT_FOUND", True, "no such entity"),
    Kind("WIRE-004", "DEADLINE_EXCEEDED", False, "deadline exceeded"),
    Kind("WIRE-005", "UNAVAILABLE", False, "dependency unavailable"),
    Kind("WIRE-006", "INTERNAL", False, "unexpected failure inside a service"),
    Kind("WIRE-007", "INVALID_ARGUMENT", True, "malformed message"),
    Kind("WIRE-008", "UNAVAILABLE", True, "circuit breaker open"),
    Kind("WIRE-009", "RESOURCE_EXHAUSTED", True, "too many requests of one user"),
    Kind("WIRE-010", "UNAVAILABLE", True, "turned away: as many calls in flight as can be borne"),
    # CFG: settings, configuration documents, command line
    Kind("CFG-001", "INVALID_ARGUMENT", True, "setting out of range"),
    Kind("CFG-002", "NOT_FOUND", True, "no such file or directory"),
    Kind("CFG-003", "INVALID_ARGUMENT", True, "malformed document"),
    Kind("CFG-004", "INVALID_ARGUMENT", True, "bad command-line argument"),
    # RUN: processes, ports, run directories
    Kind("RUN-001", "NOT_FOUND", True, "no running stack"),
    Kind("RUN-002", "FAILED_PRECONDITION", True, "run directory is in use"),
    Kind("RUN-003", "UNAVAILABLE", False, "a service did not become ready"),
    Kind("RUN-004", "NOT_FOUND", True, "redis-server not found"),
    Kind("RUN-005", "RESOURCE_EXHAUSTED", False, "no space left in the run directory"),
    Kind("RUN-006", "FAILED_PRECONDITION", True, "port is in use"),
    Kind("RUN-007", "NOT_FOUND", True, "no such service"),
    Kind("RUN-008", "INTERNAL", False, "unexpected failure of a command"),
    Kind("RUN-009", "FAILED_PRECONDITION", True, "another stack is up"),
    Kind("RUN-010", "UNAUTHENTICATED", True, "control token refused"),
    Kind("RUN-011", "FAILED_PRECONDITION", True, "not without a supervisor"),
    Kind("RUN-012", "FAILED_PRECONDITION", True, "no profiler that may look into processes"),
    # WORLD: worlds, imports
    Kind("WORLD-001", "NOT_FOUND", True, "no such world"),
    Kind("WORLD-002", "INVALID_ARGUMENT", True, "source file cannot be used"),
    Kind("WORLD-003", "FAILED_PRECONDITION", True, "world files are damaged"),
    Kind("WORLD-004", "ALREADY_EXISTS", True, "a world of that name exists"),
    # MODEL: registry, training, artefacts
    Kind("MODEL-001", "NOT_FOUND", True, "no such artefact version"),
    Kind("MODEL-002", "DATA_LOSS", True, "artefact does not match its manifest"),
    Kind("MODEL-003", "INVALID_ARGUMENT", True, "inputs do not match the model's signature"),
    Kind("MODEL-004", "INVALID_ARGUMENT", True, "no such evaluation protocol"),
    Kind("MODEL-005", "ALREADY_EXISTS", True, "a version of that name has other bytes"),
    Kind("MODEL-006", "ABORTED", True, "another version is in force than was expected"),
    Kind("MODEL-007", "FAILED_PRECONDITION", True, "no such move between stages"),
    # STORE: the online feature store
    Kind("STORE-001", "UNAVAILABLE", False, "feature store unreachable"),
    Kind("STORE-002", "INVALID_ARGUMENT", True, "no such feature view"),
    Kind("STORE-003", "DATA_LOSS", True, "packed row cannot be decoded"),
    Kind("STORE-004", "RESOURCE_EXHAUSTED", True, "feature store refuses writes"),
    # PRIV: privacy
    Kind("PRIV-001", "INVALID_ARGUMENT", True, "law refused"),
    Kind("PRIV-002", "NOT_FOUND", True, "no such user"),
    Kind("PRIV-003", "DATA_LOSS", True, "tombstones cannot be read"),
    Kind("PRIV-004", "FAILED_PRECONDITION", True, "the world's people are being exported or erased"),
    # LAKE: telemetry, SQL, traces
    Kind("LAKE-001", "INVALID_ARGUMENT", True, "SQL refused"),
    Kind("LAKE-002", "DEADLINE_EXCEEDED", True, "SQL stopped at its time limit"),
    Kind("LAKE-003", "RESOURCE_EXHAUSTED", True, "SQL stopped at its memory limit"),
    Kind("LAKE-004", "INVALID_ARGUMENT", True, "SQL does not run"),
    Kind("LAKE-005", "NOT_FOUND", True, "no such trace"),
    Kind("LAKE-006", "INVALID_ARGUMENT", True, "malformed telemetry frame"),
    Kind("LAKE-007", "FAILED_PRECONDITION", True, "lake cannot be read"),
    # FLT: faults
    Kind("FLT-001", "NOT_FOUND", True, "no such fault"),
    Kind("FLT-002", "INVALID_ARGUMENT", True, "fault parameter out of range"),
    Kind("FLT-003", "FAILED_PRECONDITION", True, "fault cannot be armed there"),
    # DRILL: scenarios, drills, reports, actions
    Kind("DRILL-001", "NOT_FOUND", True, "no such scenario"),
    Kind("DRILL-002", "INVALID_ARGUMENT", True, "scenario refused"),
    Kind("DRILL-003", "INVALID_ARGUMENT", True, "incident report refused"),
    Kind("DRILL-004", "FAILED_PRECONDITION", True, "another drill is running there"),
    Kind("DRILL-005", "NOT_FOUND", True, "no such action"),
    Kind("DRILL-006", "FAILED_PRECONDITION", True, "no drill is running"),
    Kind("DRILL-007", "INVALID_ARGUMENT", True, "action argument refused"),
    # ROOM: rooms in which a team answers a drill
    Kind("ROOM-001", "NOT_FOUND", True, "no such room"),
    Kind("ROOM-002", "PERMISSION_DENIED", True, "not by that role"),
    Kind("ROOM-003", "FAILED_PRECONDITION", True, "not now"),
    Kind("ROOM-004", "UNAUTHENTICATED", True, "not signed in"),
    Kind("ROOM-005", "RESOURCE_EXHAUSTED", True, "too many, or too much at once"),
    Kind("ROOM-006", "INVALID_ARGUMENT", True, "malformed command"),
    Kind("ROOM-007", "ALREADY_EXISTS", True, "taken by somebody else"),
    Kind("ROOM-008", "DATA_LOSS", True, "journal of a room cannot be read"),
    Kind("ROOM-009", "NOT_FOUND", True, "no such thing in the room"),
    # PIPE: the offline pipeline
    Kind("PIPE-001", "NOT_FOUND", True, "no such stage, run or check"),
    Kind("PIPE-002", "ABORTED", True, "source changed while it was read"),
    Kind("PIPE-003", "INVALID_ARGUMENT", True, "pipeline configuration refused"),
    Kind("PIPE-004", "INVALID_ARGUMENT", True, "source cannot be used"),
    Kind("PIPE-005", "FAILED_PRECONDITION", True, "check of the pipeline failed"),
    # LOAD: load generator
    Kind("LOAD-001", "UNAVAILABLE", False, "the load generator failed"),
)
KINDS = {kind.code: kind for kind in _ALL}
assert len(KINDS) == len(_ALL), "an error code is used twice"


class SandboxError(Exception):
    """A failure that says what was wrong, where, what was seen, what was expected and the way out."""

    def __init__(self, code: str, *, where: str, seen: object, expected: str, fix: str) -> None:
        self.kind = KINDS[code]
        self.where, self.seen, self.expected, self.fix = where, seen, expected, fix
        super().__init__(
            f"{code} {self.kind.title}\n  where     {where}\n  seen      {seen!r}\n"
            f"  expected  {expected}\n  fix       {fix}"
        )

    def as_json(self) -> dict[str, Any]:
        """The document that `--json` commands print on stderr."""
        seen = self.seen
        if not isinstance(seen, int | float | str | None) or not _finite(seen):
            seen = repr(seen)
        return {
            "code": self.kind.code,
            "title": self.kind.title,
            "where": self.where,
            "seen": seen,
            "expected": self.expected,
            "fix": self.fix,
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> SandboxError:
        """The error that `as_json` told, in another process: unpickling would give it one argument of its five.
        Raises KeyError where a part is missing, or for a code that there is not."""
        parts = {name: document[name] for name in ("where", "seen", "expected", "fix")}
        return cls(document["code"], **parts)


def _finite(value: object) -> bool:
    """False for the floats that JSON has no word for."""
    return not isinstance(value, float) or math.isfinite(value)
