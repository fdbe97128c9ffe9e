"""Panels in a real browser, over a lake in which every text is hostile: shown, linked and drawn, and run nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydantic import TypeAdapter

from sandbox.room.commands import AnyCommand
from sandbox.telemetry.sql import SqlWorker
from tests.browser import Watched, browsing, joins
from tests.unit.room.panels.toy import USER, write_lake
from tests.unit.warroom.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
SLOW_MS = 30_000  # for what a lake has to be asked, on a machine that has other things to do
HOSTILE = "<img src=x onerror=\"window.ran='yes'\">';--<script>window.ran='yes'</script>"
CHART = f"SELECT TIMESTAMP '2026-03-02' + INTERVAL (i) MINUTE AS t, '{HOSTILE.replace(chr(39), chr(39) * 2)}' AS who, i AS \":onmount\" FROM range(9) r(i)"


@pytest.fixture
def watched(site: Site, tmp_path: Path) -> Iterator[tuple[Site, Watched]]:
    desk = site.scene.desk
    with SqlWorker(write_lake(tmp_path / "hostile", HOSTILE, site.scene.desk.clock)) as worker, browsing() as browser:
        desk.lake = lambda: worker  # type: ignore[method-assign,return-value]
        context = browser.new_context()
        ann = Watched(context, site.address)
        joins(ann.page, site.address, site.code, "Ann", "commander")
        yield site, ann
        context.close()


def opens(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def test_every_panel_shows_hostile_words_and_runs_none(watched: tuple[Site, Watched]):
    site, ann = watched
    page = ann.page
    panel = page.get_by_role("tabpanel")

    opens(page, "Dashboards")
    for board in ("features", "versions", "services"):
        page.get_by_label("Dashboard", exact=True).select_option(board)
        expect(panel.locator(".legend").get_by_text(HOSTILE).first).to_be_visible(timeout=SLOW_MS)
    opens(page, "Traces")
    page.locator("#panel-traces .list tbody button").filter(has_text="req-0070").click()
    expect(panel.locator(".waterfall").get_by_text(HOSTILE).first).to_be_visible(timeout=SLOW_MS)
    opens(page, "Logs")
    panel.locator(".list button").first.click()
    expect(panel.get_by_role("heading", name=f"Lines: {HOSTILE[:20]}")).to_be_visible(timeout=SLOW_MS)
    opens(page, "Slates")
    panel.locator(".list tbody button").first.click()
    expect(panel.locator(".funnel")).to_be_visible(timeout=SLOW_MS)
    for fold in panel.locator("details > summary").all():
        if fold.is_visible():
            fold.click()
    panel.get_by_role("button", name=str(USER), exact=True).first.click()
    expect(panel.get_by_role("heading", name=f"User {USER}")).to_be_visible(timeout=SLOW_MS)
    page.get_by_label("item", exact=True).fill("3")
    page.get_by_role("button", name="Item's page").click()
    expect(panel.get_by_role("heading", name="Item 3")).to_be_visible(timeout=SLOW_MS)

    assert page.evaluate("window.ran") is None
    assert page.locator("#page img, #page script").count() == 0
    assert ann.wrong == []
    looked = [event.what.panel for event in site.scene.room.events if event.kind == "looked"]
    assert set(looked) == {"dashboards", "traces", "logs", "slates", "users", "items"}


def test_an_answer_is_drawn_by_position_whatever_its_columns_are_called(watched: tuple[Site, Watched]):
    _, ann = watched
    page = ann.page
    opens(page, "SQL")
    page.get_by_label("SQL; Ctrl and Enter run it").fill(CHART)
    page.get_by_label("SQL; Ctrl and Enter run it").press("Control+Enter")
    expect(page.locator(".result th")).to_have_text(["t", "who", ":onmount"], timeout=SLOW_MS)

    page.get_by_label("as chart").check()
    expect(page.locator(".result polyline")).to_have_count(1)
    expect(page.locator(".result .legend li")).to_contain_text([HOSTILE])
    page.get_by_label("SQL; Ctrl and Enter run it").fill(f"SELECT 'a' AS \"{'x' * 9}\", 3 AS n UNION ALL SELECT 'b', 1")
    page.get_by_label("SQL; Ctrl and Enter run it").press("Control+Enter")
    expect(page.locator(".result rect")).to_have_count(2, timeout=SLOW_MS)
    page.get_by_label("as chart").uncheck()
    expect(page.locator(".result td")).to_have_text(["a", "3", "b", "1"])
    assert page.evaluate("window.ran") is None
    assert ann.wrong == []


def test_a_link_in_chat_opens_what_was_looked_at_and_evidence_goes_into_the_report(watched: tuple[Site, Watched]):
    site, ann = watched
    page = ann.page
    opens(page, "Traces")
    page.locator("#panel-traces .list tbody button").filter(has_text="req-0070").click()
    page.get_by_role("button", name="Compare with a usual one").click()
    expect(page.locator(".compared")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tabpanel").get_by_role("button", name="Show in chat").click()
    page.get_by_label("Message", exact=True).fill("slow in the first hop")
    page.get_by_label("Message", exact=True).press("Enter")
    page.get_by_role("tabpanel").get_by_role("button", name="Add as evidence").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("two traces")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.locator(".right .activity .field_reported")).to_have_count(1)

    opens(page, "Overview")
    page.locator(".messages .link").first.click()
    expect(page.locator(".compared")).to_be_visible(timeout=SLOW_MS)
    bob = site.joined("Bob", "scribe")
    evidence = bob.state()["report"]["evidence"]["value"]
    assert [entry["claim"] for entry in evidence] == ["two traces"]
    assert "trace_id IN ('req-0070', 'req-0010')" in evidence[0]["sql"]
    bob.do("chat", text="look", links=[{"kind": "panel", "value": "../../evil?x=1"}])
    page.locator(".messages .link").nth(1).click()
    expect(page.get_by_text("a link to nothing that is here")).to_be_visible()
    assert ann.wrong == []


def test_a_time_in_a_message_and_in_a_chart_takes_everything_there_until_one_goes_back(watched: tuple[Site, Watched]):
    site, ann = watched
    page, looking = ann.page, ann.page.locator(".moment-bar")
    at = datetime.fromtimestamp(site.scene.desk.clock - 600, UTC)
    site.scene.room.submit(
        "p1", TypeAdapter(AnyCommand).validate_python({"kind": "chat", "text": f"odd at {at:%H:%M}, is it not?"})
    )

    page.locator(".messages").get_by_role("button", name=f"{at:%H:%M}").click()
    expect(looking).to_contain_text(f"Looking at {at:%Y-%m-%d %H:%M}")
    expect(page.locator(".diagram.back-then")).to_be_visible()
    opens(page, "Logs")
    expect(page.locator("#panel-logs").get_by_role("button", name="until")).to_be_visible()
    looking.get_by_role("button", name="Back to now").click()
    expect(looking).to_be_hidden()

    opens(page, "Dashboards")
    chart = page.locator("#panel-dashboards svg.chart").first
    expect(page.locator("#panel-dashboards :is(polyline, circle)").first).to_be_attached(timeout=SLOW_MS)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(looking).to_contain_text("Looking at")
    looking.get_by_role("button", name="Show in chat").click()
    page.get_by_label("Message", exact=True).fill("there")
    page.get_by_label("Message", exact=True).press("Enter")
    looking.get_by_role("button", name="Back to now").click()
    page.locator(".messages").get_by_role("button", name="time: ").click()
    expect(looking).to_be_visible()
    assert ann.wrong == []
