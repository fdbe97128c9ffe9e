"""Errors over the wire: a SandboxError becomes a rich gRPC status and, at the caller, itself again."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from sandbox.base.errors import KINDS, SandboxError

_DOMAIN = "recsys.v1"


def to_status(error: SandboxError) -> status_pb2.Status:
    """google.rpc.Status with an ErrorInfo whose reason is the error's code."""
    detail = AnyMessage()
    detail.Pack(
        error_details_pb2.ErrorInfo(
            reason=error.kind.code,
            domain=_DOMAIN,
            metadata={
                "where": error.where,
                "seen": str(error.seen)[:500],
                "expected": error.expected,
                "fix": error.fix,
            },
        )
    )
    code = code_pb2.Code.Value(error.kind.status)
    return status_pb2.Status(code=code, message=f"{error.kind.code} {error.kind.title}", details=[detail])


def grpc_status(error: SandboxError) -> grpc.Status:
    return rpc_status.to_status(to_status(error))


def from_rpc_error(error: grpc.RpcError, edge: str) -> SandboxError:
    """The typed error behind a failed call. edge: caller->callee, for errors that the transport made."""
    code = error.code()
    with_details = _error_info(error)
    if with_details is not None:
        return with_details
    text = error.details() or ""
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return SandboxError(
            "WIRE-004",
            where=edge,
            seen=text[:200],
            expected="an answer within the deadline",
            fix="see the callee's spans; raise the edge's deadline only if the callee is right to be slow",
        )
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return SandboxError(
            "WIRE-005",
            where=edge,
            seen=text[:200],
            expected="a callee that accepts calls",
            fix="see `sandbox status`; the supervisor restarts a service that died",
        )
    return SandboxError(
        "WIRE-006", where=edge, seen=f"{code.name}: {text[:200]}", expected="OK", fix="see the callee's log"
    )


def _error_info(error: grpc.RpcError) -> SandboxError | None:
    try:
        status = rpc_status.from_call(error)
    except (ValueError, AttributeError):
        return None
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.reason in KINDS:
            said = info.metadata
            return SandboxError(
                info.reason, where=said["where"], seen=said["seen"], expected=said["expected"], fix=said["fix"]
            )
    return None
