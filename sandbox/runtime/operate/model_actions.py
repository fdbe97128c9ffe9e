"""Actions on models, indexes, candidate sources, and on what was changed before."""

from __future__ import annotations

from sandbox.base.config import Config, RetrievalConfig
from sandbox.base.errors import SandboxError
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

_VERSIONED = {  # artefact -> service, field of its configuration
    "ranker": ("model", "ranker"),
    "two_tower": ("model", "two_tower"),
    "index": ("retrieval", "index_version"),
}


def _promote(ops: Operations, a: Arguments) -> Plan:
    artifact, version = (one_of("promote", "artifact", a["artifact"], tuple(_VERSIONED)), a["version"])
    there = ops.platform.versions_of(artifact)
    if version not in there:
        raise SandboxError(
            "MODEL-001",
            where="act promote, version",
            seen=f"{artifact} {version}",
            expected=f"one of {', '.join(there)}",
            fix="see them with their dates: sandbox model list",
        )
    service, field = _VERSIONED[artifact]
    now = getattr(getattr(Config.load(ops.run.path), service), field)
    warning = "" if artifact == "ranker" else "user tower and index must be of one generation"

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {service: {field: version}}, actor=actor, op="promote", arguments=a, target=service,
            key=artifact, new=version,
        )  # fmt: skip

    return Plan(Preview(f"{artifact} {now} becomes {version}", [service], 1.0, True, warning), carry_out)


def _rebuild(ops: Operations, a: Arguments) -> Plan:
    encoder = Config.load(ops.run.path).model.two_tower

    def carry_out(actor: str) -> Record:
        from sandbox.pipeline.index import rebuild  # torch: only here

        own, _ = ops.run.registries
        version = f"ix-r{1 + len(list((own / 'index').glob('ix-r*')))}"
        rebuild(ops.run.registries, encoder, version, own)
        return ops.apply(
            {"retrieval": {"index_version": version}}, actor=actor, op="rebuild-index", arguments=a,
            target="retrieval", key="index", new=version, note=f"item vectors of {encoder}",
            effects=["rebuild-index"],
        )  # fmt: skip

    summary = f"a fresh index of {encoder}'s item vectors is built and searched from then on"
    return Plan(Preview(summary, ["retrieval"], 1.0, True, "some seconds of one core"), carry_out)


def _nprobe(ops: Operations, a: Arguments) -> Plan:
    n = number("nprobe", "n", a["n"])
    if n != int(n):
        raise bad_argument("nprobe", "n", a["n"], "a whole number, 1 or more")
    config = Config.load(ops.run.path).retrieval
    validated(config, {"nprobe": int(n)}, "nprobe", {"nprobe": "n"})
    was = "as many lists as the index was built for" if config.nprobe is None else f"{config.nprobe} lists"

    def carry_out(actor: str) -> Record:
        return ops.apply(
            {"retrieval": {"nprobe": int(n)}}, actor=actor, op="nprobe", arguments=a, target="retrieval",
            key="nprobe", new=str(int(n)),
        )  # fmt: skip

    summary = f"a search that goes through {was} goes through {int(n)}"
    warning = "fewer lists: neighbours are missed; more: each search takes longer"
    return Plan(Preview(summary, ["retrieval"], 1.0, True, warning), carry_out)


def _source(op: str, gives: str) -> Kind:
    """The kind that switches a candidate source. gives: what it does then."""

    def plan(ops: Operations, a: Arguments) -> Plan:
        config = Config.load(ops.run.path).retrieval
        source = one_of(op, "source", a["source"], tuple(config.quotas))
        disabled = (set(config.disabled) | {source}) - ({source} if op == "enable-source" else set())

        def carry_out(actor: str) -> Record:
            return ops.apply(
                {"retrieval": {"disabled": sorted(disabled)}}, actor=actor, op=op, arguments=a,
                target="retrieval", key=f"source.{source}", new=op.removesuffix("-source") + "d",
            )  # fmt: skip

        return Plan(Preview(f"{source} {gives}", ["retrieval"], 1.0, True), carry_out)

    def legal(ops: Operations) -> dict[str, tuple[str, str]]:
        config = Config.load(ops.run.path).retrieval
        off = ", ".join(config.disabled)
        return {"source": (", ".join(config.quotas), f"off: {off}" if off else "all are on")}

    switch = op.removesuffix("-source")
    state = {"disable": "off", "enable": "on"}[switch]
    about = {"source": "ann, covisit, followed, popular, fresh"}
    return Kind(
        op, f"Switch a candidate source {state}", about, plan, legal, settings=(("retrieval", "disabled"),),
        keys=tuple(("retrieval", f"source.{source}") for source in RetrievalConfig().quotas),
    )  # fmt: skip


def _revert(ops: Operations, a: Arguments) -> Plan:
    number("revert", "change", a["change"])
    found = next((r for r in ops.records() if str(r.n) == a["change"] and r.before), None)
    if found is None:
        there = ", ".join(str(r.n) for r in ops.records() if r.before)
        expected = f"the number of a change that can be reverted: {there or 'there is none yet'}"
        raise bad_argument("revert", "change", a["change"], expected)
    summary = f"{found.target} {found.key}: {found.new} goes back to {found.old}"
    n = found.n
    return Plan(Preview(summary, sorted(found.before), 1.0, True), lambda actor: ops.revert(n, actor))


def _versions_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    config = Config.load(ops.run.path)
    there = "; ".join(f"of {name}: {', '.join(ops.platform.versions_of(name))}" for name in _VERSIONED)
    now = ", ".join(
        f"{name} {getattr(getattr(config, service), field)}" for name, (service, field) in _VERSIONED.items()
    )
    return {"artifact": (", ".join(_VERSIONED), ""), "version": (there, now)}


def _nprobe_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    now = Config.load(ops.run.path).retrieval.nprobe
    told = "as many as the index was built for" if now is None else str(now)
    return {"n": (f"a whole number, {bounds(RetrievalConfig, 'nprobe')}", told)}


def _changes_legal(ops: Operations) -> dict[str, tuple[str, str]]:
    there = [f"{r.n} ({r.target} {r.key})" for r in ops.records() if r.before]
    return {"change": (", ".join(there) or "there is none yet", "")}


KINDS = (
    Kind(
        "promote",
        "Make a version of a model or index the active one (a rollback names an older one)",
        {"artifact": "ranker, two_tower or index", "version": "version"},
        _promote,
        _versions_legal,
        keys=(("model", "ranker"), ("model", "two_tower"), ("retrieval", "index")),
    ),
    Kind("rebuild-index", "Build an index from the active two-tower version and search it", {}, _rebuild,
         keys=(("retrieval", "index"),)),
    Kind("nprobe", "Search so many lists of an index that is an inverted file", {"n": "lists"}, _nprobe, _nprobe_legal,
         ranges={"n": (1, 65_536)}, settings=(("retrieval", "nprobe"),), keys=(("retrieval", "nprobe"),)),
    Kind("revert", "Put back what a change changed", {"change": "number of the change"}, _revert, _changes_legal),
    _source("disable-source", "gives no candidates"),
    _source("enable-source", "gives candidates again"),
)  # fmt: skip
