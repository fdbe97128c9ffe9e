"""Actions on whom one may personalise: what is made of the consent ledger, and regions in which nobody is."""

from __future__ import annotations

from typing import Any, cast

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Config, GatewayConfig
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

_ALL = "all"
_FIELDS = {"fail": "consent_fail", "keep_s": "consent_keep_s", "wait_ms": "consent_wait_ms"}  # argument -> setting
_WAYS = ("closed", "open")


def _consent(ops: Operations, a: Arguments) -> Plan:
    """Settings that are not given are as they were. What the gateway had kept is forgotten."""
    config = Config.load(ops.run.path).gateway
    if not a:
        raise bad_argument("consent", ", ".join(_FIELDS), "nothing", "at least one of them")
    change: dict[str, Any] = {
        _FIELDS[name]: one_of("consent", name, text, _WAYS) if name == "fail" else number("consent", name, text)
        for name, text in a.items()
    }
    wanted = cast(GatewayConfig, validated(config, change, "consent", {f: name for name, f in _FIELDS.items()}))
    old, new = _said(config), _said(wanted)

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"gateway": change},
            actor=actor,
            op="consent",
            arguments=a,
            target="gateway",
            key="consent",
            old=old,
            new=new,
        )

    warning = "no answer of the ledger counts as a yes" if wanted.consent_fail == "open" else ""
    if config.consent == "copy":
        warning = "the gateway goes by the catalogue's copy and asks no ledger: nothing changes until it does"
    summary = f"consent at the gateway: {old} becomes {new}; what it had decided and kept is forgotten"
    return Plan(Preview(summary, ["gateway"], 0.0, True, warning), carry_out)


def _said(config: GatewayConfig) -> str:
    return f"fail={config.consent_fail} keep_s={config.consent_keep_s:g} wait_ms={config.consent_wait_ms:g}"


def _consent_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path).gateway
    return {
        "fail": (", ".join(_WAYS), config.consent_fail),
        "keep_s": (bounds(GatewayConfig, "consent_keep_s"), f"{config.consent_keep_s:g}"),
        "wait_ms": (bounds(GatewayConfig, "consent_wait_ms"), f"{config.consent_wait_ms:g}"),
    }


def _impersonal(ops: Operations, a: Arguments) -> Plan:
    now = list(Config.load(ops.run.path).gateway.impersonal)
    region = one_of("impersonal", "region", a["region"], (*REGIONS, _ALL))
    switch = one_of("impersonal", "switch", a["switch"], ("on", "off"))
    meant = REGIONS if region == _ALL else (region,)
    wanted = [name for name in REGIONS if (switch == "on" if name in meant else name in now)]
    old, new = (", ".join(names) or "nowhere" for names in (now, wanted))

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"gateway": {"impersonal": wanted}}, actor=actor, op="impersonal", arguments=a, target="gateway",
            key="impersonal", old=old, new=new,
        )  # fmt: skip

    warning = "everybody there is shown what is popular and fresh; fewer clicks" if wanted else ""
    share = len(wanted) / len(REGIONS)
    return Plan(Preview(f"nobody is personalised: {old} becomes {new}", ["gateway"], share, True, warning), carry_out)


def _impersonal_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    now = ", ".join(Config.load(ops.run.path).gateway.impersonal) or "nowhere"
    return {"region": (f"{', '.join(REGIONS)}, {_ALL}", now), "switch": ("on, off", "")}


KINDS = (
    Kind("consent", "Say what the gateway makes of the consent ledger, and forget what it had kept",
         {"fail": "closed or open: no answer is a no, or a yes (optional)",
          "keep_s": "world seconds for which an answer is kept (optional)",
          "wait_ms": "milliseconds for which an answer is waited for (optional)"},
         _consent, _consent_legal, frozenset(_FIELDS), ranges={"keep_s": (0, 31 * 86_400), "wait_ms": (1, 10_000)},
         settings=tuple(("gateway", setting) for setting in _FIELDS.values()), keys=(("gateway", "consent"),)),
    Kind("impersonal", "Have nobody personalised in a region, or end that",
         {"region": "where, or all", "switch": "on or off"}, _impersonal, _impersonal_legal,
         settings=(("gateway", "impersonal"),), keys=(("gateway", "impersonal"),)),
)  # fmt: skip
