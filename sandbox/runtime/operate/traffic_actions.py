"""Actions on who is let in."""

from __future__ import annotations

from typing import Any, cast

from sandbox.base.config import Concurrency, Config
from sandbox.base.load import MOST_TESTED, LoadTest
from sandbox.base.run import SERVICES
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
from services.skeleton.points import LOAD

_OFF = "off"
_LIMITED = ("gateway", "model")  # where all comes in, and what two callers share
_MODES = (_OFF, "gradient", "vegas")
_BOUNDS = ("least", "most")
USUAL_MINUTES = "5"
_TEST_RANGES = {"rate": (1.0, MOST_TESTED), "minutes": (1.0, 60.0)}


def _limit(ops: Operations, a: Arguments) -> Plan:
    config = Config.load(ops.run.path).gateway
    most = None if a["per_minute"] == _OFF else number("limit", "per_minute", a["per_minute"])
    if most is not None and most != int(most):
        raise bad_argument("limit", "per_minute", a["per_minute"], "a whole number, or off")
    wanted = None if most is None else int(most)
    validated(config, {"max_per_minute": wanted}, "limit", {"max_per_minute": "per_minute"})
    old, new = _told(config.max_per_minute), _told(wanted)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"gateway": {"max_per_minute": wanted}}, actor=actor, op="limit", arguments=a, target="gateway",
            key="max_per_minute", old=old, new=new,
        )  # fmt: skip

    summary = f"requests of one user within 60 world seconds: {old} becomes {new}"
    warning = "" if wanted is None else "who asks oftener is refused, person or not"
    return Plan(Preview(summary, ["gateway"], 0.0, True, warning), carry_out)


def _told(most: int | None) -> str:
    return _OFF if most is None else str(most)


def _legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path).gateway
    return {"per_minute": (f"{bounds(type(config), 'max_per_minute')}, or {_OFF}", _told(config.max_per_minute))}


def _concurrency(ops: Operations, a: Arguments) -> Plan:
    """Settings that are not given are as they were, else the defaults."""
    service, mode = (one_of("concurrency", n, a[n], there) for n, there in (("service", _LIMITED), ("mode", _MODES)))
    old, wanted = Config.load(ops.run.path).concurrency(service), None
    change: dict[str, Any] = {name: _whole(name, a[name]) for name in _BOUNDS if name in a}
    if "feedback" in a:
        one_of("concurrency", "service", service, ("gateway",))  # nobody else is told of feedback
        change["feedback"] = one_of("concurrency", "feedback", a["feedback"], ("keep", "shed"))
    if mode == _OFF and change:
        raise bad_argument("concurrency", ", ".join(change), "a setting", "none with mode=off")
    if mode != _OFF:
        made = validated(old or Concurrency(), {"mode": mode, **change}, "concurrency", {"": "least, most"})
        wanted = cast(Concurrency, made)

    def carry_out(actor: str) -> Record:
        document = None if wanted is None else wanted.model_dump()
        return ops.apply(
            {service: {"concurrency": document}}, actor=actor, op="concurrency", arguments=a, target=service,
            key="concurrency", old=_said(old), new=_said(wanted),
        )  # fmt: skip

    summary = f"calls that {service} has in flight: {_said(old)} becomes {_said(wanted)}"
    warning = "every call is let in, and waits" if wanted is None else _sheds(service, wanted)
    return Plan(Preview(summary, [service], 0.0, True, warning), carry_out)


def _whole(name: str, text: str) -> int:
    value = number("concurrency", name, text)
    if value != int(value):
        raise bad_argument("concurrency", name, text, f"a whole number, {bounds(Concurrency, name)}")
    return int(value)


def _said(limit: Concurrency | None) -> str:
    if limit is None:
        return _OFF
    kept = "" if limit.feedback == "keep" else " feedback=shed"
    return f"{limit.mode} least={limit.least} most={limit.most}{kept}"


def _sheds(service: str, limit: Concurrency) -> str:
    if service == "model":
        return "beyond it: retries are turned away first, then users' encodings, then scores; stand-ins answer"
    first = "feedback (lost then), retries and programs" if limit.feedback == "shed" else "retries and programs"
    return f"beyond it: {first} are turned away first, then people"


