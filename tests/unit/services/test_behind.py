"""What the gateway tells the events service behind its answers: slates gather, and none that can be sent is lost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from services.gateway import behind
from services.gateway.behind import GATHER_S, Behind
from services.skeleton.context import CURRENT, Context
from tests.services.waiting import until


class Events:
    """The edge to the events service, which is away while `gone`."""

    def __init__(self):
        self.gone, self.calls = False, []

    async def call(self, op, request, edge):
        context = CURRENT.get()
        self.calls.append((request.request_id, context.trace_id, context.deadline, list(request.item_ids)))
        await asyncio.sleep(0)
        if self.gone:
            raise SandboxError("WIRE-005", where="gateway->events", seen="", expected="events", fix="wait")


@pytest.fixture
def parts():
    """(what sends, the edge, log lines)."""
    lines, events = [], Events()
    log = SimpleNamespace(log=lambda level, msg, trace_id=None, **fields: lines.append((msg, trace_id, fields)))
    host = SimpleNamespace(telemetry=log, config=Config())
    return Behind(host, events), events, lines


def show(sends, *requests):
    for name in requests:
        answer = SimpleNamespace(user_id=3, items=[SimpleNamespace(item_id=7), SimpleNamespace(item_id=8)])
        sends.append(1e9, answer, Context(name, "s", None, "client", user=3, session=5, deadline=1.0))


async def all_sent(sends):
    await until(lambda: not (sends._tasks or sends._gathered))


async def test_slates_gather_and_each_is_a_call_of_its_own_request_without_its_deadline(parts):
    sends, events, _ = parts
    show(sends, "a", "b")
    await asyncio.sleep(0)
    assert events.calls == []  # the answers have gone out, nobody is woken yet
    show(sends, "c")
    await all_sent(sends)

    assert events.calls == [(name, name, None, [7, 8]) for name in "abc"]


async def test_what_has_gathered_is_sent_before_the_process_ends(parts):
    sends, events, _ = parts
    show(sends, "a", "b")
    await sends.finish()

    assert [call[0] for call in events.calls] == ["a", "b"]
    assert not sends._tasks
    await sends.finish()  # nothing is sent twice
    await asyncio.sleep(GATHER_S * 1.2)
    assert len(events.calls) == 2


async def test_while_the_neighbour_is_dead_each_loss_is_told_and_the_next_slates_go_on(parts):
    sends, events, lines = parts
    events.gone = True
    show(sends, "a", "b")
    await all_sent(sends)
    events.gone = False
    show(sends, "c")
    await all_sent(sends)

    assert lines == [("impressions not appended", name, {"code": "WIRE-005"}) for name in "ab"]
    assert [call[0] for call in events.calls] == ["a", "b", "c"]


async def test_what_gathers_is_bounded_with_what_is_on_its_way(parts, monkeypatch):
    monkeypatch.setattr(behind, "MAX_IN_PROGRESS", 2)
    sends, events, lines = parts
    show(sends, "a", "b", "c")
    await all_sent(sends)

    assert [call[0] for call in events.calls] == ["a", "b"]
    assert (sends.left_out, lines[0][0]) == (1, "impressions not appended")
