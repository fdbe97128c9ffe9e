"""Consent on a virtual stack: who is answered by what is known of them, what the audit finds in the lake, what helps."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Config, GatewayConfig
from sandbox.privacy import audit
from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.lake import connect
from sandbox.virtual.stack import VirtualStack

pytestmark = pytest.mark.slow  # six stacks

EU = REGIONS.index("EU")


class Day:
    """A stack that asks the ledger, and on which nobody comes by themselves. of: users of the EU, by what they said."""

    def __init__(self, folder: Path) -> None:
        config = Config(gateway=GatewayConfig(consent="ask", consent_keep_s=3_600))
        self.stack = VirtualStack("tiny", folder, seed=1, rate_per_s=1e-6, config=config)
        people = self.stack.catalogue
        home = people.user_region == EU
        self.of = {said: np.flatnonzero(home & (people.user_personalised == said)).tolist() for said in (True, False)}

    def ask(self, *users: int) -> list[bool]:
        """Whether each was answered by what is known of them."""
        traces = [self.stack.clients.probe(user) for user in users]
        self.stack.advance(self.stack.now() + 120)
        self.stack.flush()
        with closing(connect(self.stack.run_dir / "lake")) as lake:
            seen = dict(lake.execute("SELECT request_id, coalesce(encoder_version, '') <> '' FROM requests").fetchall())
        return [seen[trace] for trace in traces]

    def audited(self) -> dict[str, tuple[int, int]]:
        """People and rows of each breach, over all laws."""
        with closing(connect(self.stack.run_dir / "lake")) as lake:
            found = audit.of_run(self.stack.run_dir, lake, now=time.time())
        rules = {breach.rule for breach in found}
        return {
            r: (sum(b.people for b in found if b.rule == r), sum(b.rows for b in found if b.rule == r)) for r in rules
        }

    def act(self, text: str) -> None:
        Action.parse(text.split()).run(self.stack.operations, "operator")

    def settle(self, **settings: object) -> None:
        """Releases these settings of the gateway, or withdrawals."""
        service = "features" if "withdrawals" in settings else "gateway"
        self.stack.operations.apply(
            {service: settings}, actor="a team", op="release", arguments={}, target=service, key="k", old="", new="n"
        )


@pytest.fixture
def day(home: Path, tmp_path: Path) -> Day:
    del home
    return Day(tmp_path / "run")


def test_no_answer_taken_for_a_yes_is_what_the_audit_finds_and_a_quick_ledger_does_not_undo_it(day: Day) -> None:
    no, yes = day.of[False][:3], day.of[True][:2]
    assert day.ask(*no, *yes) == [False] * 3 + [True] * 2
    assert day.audited() == {}

    day.settle(consent_wait_ms=20, consent_fail="open")
    spec = {
        "id": "slow",
        "fault": "rpc-edge-latency",
        "params": {"delay_ms": 200},
        "scope": {"ops": ["GetConsent"], "paths": ["a"]},
    }
    day.stack.arm("gateway", spec)
    assert day.ask(*no, *yes) == [True] * 5
    assert day.audited()["served-without-consent"] == (3, 3)

    day.act("path caller=gateway callee=features path=b")
    assert day.ask(*no) == [True] * 3, "what was assumed is kept"
    day.act("consent fail=closed")
    assert day.ask(*no, *yes) == [False] * 3 + [True] * 2
    assert day.audited()["served-without-consent"] == (3, 6)


def test_a_withdrawal_is_acted_on_when_what_is_kept_runs_out_or_is_forgotten(day: Day) -> None:
    seen, unseen = (day.of[True][i] for i in (0, 1))
    assert day.ask(seen) == [True]
    day.settle(withdrawals=[{"regions": ["EU"]}])

    assert day.ask(seen, unseen) == [True, False]
    assert day.audited()["served-without-consent"] == (1, 1)
    day.act("restart service=gateway")
    day.stack.advance(day.stack.now() + 600)
    assert day.ask(seen) == [False], "what it kept was in its memory"
    day.act("consent keep_s=0")
    assert day.ask(seen, unseen) == [False, False]


@pytest.mark.parametrize(("fault", "signal"), [("optout-signal-ignored", "gpc"), ("deletion-incomplete", "erasure")])
def test_a_no_of_one_kind_that_is_not_heard_concerns_nobody_elses(day: Day, fault: str, signal: str) -> None:
    gone, denied = day.of[True][0], day.of[False][0]
    day.settle(withdrawals=[{"regions": ["EU"], "signal": signal}])
    assert day.ask(gone) == [False]
    day.settle(consent_keep_s=0)
    day.stack.arm("features", {"id": "deaf", "fault": fault})

    assert day.ask(gone, denied) == [True, False]
    assert day.audited()["served-without-consent"] == (1, 1)
    day.act("impersonal region=EU switch=on")
    assert day.ask(gone) == [False]
    day.act("impersonal region=EU switch=off")
    day.stack.disarm("features", "deaf")
    assert day.ask(gone) == [False]


def test_a_request_taken_for_one_from_elsewhere_is_found_as_that_and_nothing_else(day: Day) -> None:
    day.stack.arm("gateway", {"id": "lost", "fault": "region-tag-misroute", "scope": {"regions": ["EU"]}})
    people = day.of[True][:2]
    day.ask(*people)

    assert day.audited() == {"wrong-jurisdiction": (2, 2)}


def test_people_who_come_by_themselves_are_breaches_of_policy_where_they_had_said_no(
    home: Path, tmp_path: Path
) -> None:
    """Everybody in the EU takes back a consent that the gateway's copy knows nothing of."""
    stack = VirtualStack("tiny", tmp_path / "run", seed=1, rate_per_s=20, telemetry=False)
    stack.advance(stack.began_ts + 120)
    assert stack.ledger.requests.breaches.sum() == 0
    stack.operations.apply(
        {"features": {"withdrawals": [{"regions": ["EU"]}]}}, actor="a team", op="release", arguments={},
        target="features", key="k", old="", new="n",
    )  # fmt: skip
    since = stack.now()
    stack.advance(since + 600)

    told = stack.ledger.requests
    asked = (told.ts >= since) & (told.region == EU) & stack.catalogue.user_personalised[told.user]
    assert asked.sum() > 5
    assert (told.breaches[asked] == told.n_items[asked]).all()
    assert told.breaches[~asked].sum() == 0
