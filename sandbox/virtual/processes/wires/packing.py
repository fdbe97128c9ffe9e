"""How requests are unpacked, and refused, as the services do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.base.errors import SandboxError
from services.gateway.stages import Candidates

if TYPE_CHECKING:  # the handlers offer these to the fabric
    from sandbox.virtual.machine.fabric import Context


Handler = Callable[["Context"], Awaitable[Any]]


def candidates_of(ids: np.ndarray) -> Candidates:
    """Of a request that names nothing but ids."""
    return Candidates(ids, np.zeros(len(ids), np.float32), b"\x01" * len(ids), [])


def array(raw: bytes, kind: str, where: str, n: int | None = None) -> np.ndarray:
    width = np.dtype(kind).itemsize
    if len(raw) % width or (n is not None and len(raw) != n * width):
        raise SandboxError(
            "WIRE-001",
            where=where,
            seen=f"{len(raw)} bytes",
            expected=f"{n or 'any number'} of {kind}",
            fix="pack the array as its .proto says",
        )
    return np.frombuffer(raw, kind)


def row(raw: bytes, n_columns: int, where: str) -> np.ndarray:
    return array(raw, "<f4", where, n_columns)


def refused(where: str, seen: object) -> SandboxError:
    return SandboxError("WIRE-002", where=where, seen=seen, expected="what the method takes", fix="see its .proto")


def not_loaded(version: str, active: str) -> SandboxError:
    return SandboxError(
        "MODEL-001",
        where="model server",
        seen=version,
        expected=f"one of {[active]}",
        fix="load it: name it in the model configuration",
    )
