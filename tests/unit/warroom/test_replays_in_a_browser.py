"""Recordings in a real browser: a team steps through its drill together, the instructor plays any, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Watched, browsing, joins, says
from tests.services.waiting import wait_for
from tests.unit.warroom.conftest import SECRET, Site
from tests.unit.warroom.test_pages_in_a_browser import HOSTILE
from tests.unit.warroom.test_replays import kept_on_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


def test_a_team_steps_through_its_drill_together_and_the_instructor_through_any(site: Site, chromium: Browser):
    ann, bob, boss = (Watched(chromium.new_context(), site.address) for _ in range(3))
    joins(ann.page, site.address, site.code, "Ann", "commander")
    joins(bob.page, site.address, site.code, "Bob", "scribe")
    says(ann.page, HOSTILE)
    says(ann.page, "the second thing")
    expect(bob.page.get_by_text("the second thing")).to_be_visible()
    site.scene.do("instructor", "end")
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)

    ann.page.get_by_text("Step through it").click()
    ann.page.get_by_label("all look with me").check()
    ann.page.locator(".steps button", has_text="Ann: <img").click()
    then = bob.page.locator(".replay .messages")  # opened by whoever leads
    expect(then.get_by_text(HOSTILE)).to_be_visible()
    expect(then.get_by_text("the second thing")).to_have_count(0)

    kept_on_disk(site)
    boss.page.goto(f"{site.address}/instructor?secret={SECRET}")
    boss.page.goto(f"{site.address}/instructor/replay")
    expect(boss.page.locator(".steps .k-truth").first).to_be_visible()
    for _ in range(3):
        boss.page.get_by_label("One step on").click()
    expect(boss.page.locator(".now")).not_to_have_text("")
    boss.page.get_by_label("Times as fast as it was").select_option("1000")
    boss.page.get_by_label("Play or pause").click()
    last = boss.page.locator(".steps button").last.inner_text()
    expect(boss.page.locator(".now")).to_have_text(last, timeout=20_000)
    expect(boss.page.get_by_label("Play or pause")).to_have_text("▶ Play")

    boss.page.goto(f"{site.address}/instructor/results")
    expect(boss.page.get_by_text("No session that was graded.")).to_be_visible()
    for watched in (ann, bob, boss):
        assert watched.wrong == []
        assert watched.page.evaluate("window.ran") is None
        assert watched.page.locator("#page img, #page script").count() == 0
