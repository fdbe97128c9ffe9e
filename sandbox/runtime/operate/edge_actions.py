"""Actions on one caller->callee edge: path, deadline, retries, circuit breaker; and on how a caller balances."""

from __future__ import annotations

from typing import Any, cast

from sandbox.base.config import Breaker, Config, Edge
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import (
    Arguments,
    Kind,
    Plan,
    Preview,
    bad_argument,
    bounds,
    number,
    one_of,
    validated,
)
from services.skeleton.balancer import PICK_FIRST, ROUND_ROBIN

EDGES = {  # caller -> callees that have an edge of their own in the caller's configuration
    "gateway": ("features", "retrieval", "ranking", "rules", "events"),
    "retrieval": ("model",),
    "ranking": ("features", "model"),
}
_BREAKER = {
    "failed_share": "share of calls that fail, from which on it opens (optional)",
    "least_calls": "calls that must have ended in the window (optional)",
    "window_s": "wall seconds of calls that count (optional)",
    "open_s": "wall seconds that it stays open (optional)",
    "trial_calls": "calls that must then do well for it to close (optional)",
}
assert tuple(_BREAKER) == tuple(Breaker.model_fields)
_POLICIES = (ROUND_ROBIN, PICK_FIRST)
_RETRIES = {
    "attempts": "tries in all",
    "timeout_ms": "milliseconds of one attempt, off for what is left of the deadline (optional)",
    "backoff_ms": "milliseconds before the second attempt, doubled before each further one (optional)",
    "retry_budget": "retries as a share of calls over time, off for no bound (optional)",
}
_ENDS = {"caller": "service that calls", "callee": "service that is called"}


def _edge(ops: Operations, a: Arguments, action: str) -> Edge:
    caller, callee = a["caller"], a["callee"]
    if callee not in EDGES.get(caller, ()):
        there = [f"caller={c} callee={e}" for c, es in EDGES.items() for e in es]
        raise bad_argument(action, "caller, callee", f"{caller}->{callee}", f"one of {', '.join(there)}")
    edge: Edge = getattr(getattr(Config.load(ops.run.path), caller), callee)
    return edge


def _set(ops: Operations, a: Arguments, op: str, change: dict[str, Any], warning: str) -> Plan:
    """The plan of changing one field of the edge that the arguments name, or how it tries again."""
    edge = _edge(ops, a, op)
    plain = {name: value.model_dump() if isinstance(value, Breaker) else value for name, value in change.items()}
    wanted = validated(edge, plain, op, {"deadline_ms": "ms"})
    caller, callee = a["caller"], a["callee"]
    name = "retries" if op == "retries" else next(iter(change))
    old, new = (_tries(e) if op == "retries" else _text(getattr(e, name)) for e in (edge, cast(Edge, wanted)))
    preview = Preview(f"{caller}->{callee}: {name} {old} becomes {new}", [caller], 1.0, True, warning)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {caller: {callee: wanted.model_dump()}}, actor=actor, op=op, arguments=a, target=caller,
            key=f"{callee}.{name}", old=old, new=new,
        )  # fmt: skip

    return Plan(preview, carry_out)


def _text(value: float | str | Breaker | None) -> str:
    """A field of an edge as it stands in the change log: a breaker as its action takes it."""
    if isinstance(value, Breaker):
        return " ".join(f"{name}={n:g}" for name, n in value)
    return "off" if value is None else str(value)


def _tries(edge: Edge) -> str:
    """How it tries again, as its action takes it; what is as ever left out."""
    given = {name: getattr(edge, name) for name in _RETRIES}
    usual = {name: field.default for name, field in Edge.model_fields.items()}
    return " ".join(f"{n}={v:g}" for n, v in given.items() if n == "attempts" or v != usual[n])


def _path(ops: Operations, a: Arguments) -> Plan:
    _edge(ops, a, "path")
    return _set(ops, a, "path", {"path": one_of("path", "path", a["path"], ("a", "b"))}, "")


def _deadline(ops: Operations, a: Arguments) -> Plan:
    _edge(ops, a, "deadline")
    ms = number("deadline", "ms", a["ms"])
    warning = "too short: fallbacks answer; too long: the budget burns"
    return _set(ops, a, "deadline", {"deadline_ms": ms}, warning)


def _retries(ops: Operations, a: Arguments) -> Plan:
    """Settings that are not given are as they were."""
    change: dict[str, Any] = {}
    for name in _RETRIES.keys() & a.keys():
        off = a[name] == "off" and name in ("timeout_ms", "retry_budget")
        change[name] = None if off else number("retries", name, a[name])
    warning = "each attempt is a call that the callee may have to work for"
    return _set(ops, a, "retries", {name: change[name] for name in _RETRIES if name in change}, warning)


