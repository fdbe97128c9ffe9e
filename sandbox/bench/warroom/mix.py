"""What participants say and do: one command after the other, the same for every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ROLES = ("commander", "deputy", "scribe")  # one of each
_MORE = ("operations", "ml_engineer", "data_analyst", "communications")
AT_DESK = frozenset({"preview", "act"})
COUNTED_S = 300.0  # world seconds in which the query counts requests; those of the last minute may be on their way yet
_SQL = """
    SELECT count(*) AS n, quantile_cont(latency_ms, 0.99) AS p99 FROM requests
    WHERE ts > $now - INTERVAL 6 MINUTE AND ts <= $now - INTERVAL 1 MINUTE"""
_TEXT = "the p99 of ranking went up at about ten past, the features are as they were; I look at its spans next"
_CYCLE = (
    "chat", "chat", "ask", "chat", "hypothesis_add", "chat", "report_field", "chat", "preview", "chat",
    "chat", "task_add", "chat", "ask", "chat", "chat", "act", "chat", "chat", "report_field",
)  # fmt: skip


def role_of(n: int) -> str:
    """Of the n-th participant of a room, from 0."""
    return _ROLES[n] if n < len(_ROLES) else _MORE[(n - len(_ROLES)) % len(_MORE)]


def commands(people: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(who, kind, fields), without end. who: number of a participant that may; what is done at the stack the commander does."""
    n = 0
    while True:
        kind = _CYCLE[n % len(_CYCLE)]
        yield (0 if kind in ("preview", "act") else n % people), kind, _fields(kind, n)
        n += 1


def _fields(kind: str, n: int) -> dict[str, Any]:
    match kind:
        case "ask":
            return {"sql": _SQL}
        case "report_field":
            return {"field": "notes", "value": f"{_TEXT} ({n})"}
        case "preview" | "act":  # harmless: rules answer in a tenth of that
            return {"action": f"deadline caller=gateway callee=rules ms={160 + n % 7}"}
    return {"text": f"{_TEXT} ({n})"}
