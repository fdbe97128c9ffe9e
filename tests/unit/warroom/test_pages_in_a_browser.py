"""Pages in a real browser, on a stand-in: hostile words run nowhere, and connections that drop lose and double nothing."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import Watched, Wire, browsing, joins, says
from tests.unit.warroom.conftest import SECRET, Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
HOSTILE = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>"
ALIAS = ":onmount"  # a key that some widgets run as script


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


def test_hostile_words_are_shown_and_run_nowhere(site: Site, chromium: Browser):
    """In a name, chat, hypothesis, task, timeline, report, an alias, a message from outside: read by all three pages."""
    contexts = [chromium.new_context() for _ in range(2)]
    ann, boss = (Watched(context, site.address) for context in contexts)
    name = HOSTILE[:39]
    joins(ann.page, site.address, site.code, name, "commander")
    boss.page.goto(f"{site.address}/instructor?secret={SECRET}")
    boss.page.locator(".room").wait_for()

    says(ann.page, HOSTILE)
    for kind, fields in (
        ("hypothesis_add", {"text": HOSTILE}), ("task_add", {"text": HOSTILE}), ("timeline_edit", {"text": HOSTILE}),
        ("report_field", {"field": "notes", "value": HOSTILE}),
        ("report_field", {"field": "evidence", "value": [{"claim": HOSTILE, "sql": HOSTILE, ALIAS: "window.ran='yes'"}]}),
        ("report_field", {"field": "impact", "value": {HOSTILE: {"estimate": HOSTILE}}}),
        ("ask", {"sql": f"select 1 as \"{ALIAS}\" -- {HOSTILE}"}),
        ("preview", {"action": f"restart service=stream {HOSTILE}"}),
    ):  # fmt: skip
        said = ann.page.evaluate(
            "async ([at, body]) => (await fetch(at, {method: 'POST', body: JSON.stringify(body),"
            " headers: {'content-type': 'application/json'}})).status",
            [f"/api/v1/rooms/{site.code}/commands", {"kind": kind, **fields}],
        )
        assert said == 200, kind
    assert site.instructor().do("inject", sender="<b onclick=x>", text=HOSTILE).status_code == 200
    asks = {"do": "ask_status", "sender": "<b onclick=x>", "text": HOSTILE}
    assert site.instructor().do("twist", does=asks).status_code == 200
    assert site.instructor().do("inject_plan", does=asks, after=None).status_code == 200

    for page in (ann.page, boss.page):
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        for tab in page.get_by_role("tab").all():
            if tab.is_visible():
                tab.click()
        page.get_by_role("tab", name="SQL").click()
        page.locator(".history button").first.click()
        expect(page.locator(".result th").first).to_have_text(":n")
        assert page.evaluate("window.ran") is None
        assert page.locator("#page img, #page script").count() == 0
    assert ann.wrong == boss.wrong == []
    for context in contexts:
        context.close()


def test_a_dropped_connection_a_reload_and_two_tabs_lose_nothing_and_double_nothing(site: Site, chromium: Browser):
    wire = Wire(("127.0.0.1", urlsplit(site.address).port or 0))
    context = chromium.new_context()
    first, bob = Watched(context, wire.address), site.joined("Bob", "scribe")
    joins(first.page, wire.address, site.code, "Ann", "commander")
    second = Watched(context, wire.address)
    second.page.goto(f"{wire.address}/r/{site.code}")
    second.page.locator(".room").wait_for()

    says(first.page, "before")
    expect(second.page.locator(".messages li")).to_have_count(1)
    wire.cut()
    expect(first.page.get_by_text("connecting …")).to_be_visible()
    bob.do("chat", text="meanwhile")
    says(first.page, "said into the dark")  # sent again and again, with one id
    expect(first.page.get_by_text("sent again until it arrives")).to_be_visible()
    wire.mend()

    for page in (first.page, second.page):
        expect(page.locator(".messages p")).to_have_text(["before", "meanwhile", "said into the dark"])
    second.page.get_by_label("Message", exact=True).fill("half a sent")
    second.page.reload()
    expect(second.page.locator(".messages p")).to_have_text(["before", "meanwhile", "said into the dark"])
    expect(second.page.get_by_label("Message", exact=True)).to_have_value("half a sent")
    assert [message["text"] for message in bob.state()["messages"]] == ["before", "meanwhile", "said into the dark"]
    assert first.wrong == second.wrong == []
    context.close()
    wire.close()


def test_evidence_that_two_add_in_the_same_moment_is_all_there(site: Site, chromium: Browser):
    """Bob's comes while Ann's is on its way, with the list as it was before: hers would write over his."""
    context = chromium.new_context()
    ann, bob = Watched(context, site.address), site.joined("Bob", "scribe")
    joins(ann.page, site.address, site.code, "Ann", "commander")
    ann.page.get_by_role("tab", name="SQL").click()
    ann.page.get_by_label("SQL; Ctrl and Enter run it").press("Control+Enter")
    expect(ann.page.locator(".result th").first).to_have_text(":n")

    def meanwhile(route: Route) -> None:
        if "theirs" not in str(bob.state()["report"]):
            assert (
                bob.do("report_field", field="evidence", value=[{"claim": "theirs", "sql": "select 2"}]).status_code
                == 200
            )
        route.continue_()

    ann.page.route("**/commands", meanwhile)
    ann.page.get_by_role("button", name="Add as evidence").click()
    ann.page.get_by_role("dialog").get_by_role("textbox").fill("ours")
    ann.page.get_by_role("dialog").get_by_role("button", name="Add").click()

    ann.page.get_by_role("tab", name="Report").click()
    expect(ann.page.get_by_role("group", name="evidence").get_by_label("what it shows")).to_have_count(2)
    assert [entry["claim"] for entry in bob.state()["report"]["evidence"]["value"]] == ["theirs", "ours"]
    context.close()


def test_what_is_chosen_quickly_stays_though_the_stream_is_slow(site: Site, chromium: Browser):
    """Each choice is written at once, and the answer to the first comes after the second was made."""
    context = chromium.new_context()
    ann, held = Watched(context, site.address), list[Route]()
    joins(ann.page, site.address, site.code, "Ann", "commander")
    ann.page.get_by_role("tab", name="Report").click()
    ann.page.get_by_role("button", name="Add a cause").click()
    ann.page.route("**/commands", lambda route: held.append(route))
    for label, value in (("component", "gateway"), ("mechanism", "latency")):
        with ann.page.expect_request("**/commands"):
            ann.page.get_by_label(label, exact=True).select_option(value)
    for n in range(2):
        held[n].continue_()
        expect(ann.page.locator(".right .activity .field_reported")).to_have_count(n + 1)
        expect(ann.page.get_by_label("mechanism", exact=True)).to_have_value("latency")

    causes = site.instructor().state()["report"]["causes"]["value"]
    assert causes == [{"component": "gateway", "mechanism": "latency", "segment": {}}]
    context.close()


def test_who_may_not_sees_why_and_who_is_sent_out_sees_the_door(site: Site, chromium: Browser):
    context = chromium.new_context()
    site.joined("Ann", "commander")
    bob = Watched(context, site.address)
    joins(bob.page, site.address, site.code, "Bob", "observer")

    run = bob.page.get_by_role("button", name="Run (Ctrl-Enter)")
    bob.page.get_by_role("tab", name="SQL").click()
    expect(run).to_be_disabled()
    assert "data analyst" in (run.get_attribute("title") or "")
    expect(bob.page.get_by_role("tab", name="Report")).to_be_hidden()

    site.instructor().do("dismiss", participant="Bob")
    expect(bob.page.get_by_role("heading", name="Join a room")).to_be_visible()
    assert bob.wrong == []
    context.close()


def test_the_keyboard_alone_is_enough_to_join_and_to_ask(site: Site, chromium: Browser):
    context = chromium.new_context()
    ann = Watched(context, site.address)
    keys = ann.page.keyboard
    ann.page.goto(site.address)
    expect(ann.page.get_by_label("Code of the room")).to_be_focused()
    keys.type(site.code.lower())
    keys.press("Tab")
    keys.type("Ann")
    keys.press("Enter")
    ann.page.locator(".room").wait_for()
    ann.page.get_by_role("tab", name="Slates").focus()
    keys.press("ArrowRight")
    keys.press("Tab")
    expect(ann.page.get_by_label("SQL; Ctrl and Enter run it")).to_be_focused()
    keys.press("Control+Enter")

    expect(ann.page.locator(".result th").first).to_have_text(":n")
    assert len(site.scene.desk.asked) == 1
    context.close()


def test_the_instructors_hand_by_the_page_and_what_the_team_sees_of_it(site: Site, chromium: Browser):
    """A fault with the knobs that its form begins with, a stakeholder who is answered, a set of injects, one room of all."""
    contexts = [chromium.new_context() for _ in range(2)]
    ann, boss = (Watched(context, site.address) for context in contexts)
    joins(ann.page, site.address, site.code, "Ann", "communications")
    page = boss.page
    page.goto(f"{site.address}/instructor?secret={SECRET}")
    page.get_by_role("button", name="All rooms").click()
    page.locator(".rooms-view").get_by_role("button", name=site.code).click()

    page.get_by_role("tab", name="Twists").click()
    page.get_by_label("Fault", exact=True).select_option("rpc-edge-latency")
    page.get_by_label("Where").select_option("ranking->model")
    page.get_by_label("delay_ms").fill("90")
    page.get_by_role("button", name="Do it now").click()
    expect(page.get_by_label("Faults that are on by hand").get_by_text("on ranking->model")).to_be_visible()
    on = dict(site.scene.desk.hands.on)
    page.get_by_role("button", name="Take off").click()
    page.get_by_label("Deed").select_option("ask_status")
    page.get_by_role("button", name="Do it now").click()
    page.get_by_label("Sets of injects").get_by_role("button", name="Plan all").first.click()
    expect(page.get_by_label("Planned injects").get_by_role("listitem")).to_have_count(3)
    page.get_by_label("Planned injects").get_by_role("button", name="Drop").first.click()
    expect(page.get_by_label("Planned injects").get_by_role("listitem")).to_have_count(2)

    waits = ann.page.get_by_label("Who waits for a status update")
    expect(waits.get_by_text("Head of product")).to_be_visible()
    ann.page.get_by_label("Status update", exact=True).fill("it is slow, we look")
    ann.page.get_by_role("button", name="Send the update").click()
    expect(waits.get_by_role("listitem")).to_have_count(0)
    expect(page.locator(".messages").get_by_text("it is slow, we look")).to_be_visible()
    assert list(on.values()) == [("ranking", "rpc-edge-latency")]
    assert site.scene.desk.hands.on == {}
    assert ann.wrong == boss.wrong == []
    for context in contexts:
        context.close()
