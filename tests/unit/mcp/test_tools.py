"""The tools of an automated responder: by the SDK's own client, in this process and over stdio in a real one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from sandbox.base.errors import SandboxError
from sandbox.mcp.served import ServedSeat
from sandbox.mcp.tools import server
from tests.unit.warroom.conftest import Site, site  # noqa: F401

SECRETS = (
    "session-stream-lag",
    "armed",
    "precedent",
    "explanation",
    "small-drill",
)  # of the stand-in's drill, no public words
TOOLS = {
    "status", "schema", "sql", "overview", "logs", "trace", "recommend", "wait", "actions", "preview", "act", "revert",
    "acknowledge", "chat", "suppose", "hint", "report_words", "report",
}  # fmt: skip


async def used(client: Client, got: list[str], name: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers; all of it is kept in `got`."""
    result = await client.call_tool(name, arguments)
    got.append(result.model_dump_json())
    text = result.content[0].text
    if not result.is_error:
        return json.loads(text)
    prefix, brace, parts = text.partition("{")
    return {
        "error": json.loads(brace + parts) if brace and prefix.startswith("Error executing tool") else {"text": text}
    }


async def a_shift(client: Client) -> list[str]:
    """Somebody's work at the tools, from the beginning to the report. Returns every answer."""
    got: list[str] = []

    async def use(name: str, **arguments: Any) -> dict[str, Any]:
        return await used(client, got, name, **arguments)

    assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
    state = await use("status")
    assert (state["me"]["name"], state["me"]["role"]) == ("robot", "commander")
    assert "latency_ms" in (await use("schema"))["requests"]
    assert (await use("schema", table="logs"))["logs"][0]["name"] == "ts"
    assert (await use("schema", table="nothing"))["error"]["code"] == "ROOM-009"
    assert (await use("overview"))["edges"][0]["callee"] == "features"
    assert (await use("sql", query="select 1"))["columns"] == [":n", "n"]
    assert (await use("sql", query="wrong"))["error"]["code"] == "LAKE-004"
    for name, arguments in (
        ("logs", {"service": "gateway", "contains": "it's"}),
        ("trace", {}),
        ("recommend", {"user": 3}),
    ):
        assert "columns" in await use(name, **arguments), name
    planned = await use("preview", action="restart service=stream")
    assert planned["summary"] == "restarts it"
    assert (await use("act", preview=planned["preview"]))["change"] == 1
    assert (await use("act", preview=9))["error"]["code"] == "ROOM-009"
    assert (await use("preview", action="nonsense"))["error"]["code"] == "DRILL-007"
    await use("chat", text="I restarted it")
    await use("suppose", text="it was stuck")
    assert "restart" in [action["name"] for action in (await use("actions"))["actions"]]
    assert "causes" in (await use("report_words"))["fields"]
    assert (await use("report", report={"incident": "perhaps"}))["error"]["code"] == "DRILL-003"
    assert "text" in (await use("sql", query=""))["error"], "refused before it is asked"
    return got


def test_a_shift_at_the_tools_over_a_served_room_tells_no_truth(site: Site):  # noqa: F811
    seat = ServedSeat(site.address, site.code.lower(), "robot", "commander")

    async def shift() -> list[str]:
        async with Client(server(seat)) as client:
            return await a_shift(client)

    got = anyio.run(shift)

    assert not [word for word in SECRETS if word in "".join(got)]
    assert site.scene.desk.asked[0] == "select 1"
    assert "contains(lower(msg" in site.scene.desk.asked[2]
    assert "it''s" in site.scene.desk.asked[2]
    seat.close()
    assert site.scene.room.shared.here() == []


def test_an_observers_tools_look_and_do_nothing(site: Site):  # noqa: F811
    seat = ServedSeat(site.address, site.code, "watcher", "observer")

    async def shift() -> tuple[dict[str, Any], dict[str, Any]]:
        async with Client(server(seat)) as client:
            return await used(client, [], "act", preview=1), await used(client, [], "status")

    refused, state = anyio.run(shift)

    assert refused["error"]["code"] == "ROOM-002"
    assert "report" not in state


def test_over_stdio_in_a_process_of_its_own(site: Site):  # noqa: F811
    """Standard output is the protocol's alone, and who ends it has left the room."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "sandbox.cli.app", "mcp", "--room", site.code, "--name", "robot", "--address", site.address],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
    )

    async def shift() -> list[str]:
        with anyio.fail_after(60):
            async with Client(parameters) as client:
                return await a_shift(client)

    got = anyio.run(shift)

    assert not [word for word in SECRETS if word in "".join(got)]
    assert site.scene.room.shared.here() == []


@pytest.mark.parametrize(
    ("code", "name", "role", "expected"),
    [("NOBODY", "a", "scribe", "ROOM-001"), ("ABCDEF", "", "scribe", "ROOM-006"), ("ABCDEF", "a", "instructor", "ROOM-006"), ("ABCDEF", "a", "chief", "ROOM-006")],
)  # fmt: skip
def test_who_may_not_come_in_is_told_why(site: Site, code: str, name: str, role: str, expected: str):  # noqa: F811
    with pytest.raises(SandboxError, match=expected):
        ServedSeat(site.address, code, name, role)


def test_where_nobody_serves_it_is_said():
    with pytest.raises(SandboxError, match="RUN-003"):
        ServedSeat("http://127.0.0.1:9", "ABCDEF", "a", "scribe")
