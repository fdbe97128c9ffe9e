"""`sandbox cache`: what is kept of the runs behind twins, grades and proofs, and how to be rid of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove it, but for what a running process uses.")] = False,
    json_: Json = False,
) -> None:
    """The twin cache: virtual runs that were made once and are looked up since. It keeps within a bound of
    2 GB, or as many as SANDBOX_TWIN_CACHE_GB says; the least recently used go first."""
    from sandbox.drill.twin import cache as twin_cache

    removed = twin_cache.make_room(0) if clear else []
    document = twin_cache.document() | {"removed": len(removed), "removed_bytes": sum(one.size for one in removed)}
    emit(document, lambda: _print(document, clear), json_)


def _print(document: dict[str, Any], clear: bool) -> None:
    if clear:
        out.print(f"removed {document['removed']} runs, {_size(document['removed_bytes'])}")
    used = f", {document['in_use']} in use" if document["in_use"] else ""
    out.print(
        f"{document['runs']} runs kept, {document['with_telemetry']} with telemetry{used}: "
        f"{_size(document['bytes'])} of at most {_size(document['limit_bytes'])}"
    )
    if document["oldest_ts"]:
        last = datetime.fromtimestamp(document["oldest_ts"], UTC)
        out.print(f"the least recently used on {last:%Y-%m-%d %H:%M} UTC")
    out.print(f"[dim]{escape(document['directory'])}[/]", soft_wrap=True)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
