"""One slate asked of a running stack, and drawn so that a person can read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo

_ROOMY = 120  # columns from which on a terminal has room for everything
TIMEOUT_S = 5.0  # wall seconds; the gateway itself answers within its own deadline


@dataclass(frozen=True)
class Card:
    """What the catalogue says about an item."""

    title: str
    topics: tuple[str, ...]
    creator: str


def ask(run: RunInfo, user: int, k: int, session: str = "", depth: int = 1) -> Any:
    """The gateway's RecommendResponse. Raises what it raises: WIRE-002, WIRE-003, WIRE-004, WIRE-005."""
    import grpc

    from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
    from services.skeleton.status import from_rpc_error

    try:
        request = gateway_pb2.RecommendRequest(
            user_id=user, k=k, session_id=session, depth=depth, surface="home", client="probe", explain=True
        )
    except ValueError as error:  # does not fit into the wire's integers
        raise SandboxError(
            "WIRE-002",
            where="sandbox recommend",
            seen=f"user {user}, k {k}, depth {depth}",
            expected="k from 1 to 100, user and depth not negative",
            fix="correct the number",
        ) from error
    with grpc.insecure_channel(run.addresses["gateway"]) as channel:
        try:
            stub = gateway_pb2_grpc.RecommenderStub(channel)
            return stub.Recommend(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise from_rpc_error(error, "cli->gateway") from None


def read_cards(world_dir: Path, items: list[int]) -> dict[int, Card]:
    """By item. Those that the world's tables do not have are left out."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not items:
        return {}
    public = world_dir / "public"
    try:
        wanted = [("item_id", "in", set(items))]
        columns = ["item_id", "title", "topics", "creator_id"]
        rows = pq.read_table(public / "items.parquet", columns=columns, filters=wanted).to_pylist()
        creators = pq.read_table(public / "creators.parquet", columns=["creator_id", "name"])
        makers = {row["creator_id"] for row in rows}
        named = creators.filter(pc.field("creator_id").isin(list(makers))).to_pylist()
    except (OSError, KeyError, ValueError) as error:
        raise SandboxError(
            "WORLD-003",
            where=str(public),
            seen=str(error)[:300],
            expected="items.parquet and creators.parquet",
            fix="build the world anew: sandbox world build NAME --force",
        ) from error
    names = {row["creator_id"]: row["name"] for row in named}
    return {
        row["item_id"]: Card(row["title"] or "", tuple(row["topics"] or ()), names.get(row["creator_id"], ""))
        for row in rows
    }


def document(answer: Any, cards: dict[int, Card]) -> dict[str, Any]:
    """The JSON document of docs/cli.md."""
    return {
        "request_id": answer.request_id,
        "user_id": answer.user_id,
        "degraded": answer.degraded,
        "fallbacks": list(answer.fallbacks),
        "model_version": answer.model_version,
        "encoder_version": answer.encoder_version,
        "index_version": answer.index_version,
        "rules_version": answer.rules_version,
        "items": [_item(item, cards) for item in answer.items],
    }


def _item(item: Any, cards: dict[int, Card]) -> dict[str, Any]:
    card = cards.get(item.item_id, Card("", (), ""))
    return {
        "item_id": item.item_id,
        "position": item.position,
        "title": card.title,
        "topics": list(card.topics),
        "creator": card.creator,
        "sources": list(item.sources),
        "score": item.score,
        "p_click": item.p_click,
        "model_rank": item.model_rank or None,
        "randomised": item.randomised,
        "propensity": item.propensity,
        "rules": [{"rule": n.rule, "action": n.action, "factor": n.factor} for n in item.rules],
    }


def slate(answer: Any, cards: dict[int, Card], width: int) -> RenderableType:
    """The answer for a terminal of so many columns, with what answered and how to see its trace."""
    parts: list[RenderableType] = []
    if answer.degraded:
        stages = ", ".join(answer.fallbacks)
        parts.append(Text.assemble((" degraded ", "bold black on yellow"), f" a fallback answered for: {stages}"))
    parts.append(table(answer.items, cards, width))
    versions = (answer.model_version, answer.encoder_version, answer.index_version, answer.rules_version)
    said = " · ".join(
        f"{label} {version or 'none'}"
        for label, version in zip(("ranker", "encoder", "index", "rules"), versions, strict=True)
    )
    parts.append(Text(f"user {answer.user_id} · {said}", style="dim"))
    return Group(*parts)


_COLUMNS: dict[str, dict[str, Any]] = {
    "#": {"justify": "right", "min_width": 2},
    "title": {"min_width": 22, "max_width": 48},
    "topics": {"style": "cyan", "max_width": 22},
    "by": {"max_width": 18},
    "found by": {"style": "green"},
    "score": {"justify": "right", "min_width": 5},
    "p click": {"justify": "right", "min_width": 7},
    "ranker": {"justify": "right", "style": "dim"},
    "rules": {"style": "yellow", "no_wrap": False},
}


def cells(items: Any, cards: dict[int, Card]) -> tuple[list[str], list[list[str]]]:
    """The slate as a table of words: columns, and a row for each item."""
    rows = [_cells(item, cards.get(item.item_id, Card(f"item {item.item_id}", (), ""))) for item in items]
    return list(_COLUMNS), [[row[name] for name in _COLUMNS] for row in rows]


def table(items: Any, cards: dict[int, Card], width: int) -> Table:
    """The slate for a terminal of so many columns; on a narrow one the lesser columns are left out."""
    shown = [name for name in _COLUMNS if width >= _ROOMY or name not in ("by", "ranker")]
    drawn = Table(header_style="bold", box=None, pad_edge=False)
    for name in shown:
        look: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"} | _COLUMNS[name]
        drawn.add_column(name, **look)
    for item in items:
        cells = _cells(item, cards.get(item.item_id, Card(f"item {item.item_id}", (), "")))
        drawn.add_row(*(escape(cells[name]) for name in shown))
    return drawn


def _cells(item: Any, card: Card) -> dict[str, str]:
    ranked = item.model_rank > 0
    return {
        "#": str(item.position),
        "title": card.title,
        "topics": ", ".join(card.topics),
        "by": card.creator,
        "found by": " ".join(item.sources),
        "score": f"{item.score:.3f}",
        "p click": f"{item.p_click:.1%}" if ranked else "",
        "ranker": f"#{item.model_rank}" if ranked else "",
        "rules": rules_text(item),
    }


def rules_text(item: Any) -> str:
    """What the rules did to one item, in a few words."""
    notes = [
        f"{n.rule} {n.action} ×{n.factor:.2f}" if n.action in ("boost", "demote") else f"{n.rule} {n.action}"
        for n in item.rules
    ]
    if item.randomised:
        notes.append(f"random, p={item.propensity:.3g}")
    return "; ".join(notes)
