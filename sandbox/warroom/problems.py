"""Errors as problem documents (RFC 9457): the five parts of a SandboxError, and what HTTP makes of them."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from sandbox.base import paths
from sandbox.base.errors import SandboxError

MEDIA_TYPE = "application/problem+json"
_STATUS = {  # gRPC's name -> HTTP's number
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "FAILED_PRECONDITION": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def status_of(error: SandboxError) -> int:
    if error.kind.code.startswith("LAKE"):  # a query past its limits is a bad query
        return 400
    return _STATUS.get(error.kind.status, 500)


def document(error: SandboxError, path: str, status: int | None = None) -> dict[str, Any]:
    """path: what was called. Where the server keeps its files is nobody's business."""
    home = str(paths.home())
    told = {
        name: value.replace(home, "SANDBOX_HOME") if isinstance(value, str) else value
        for name, value in error.as_json().items()
    }
    return {
        "type": f"urn:sandbox:error:{error.kind.code}",
        "title": told.pop("title"),
        "status": status_of(error) if status is None else status,
        "detail": f"{told['where']}: {told['seen']}, where there should be {told['expected']}. {told['fix']}",
        "instance": path,
        **told,
    }


def response(error: SandboxError, path: str, status: int | None = None) -> JSONResponse:
    told = document(error, path, status)
    return JSONResponse(told, status_code=told["status"], media_type=MEDIA_TYPE)


def unforeseen(path: str) -> JSONResponse:
    """Of what nobody foresaw only that much is told."""
    error = SandboxError(
        "RUN-008", where="the server", seen="a failure that nobody foresaw", expected="an answer or a typed error",
        fix="tell whoever runs the server: its log says more",
    )  # fmt: skip
    return response(error, path)
