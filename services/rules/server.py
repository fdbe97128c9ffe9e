"""The rules' shell: unpacks, applies the policy in force, packs, and records every decision that matters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.catalogue import REGIONS, Catalogue
from sandbox.base.config import Config, RulesConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import N_SEEN
from sandbox.base.rows import Row, row_of
from services.proto.recsys.v1 import gateway_pb2, rules_pb2, rules_pb2_grpc
from services.rules import document
from services.rules.core import Decision, Slate, Visit, apply
from services.rules.policy import Policy
from services.skeleton.context import Context
from services.skeleton.host import Host, Registration

N_MAX = 1000  # candidates of one call
SLATE_MAX = 100
# Recorded for every request: who was refused what, and why. The others only for sampled requests:
# `seen` alone would be most of the lake.
AUDITED = frozenset({"sensitivity", "maturity", "region_rights", "blocked_creator", "exploration"})


class RulesServicer(rules_pb2_grpc.RulesServicer):
    def __init__(self, host: Host) -> None:
        self.host = host
        world = Path(host.run.world_dir)
        self.catalogue = Catalogue.load(world / "public" / "catalogue.npz")
        self.topic_names = topic_names(world)
        self.version, self.policy = "", self._policy(host.config.rules)

    async def start(self) -> None:
        self.version = self.host.config.rules.version

    async def reconfigure(self, config: Config) -> None:
        """Compiles the document that is asked for, then switches. Raises CFG-001 and CFG-003 and keeps
        what is in force when it cannot."""
        policy = self._policy(config.rules)
        self.policy, self.version = policy, config.rules.version

    async def stop(self) -> None:
        pass

    async def Apply(self, request: Any, context: Context) -> Any:
        items, scores, seen = checked(request)
        policy, version, now = self.policy, self.version, self.host.world.now()
        visit = Visit(request.user_id, request.region, request.session, request.depth)
        slate = apply(policy, visit, items, scores, seen, request.slate_size, now)
        for row in decision_rows(slate, items, policy, version, now, context.trace_id, context.sampled):
            self.host.telemetry.row("rule_decisions", row)
        return answer_of(slate, version, context.sampled)

    def _policy(self, config: RulesConfig) -> Policy:
        return policy_of(config, self.catalogue, self.topic_names, self.host.run.seed)


def checked(request: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item ids, scores and seen items. Raises WIRE-001 and WIRE-002."""
    if not 1 <= request.slate_size <= SLATE_MAX:
        raise _refused("slate_size", request.slate_size, f"1..{SLATE_MAX}")
    if request.region >= len(REGIONS):
        raise _refused("region", request.region, f"a code below {len(REGIONS)}")
    for name, width, most in (("item_ids", 8, N_MAX), ("scores", 4, N_MAX), ("seen", 8, N_SEEN)):
        size = len(getattr(request, name))
        if size % width or size > most * width:
            raise _refused(name, f"{size} bytes", f"at most {most} times {width} bytes")
    return (
        np.frombuffer(request.item_ids, "<i8"),
        np.frombuffer(request.scores, "<f4"),
        np.frombuffer(request.seen, "<i8"),
    )


def policy_of(config: RulesConfig, catalogue: Catalogue, names: list[str], seed: int) -> Policy:
    """The policy that a configuration asks for. names: the world's topics by slot. Raises CFG-001, CFG-003."""
    return Policy(
        document.checked(config.rules or document.load()), config.sensitivity, catalogue,
        topic_names=names, explore_share=config.explore_share, seed=seed,
    )  # fmt: skip


def answer_of(slate: Slate, version: str, everything: bool) -> Any:
    """The slate as the wire has it. everything: what was dropped too."""
    notes: dict[int, list[Any]] = defaultdict(list)
    for d in slate.decisions:
        notes[d.row].append(gateway_pb2.RuleNote(rule=d.rule, action=d.action, factor=d.factor))
    answer = rules_pb2.ApplyResponse(
        slate=[
            rules_pb2.Placed(row=row, propensity=p, randomised=random, rules=notes.get(row, ()))
            for row, p, random in zip(slate.rows, slate.propensity, slate.randomised, strict=True)
        ],
        rules_version=version,
    )
    if everything:  # only then does anybody ask
        for drop in slate.dropped:
            answer.dropped_row.extend(drop.rows.tolist())
            answer.dropped_rule.extend([drop.rule] * len(drop.rows))
    return answer


def decision_rows(
    slate: Slate, items: np.ndarray, policy: Policy, version: str, now: float, request_id: str, everything: bool
) -> Iterator[Row]:
    """Rows of rule_decisions. items: int64 [n], of the candidates; policy: by which they were made; everything: not
    the audited rules alone."""
    for drop in slate.dropped:
        if everything or drop.rule in AUDITED:
            factors = drop.factor.astype(float).tolist()
            for item, factor in zip(items[drop.rows].tolist(), factors, strict=True):
                yield row_of.rule_decisions(
                    ts=now, request_id=request_id, item_id=item, rule_id=drop.rule,
                    rules_version=version, seq=drop.seq, action="drop", factor=factor,
                )  # fmt: skip
    decisions: Iterable[Decision] = ()
    if everything:
        decisions = slate.decisions
    elif any(slate.randomised):  # of the audited rules only exploration does more than drop
        decisions = slate.explored(policy.rules["exploration"])
    for d in decisions:
        yield row_of.rule_decisions(
            ts=now, request_id=request_id, item_id=int(items[d.row]), rule_id=d.rule,
            rules_version=version, seq=d.seq, action=d.action, factor=d.factor,
        )  # fmt: skip


def topic_names(world: Path) -> list[str]:
    """The world's topic names by slot; empty where its manifest cannot be read."""
    try:
        return [str(name) for name in json.loads((world / "world.json").read_text())["topics"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _refused(name: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "WIRE-002", where=f"ApplyRequest.{name}", seen=seen, expected=expected, fix="send a value in range"
    )


REGISTRATION = Registration("rules", RulesServicer, rules_pb2.DESCRIPTOR.services_by_name["Rules"])
