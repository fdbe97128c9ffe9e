"""The profile where it cannot be had: nothing is left, and what is to be done is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.progress import quiet
from sandbox.bench.profile import measure, pyspy
from sandbox.runtime.stack import Stack


class OneProcess:
    """As much of a stack as a profile asks for."""

    def status(self) -> dict[str, Any]:
        rows = [
            {"name": "gateway", "instance": "gateway-1", "pid": os.getpid()},
            {"name": "redis", "instance": "redis-1", "pid": 1},
        ]
        return {"services": rows}


def raises(error: BaseException) -> Callable[..., Any]:
    def record(*_: object) -> Any:
        raise error

    return record


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("no space left")], ids=repr)
def test_one_that_is_broken_off_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException):
    monkeypatch.setattr(pyspy, "found", lambda: "py-spy")
    monkeypatch.setattr(pyspy, "record", raises(error))

    with pytest.raises(type(error)):
        measure.measure(cast(Stack, OneProcess()), 1.0, 0.0, tmp_path, quiet)

    assert list(tmp_path.iterdir()) == []


def test_without_a_profiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SandboxError, match=r"RUN-012(.|\n)*pip install"):
        pyspy.found()


def profiler(place: Path, says: str, code: int) -> Path:
    """One that says so on stderr and ends."""
    program = place / "py-spy"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    program.chmod(0o700)
    return program


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("Permission Denied: Try running again with elevated permissions", "RUN-012"),
        ("Error: Operation not permitted (os error 1)", "RUN-012"),
        ("Error: Failed to find python version from target process", "RUN-008"),
        ("", "RUN-008"),
    ],
)
def test_a_profiler_that_may_not_look_is_told_from_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, code: str
):
    program = profiler(tmp_path, says, 1)
    monkeypatch.setattr(pyspy, "found", lambda: str(program))

    with pytest.raises(SandboxError, match=code) as refused:
        pyspy.record({"gateway": os.getpid()}, tmp_path, 1, 10, False, quiet)

    assert refused.value.where == "sandbox profile, gateway"
    assert ("SYS_PTRACE" in refused.value.fix) == (code == "RUN-012")
