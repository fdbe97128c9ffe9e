"""The application: the calls, what every request passes, and how errors are told."""

from __future__ import annotations

import logging
from functools import partial

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sandbox.base.errors import SandboxError
from sandbox.room.commands import refused
from sandbox.warroom import openapi, problems
from sandbox.warroom.api import api
from sandbox.warroom.authoring import authoring
from sandbox.warroom.console import console
from sandbox.warroom.guard import Guard
from sandbox.warroom.layers import layers
from sandbox.warroom.library import library
from sandbox.warroom.looks import looks
from sandbox.warroom.pages.routes import pages
from sandbox.warroom.panels import panels
from sandbox.warroom.replays import replays
from sandbox.warroom.rooms import Served

_log = logging.getLogger(__name__)


def application(served: Served) -> FastAPI:
    """OpenAPI stands at /api/v1/openapi.json; the usual pages for it need a CDN and are left out."""
    app = FastAPI(
        title="War room", version="1", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None,
        description="The rooms in which teams answer drills. Errors are problem documents (RFC 9457).",
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.served = served
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]  # FastAPI's way to have one's own
    app.include_router(api)
    app.include_router(looks)
    app.include_router(console)
    app.include_router(replays)
    app.include_router(panels)
    app.include_router(layers)
    app.include_router(library)
    app.include_router(authoring)
    app.include_router(pages)
    app.add_exception_handler(SandboxError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _other)
    app.add_exception_handler(Exception, _unforeseen)
    app.add_middleware(Guard, body_bytes=served.settings.body_bytes)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SandboxError)
    return problems.response(error, request.url.path)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problems.response(refused(error.errors(), "request"), request.url.path)


async def _other(request: Request, error: Exception) -> JSONResponse:
    """What the router refuses: an address or a method that there is not."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    told = SandboxError(
        "WIRE-003", where=f"{request.method} {path[:200]}", seen=str(error.detail), fix="see /api/v1/openapi.json",
        expected="a call that there is",
    )  # fmt: skip
    return problems.response(told, path, error.status_code)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("unforeseen failure of %s", request.url.path, exc_info=error)
    return problems.unforeseen(request.url.path)