def _concurrency_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path)
    now = ", ".join(f"{service} {_said(config.concurrency(service))}" for service in _LIMITED)
    given = {name: f"{getattr(Concurrency(), name)} unless given" for name in (*_BOUNDS, "feedback")}
    return {
        "service": (", ".join(_LIMITED), ""),
        "mode": (", ".join(_MODES), now),
        **{name: (f"a whole number, {bounds(Concurrency, name)}", given[name]) for name in _BOUNDS},
        "feedback": ("keep, shed", given["feedback"]),
    }


def _load_test(ops: Operations, a: Arguments) -> Plan:
    if a["rate"] == _OFF:
        return _end_of_test(ops, a)
    rate, minutes = (
        number("load-test", "rate", a["rate"]),
        number("load-test", "minutes", a.get("minutes", USUAL_MINUTES)),
    )
    for name, value in (("rate", rate), ("minutes", minutes)):
        low, high = _TEST_RANGES[name]
        if not low <= value <= high:
            raise bad_argument("load-test", name, a[name], f"{low:g} to {high:g}")

    def carry_out(actor: str) -> Record:
        now = ops.platform.now()
        ops.platform.load_test(LoadTest(rate_per_s=rate, start_ts=now, until_ts=now + minutes * 60))
        return ops.note(actor=actor, op="load-test", arguments=a, target=LOAD, key="load-test", old="-",
                        new=f"{rate:g} a second for {minutes:g} minutes")  # fmt: skip

    summary = (
        f"{rate:g} requests a second (wall) on top of the users' for {minutes:g} world minutes, by programs that click "
        "nothing (`locust.user_class` LoadTest); one that is under way ends"
    )
    warning = (
        "users stand in the same lines: beyond what the stack bears theirs are slow or stand-ins until it is over, and "
        "what they lose by it counts; rate=off ends it"
    )
    return Plan(Preview(summary, list(SERVICES), 1.0, False, warning), carry_out)


def _end_of_test(ops: Operations, a: Arguments) -> Plan:
    if "minutes" in a:
        raise bad_argument("load-test", "minutes", a["minutes"], "none with rate=off")

    def carry_out(actor: str) -> Record:
        ops.platform.load_test(None)
        return ops.note(actor=actor, op="load-test", arguments=a, target=LOAD, key="load-test", old="-", new=_OFF)

    return Plan(Preview("the load test ends at once", list(SERVICES), 0.0, False), carry_out)


def _load_test_legal(_: Operations) -> dict[str, tuple[str, str]]:
    told = {name: f"{low:g} to {high:g}" for name, (low, high) in _TEST_RANGES.items()}
    return {"rate": (f"{told['rate']}, or {_OFF}", ""), "minutes": (told["minutes"], f"{USUAL_MINUTES} unless given")}


KINDS = (
    Kind("limit", "Let in so many requests of one user a minute, and refuse the others",
         {"per_minute": "requests within 60 world seconds, or off"}, _limit, _legal,
         settings=(("gateway", "max_per_minute"),), keys=(("gateway", "max_per_minute"),)),
    Kind("concurrency", "Let in as many calls at once as a service can bear, found from how long they take",
         {"service": "gateway or model", "mode": "off, gradient or vegas", "least": "calls let in at least (optional)",
          "most": "calls let in at most (optional)", "feedback": "keep or shed: at the gateway, that too (optional)"},
         _concurrency, _concurrency_legal, frozenset((*_BOUNDS, "feedback")), ranges=dict.fromkeys(_BOUNDS, (1, 1024)),
         settings=tuple((service, "concurrency") for service in _LIMITED),
         keys=tuple((service, "concurrency") for service in _LIMITED)),
    Kind("load-test", "Send requests of programs beside the users' for a while, to see what the stack bears",
         {"rate": "requests per wall second, or off", "minutes": "how long, world minutes (optional)"},
         _load_test, _load_test_legal, frozenset({"minutes"}), looks=True),
)  # fmt: skip
