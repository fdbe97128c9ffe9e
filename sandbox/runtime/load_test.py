"""A load test on a run: told to the load that goes on there, and written down for the one that takes its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.load import LoadTest
from sandbox.base.run import RunInfo, write_atomically
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.rundir import disk_error
from services.skeleton.points import LOAD

ORDER = "load-test"  # to the load, with `test`: the document of a LoadTest, None to end one


def begin(run: RunInfo, test: LoadTest | None) -> None:
    """Has the load of a run bring these visits as well; None ends it. Raises RUN-001 where nobody drives the
    stack, RUN-005 on a full disk."""
    told = None if test is None else test.model_dump()
    control.ask(Endpoint.at(run.control_socket(LOAD)), ORDER, test=told)
    try:
        write_atomically(_path(run), json.dumps(told))
    except OSError as error:
        raise disk_error(run.path, error) from error


def read(run: RunInfo) -> LoadTest | None:
    """The latest of a run, which may be over; None where there was none, or it was ended."""
    try:
        return of(json.loads(_path(run).read_text()))
    except (OSError, ValueError, SandboxError):
        return None


def of(document: dict[str, Any] | None) -> LoadTest | None:
    """Raises CFG-003 for a document that is none."""
    if document is None:
        return None
    try:
        return LoadTest.model_validate(document)
    except ValueError as error:
        raise SandboxError(
            "CFG-003", where="load test", seen=document, expected="rate_per_s, start_ts and until_ts after it",
            fix="use sandbox act load-test",
        ) from error  # fmt: skip


def _path(run: RunInfo) -> Path:
    return run.path / "load-test.json"