def _breaker(ops: Operations, a: Arguments) -> Plan:
    """Settings that are not given are as they were, else the defaults."""
    edge = _edge(ops, a, "breaker")
    given = {name: number("breaker", name, text) for name, text in a.items() if name in _BREAKER}
    if one_of("breaker", "switch", a["switch"], ("on", "off")) == "off":
        if given:
            raise bad_argument("breaker", ", ".join(given), "a setting", "none with switch=off")
        return _set(ops, a, "breaker", {"breaker": None}, "")
    wanted = validated(edge.breaker or Breaker(), given, "breaker", {})
    warning = "while it is open the callee gets no call and fallbacks answer"
    return _set(ops, a, "breaker", {"breaker": wanted}, warning)


def _balancing(ops: Operations, a: Arguments) -> Plan:
    caller = one_of("balancing", "caller", a["caller"], tuple(EDGES))
    policy = one_of("balancing", "policy", a["policy"], _POLICIES)
    old = Config.load(ops.run.path).balancing(caller)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {caller: {"balancing": policy}}, actor=actor, op="balancing", arguments=a, target=caller,
            key="balancing", new=policy,
        )  # fmt: skip

    summary = f"{caller} calls the instances of its callees by {policy} in place of {old}"
    warning = "where a callee has one instance nothing changes"
    return Plan(Preview(summary, [caller], 1.0, True, warning), carry_out)


def _balancing_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path)
    now = ", ".join(f"{caller} {config.balancing(caller)}" for caller in EDGES)
    return {"caller": (", ".join(EDGES), ""), "policy": (", ".join(_POLICIES), now)}


def _legal(ops: Operations) -> dict[str, tuple[str, str]]:
    """Of every argument that names an edge or one of its settings."""
    config = Config.load(ops.run.path)
    edges = {
        f"{caller}->{callee}": getattr(getattr(config, caller), callee)
        for caller, callees in EDGES.items()
        for callee in callees
    }
    callees = "; ".join(f"of {caller}: {', '.join(them)}" for caller, them in EDGES.items())
    paths = ", ".join(f"{name} {edge.path}" for name, edge in edges.items())
    deadlines = ", ".join(f"{name} {edge.deadline_ms:g}" for name, edge in edges.items())
    tries = ", ".join(f"{name} {_tries(edge)}" for name, edge in edges.items())
    on = [f"{name} {_text(edge.breaker)}" for name, edge in edges.items() if edge.breaker]
    defaults = {name: f"{value:g} unless given" for name, value in Breaker()}
    return {
        "caller": (", ".join(EDGES), ""),
        "callee": (callees, ""),
        "path": ("a, b", paths),
        "ms": (bounds(Edge, "deadline_ms"), deadlines),
        "attempts": (bounds(Edge, "attempts"), tries),
        "timeout_ms": ("1 to 10000, or off", ""),
        "backoff_ms": (bounds(Edge, "backoff_ms"), ""),
        "retry_budget": ("0 to 1, or off", ""),
        "switch": ("on, off", "; ".join(on) or "off on every edge"),
        **{name: (bounds(Breaker, name), defaults[name]) for name in _BREAKER},
    }


_SETTINGS = tuple((caller, callee) for caller, callees in EDGES.items() for callee in callees)


def _keys(setting: str) -> tuple[tuple[str, str], ...]:
    return tuple((caller, f"{callee}.{setting}") for caller, callee in _SETTINGS)


KINDS = (
    Kind("path", "Send an edge's calls over its other network path", {**_ENDS, "path": "a or b"},
         _path, _legal, settings=_SETTINGS, keys=_keys("path")),
    Kind("deadline", "Change how long a caller waits for a callee", {**_ENDS, "ms": "milliseconds"},
         _deadline, _legal, ranges={"ms": (1, 10_000)}, settings=_SETTINGS, keys=_keys("deadline_ms")),
    Kind("retries", "Change how often, and how patiently, a caller tries a callee again", {**_ENDS, **_RETRIES},
         _retries, _legal, frozenset(_RETRIES) - {"attempts"}, ranges={"attempts": (1, 30)}, settings=_SETTINGS,
         keys=_keys("retries")),
    Kind("breaker", "Put a circuit breaker on an edge, change it or take it off",
         {**_ENDS, "switch": "on or off", **_BREAKER}, _breaker, _legal, frozenset(_BREAKER),
         ranges=dict.fromkeys(_BREAKER, (0, 1e6)), settings=_SETTINGS, keys=_keys("breaker")),
    Kind("balancing", "Choose how a caller spreads its calls over the instances of its callees",
         {"caller": "service that calls", "policy": "round_robin or pick_first"}, _balancing, _balancing_legal,
         settings=tuple((caller, "balancing") for caller in EDGES),
         keys=tuple((caller, "balancing") for caller in EDGES)),
)  # fmt: skip
