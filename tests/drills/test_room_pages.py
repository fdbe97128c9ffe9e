"""A whole virtual drill by three browsers, from joining to the debrief, with a reload and a dropped connection in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Load
from sandbox.room import house
from sandbox.room.kept import kept
from sandbox.room.room import Room
from sandbox.warroom.app import application
from sandbox.warroom.rooms import Served
from sandbox.warroom.serve import bind
from sandbox.warroom.settings import Rate, Secrets, Settings
from tests.browser import Watched, Wire, browsing, joins, says
from tests.drills.test_room import own_home  # noqa: F401  (a fixture)
from tests.services.waiting import wait_for
from tests.unit.drill.telltales import found_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SECRET = "the instructor's own"
EASY = Rate(1_000.0, 1_000)
COUNT = "SELECT count(*) AS n FROM requests WHERE ts >= $began"


@pytest.fixture
def served(own_home: Path) -> Iterator[tuple[Room, str]]:  # noqa: F811
    """A room that waits for its instructor, and its address."""
    scenario = library.named("slow-home").model_copy(update={"load": Load(rate_per_s=1.0)})
    room = house.open_room(scenario, "virtual", world="tiny", twin=False, held=True)
    bound = bind("127.0.0.1", 0, False)
    app = application(Served([room], Secrets(b"k" * 32, SECRET), Settings(commands=EASY, reads=EASY)))
    server = uvicorn.Server(uvicorn.Config(
        app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio"
    ))  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.listening]}, daemon=True)
    thread.start()
    with kept(room):
        wait_for(lambda: server.started, within_s=10)
        yield room, bound.address
        server.should_exit = True
        thread.join(10)
        room.close()
        bound.listening.close()


def test_three_browsers_from_joining_to_the_debrief(served: tuple[Room, str]):
    room, address = served
    placed, got = room.drill.scenario, bytearray()
    wire = Wire(("127.0.0.1", urlsplit(address).port or 0))
    with browsing() as browser:
        contexts = [browser.new_context(viewport={"width": 1280, "height": 720}) for _ in range(3)]
        boss, ann = (Watched(context, address) for context in contexts[:2])
        bob = Watched(contexts[2], wire.address)
        for trainee in (ann, bob):
            _keep(trainee.page, got)

        boss.page.goto(f"{address}/instructor?secret={SECRET}")
        assert SECRET not in boss.page.url
        joins(ann.page, address, room.code, "Ann", "commander")
        joins(bob.page, wire.address, room.code, "Bob", "data_analyst")
        boss.page.get_by_label("Speed").select_option("10")
        boss.page.get_by_role("button", name="Start", exact=True).click()

        _look_and_act(ann.page, bob.page)
        bob.page.reload()
        expect(bob.page.locator(".messages p")).to_have_text(["who looks?"])
        wire.cut()
        says(ann.page, "while you were gone")
        says(bob.page, "from the dark")
        wire.mend()
        for page in (ann.page, bob.page, boss.page):
            expect(page.locator(".messages p")).to_have_text(["who looks?", "while you were gone", "from the dark"])

        ann.page.get_by_role("button", name="Acknowledge").click(timeout=240_000)
        expect(bob.page.get_by_text("acknowledged by Ann")).to_be_visible()
        assert found_in(bytes(got), placed) == []  # so far nobody of them could know
        boss.page.get_by_role("tab", name="Truth").click()
        expect(boss.page.get_by_text("slow-edge").first).to_be_visible()

        _report(ann.page, bob.page)
        for page in (ann.page, bob.page, boss.page):
            expect(page.locator(".score")).to_contain_text("of 1", timeout=120_000)
        ann.page.get_by_text("What was really wrong").click()
        lesson = ann.page.get_by_text(placed.teaches.split("\n")[0][:40])
        expect(lesson.locator("visible=true").first).to_be_visible()  # it stands in what is folded as well
        with bob.page.expect_download() as download:
            bob.page.get_by_role("link", name="The debrief as a file").click()
        file = Path(download.value.path()).read_text()
        assert placed.title in file
        assert "there are requests" in file
        assert ann.wrong == bob.wrong == boss.wrong == []
        for context in contexts:
            context.close()
    wire.close()

    kinds = [event.kind for event in room.events]
    assert [kinds.count(kind) for kind in ("chatted", "asked", "acted", "acknowledged", "report_filed", "graded")] == [
        3, 1, 1, 1, 1, 1,
    ]  # fmt: skip
    assert kinds.count("joined") == 2
    grade = {item["item"]: item["score"] for item in room.shared.grade.document["items"]}  # type: ignore[union-attr]
    assert grade["component"] > 0


def _look_and_act(ann: Page, bob: Page) -> None:
    says(ann, "who looks?")
    bob.get_by_role("tab", name="SQL").click()
    bob.get_by_label("SQL; Ctrl and Enter run it").fill(COUNT)
    bob.get_by_label("SQL; Ctrl and Enter run it").press("Control+Enter")
    expect(bob.locator(".result th")).to_have_text(["n"], timeout=120_000)
    bob.get_by_role("button", name="Add as evidence").click()
    bob.get_by_role("dialog").get_by_role("textbox").fill("there are requests")
    bob.get_by_role("button", name="Add", exact=True).last.click()
    ann.get_by_role("tab", name="SQL").click()
    ann.locator(".history button").first.click()
    expect(ann.locator(".result th")).to_have_text(["n"])

    ann.get_by_role("tab", name="Actions").click()
    ann.get_by_label("Action", exact=True).fill("restart service=rules")
    ann.get_by_role("button", name="Preview").click()
    expect(ann.get_by_text("Blast radius")).to_be_visible(timeout=60_000)
    bob.get_by_role("tab", name="Actions").click()
    expect(bob.get_by_role("button", name="Carry out …")).to_be_disabled()
    ann.get_by_role("button", name="Carry out …").click()
    ann.get_by_role("dialog").get_by_role("button", name="Carry out").click()
    expect(bob.get_by_label("Changes").locator("li")).to_have_count(1, timeout=60_000)

    ann.get_by_role("tab", name="Overview").click()
    expect(ann.locator(".diagram .edge-text").first).to_contain_text("/s", timeout=60_000)


def _report(ann: Page, bob: Page) -> None:
    """Ann and Bob each write their part; Ann files it."""
    for page in (ann, bob):
        page.get_by_role("tab", name="Report").click()
    ann.get_by_label("incident", exact=True).select_option("true")
    ann.get_by_role("button", name="Add a cause").click()
    ann.get_by_label("component", exact=True).select_option("gateway->features")
    ann.get_by_label("mechanism", exact=True).select_option("latency")
    ann.get_by_label("began (world time)").fill("2026-03-02 08:35:00")
    ann.get_by_label("began (world time)").press("Tab")
    expect(bob.get_by_label("component", exact=True)).to_have_value("gateway->features")
    expect(ann.get_by_label("what it shows").first).to_have_value("there are requests")
    expect(bob.get_by_label("began (world time)")).to_have_value("2026-03-02 08:35:00")
    ann.get_by_role("button", name="File the report …").click()
    ann.get_by_role("button", name="File it").click()


def _keep(page: Page, got: bytearray) -> None:
    """Every byte that a trainee's page receives, until the debrief may tell."""

    def answered(response: Any) -> None:
        if "/api/v1/rooms/" in response.url and response.request.method == "GET":
            got.extend(response.body())

    page.on("response", answered)
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: got.extend(str(data).encode())))
