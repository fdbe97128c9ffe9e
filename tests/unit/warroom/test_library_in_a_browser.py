"""The library and the editor in a real browser, with the real checker, on a home without worlds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.drill.scenario import library
from sandbox.room.authoring import files
from tests.browser import Watched, browsing
from tests.unit.warroom.conftest import SECRET, Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HOSTILE = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>"
CHECKED_MS = 60_000  # the first check reads the whole pack


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def boss(site: Site, chromium: Browser) -> Iterator[Watched]:
    context = chromium.new_context()
    watched = Watched(context, site.address)
    watched.page.goto(f"{site.address}/instructor?secret={SECRET}")
    watched.page.locator(".room").first.wait_for()
    yield watched
    context.close()


def select(page: Page, text: str) -> None:
    """As a mouse would, in the editor."""
    page.locator("textarea").wait_for()
    page.evaluate(
        "text => { const area = document.querySelector('textarea'); const at = area.value.indexOf(text);"
        " area.focus(); area.setSelectionRange(at, at + text.length); }",
        text,
    )


def test_a_scenario_is_written_checked_mended_and_saved_by_keyboard(site: Site, boss: Watched):
    page = boss.page
    page.goto(f"{site.address}/instructor/library#slow-home")
    expect(page.get_by_role("heading", name="The home page takes its time")).to_be_visible(timeout=CHECKED_MS)
    expect(page.locator(".timeline .fault")).to_have_count(1)
    page.get_by_label("Name of the copy").fill("mine")
    page.get_by_label("Name of the copy").press("Enter")

    state = page.locator(".top [role=status]")
    expect(state).to_have_text("not saved")
    expect(page.locator(".findings")).to_be_attached()
    expect(page.locator("aside strong[role=status]")).to_have_text("1 warning", timeout=CHECKED_MS)
    select(page, "rpc-edge-latency")
    page.keyboard.type("rpc-edge-l")
    expect(page.get_by_role("option", name="rpc-edge-latency")).to_be_visible()
    page.locator("textarea").evaluate("area => { area.scrollTop += 40; }")
    expect(page.get_by_role("option", name="rpc-edge-latency")).to_be_visible()
    page.keyboard.press("Tab")
    assert "name: rpc-edge-latency, params" in page.locator("textarea").input_value()
    select(page, "rpc-edge-latency")
    page.keyboard.type("rpc-edge-latncy")
    expect(page.get_by_role("button", name="write rpc-edge-latency")).to_be_visible(timeout=CHECKED_MS)
    page.keyboard.press("F8")
    line = page.evaluate(
        "(a => a.value.slice(0, a.selectionStart).split('\\n').length)(document.querySelector('textarea'))"
    )
    assert (
        page.locator("textarea").input_value().split("\n")[line - 1].strip().startswith("fault: {name: rpc-edge-latncy")
    )

    page.keyboard.press("Control+s")
    expect(state).to_have_text("saved")
    expect(page.get_by_role("button", name="Dry run")).to_be_disabled()
    page.get_by_role("button", name="write rpc-edge-latency").press("Enter")
    expect(page.locator("aside strong[role=status]")).to_have_text("1 warning", timeout=CHECKED_MS)
    page.locator("textarea").press("Control+s")
    expect(state).to_have_text("saved")

    assert library.named("mine").timeline[2].fault.name == "rpc-edge-latency"
    expect(page.get_by_role("button", name="Dry run")).to_be_enabled()
    assert boss.wrong == []


def test_what_somebody_else_saved_meanwhile_is_shown_beside_and_nothing_is_lost(site: Site, boss: Watched):
    page, path = boss.page, files.folder() / "mine.yaml"
    files.save("mine", "id: mine\nminutes: 10\nstars: 1\n", None)
    page.goto(f"{site.address}/instructor/editor#mine")
    select(page, "stars: 1")
    page.keyboard.type("stars: 2")
    path.write_text("id: mine\nminutes: 20\nstars: 1\n")

    page.keyboard.press("Control+s")
    expect(page.locator(".difference")).to_contain_text("- minutes: 20")
    assert path.read_text() == "id: mine\nminutes: 20\nstars: 1\n"
    assert [one.read_text() for one in path.parent.glob("*.kept-*")] == ["id: mine\nminutes: 10\nstars: 2\n"]
    page.reload()
    expect(page.locator("textarea")).to_have_value("id: mine\nminutes: 10\nstars: 2\n")
    page.keyboard.press("Control+s")
    page.get_by_role("button", name="Save mine over it").press("Enter")

    expect(page.locator(".top [role=status]")).to_have_text("saved")
    assert path.read_text() == "id: mine\nminutes: 10\nstars: 2\n"
    assert boss.wrong == []


def test_a_new_one_begins_with_the_gentlest_that_has_its_fault(site: Site, boss: Watched):
    page = boss.page
    page.goto(f"{site.address}/instructor/library")
    page.get_by_text("A new one, by its fault").click(timeout=CHECKED_MS)
    page.get_by_label("Fault of the new one").select_option("session-stream-lag")
    page.get_by_label("Name of the new one").fill("mine")
    page.get_by_label("Name of the new one").press("Enter")

    expect(page.locator(".top [role=status]")).to_have_text("not saved")
    text = page.locator("textarea").input_value()
    assert text.startswith("id: mine\n")
    assert "session-stream-lag" in text
    assert boss.wrong == []


def test_hostile_words_of_a_scenario_run_nowhere(site: Site, boss: Watched):
    source = library.path_of("slow-home").read_text().replace("id: slow-home", "id: mine")
    quoted = "'" + HOSTILE.replace("'", "''") + "'"
    files.save("mine", source.replace("title: The home page takes its time", f"title: {quoted}"), None)
    files.save("broken", f"id: broken\n{quoted}: 1\n", None)
    page = boss.page
    for place in ("library#mine", "editor#mine", "editor#broken", f"editor#{HOSTILE}"):
        page.goto("about:blank")
        page.goto(f"{site.address}/instructor/{place}")
        page.locator(".findings li, .timeline, .refusal").first.wait_for(timeout=CHECKED_MS)
        assert page.evaluate("window.ran") is None
        assert page.locator("#page img, #page script").count() == 0
    assert boss.wrong == []


PLACES: list[tuple[str, Any]] = [
    ("ti|", {"path": [], "part": "ti", "isKey": True, "isItem": False}),
    ("pager:\n  kind: al|", {"path": ["pager", "kind"], "part": "al", "isKey": False, "isItem": False}),
    ("timeline:\n- at_s: 1\n  tar|", {"path": ["timeline", "[]"], "part": "tar", "isKey": True, "isItem": False}),
    (
        "timeline:\n  - at_s: 1\n    fault: {name: a, params: {d|",
        {"path": ["timeline", "[]", "fault", "params"], "part": "d", "isKey": True, "isItem": False},
    ),
    ("look_alikes:\n  - rp|", {"path": ["look_alikes", "[]"], "part": "rp", "isKey": False, "isItem": True}),
    ("look_alikes: [a, rp|", {"path": ["look_alikes", "[]"], "part": "rp", "isKey": False, "isItem": False}),
    ("briefing: |PIPE\n  wo|", None),
    ("briefing: |PIPE\n  words\n\n  more\nsta|", {"path": [], "part": "sta", "isKey": True, "isItem": False}),
    ("a: 1 # wo|", None),
    ("settings:\n  model:\n    max|", {"path": ["settings", "model"], "part": "max", "isKey": True, "isItem": False}),
]


def test_the_place_of_a_word_is_found_as_yaml_has_it(site: Site, boss: Watched):
    for text, place in PLACES:
        whole = text.replace("|PIPE", "\0")
        at = whole.index("|")
        found = boss.page.evaluate(
            "async ([text, at]) => (await import('/static/yaml.js')).placeAt(text, at)",
            [whole.replace("|", "").replace("\0", "|"), at],
        )
        assert found == place, text


def test_without_the_secret_there_is_only_the_way_to_sign_in(site: Site, chromium: Browser):
    context = chromium.new_context()
    page = Watched(context, site.address).page
    for place in ("library", "editor#slow-home"):
        page.goto(f"{site.address}/instructor/{place}")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        assert "slow" not in page.locator("#page").inner_text()
    context.close()


def test_a_room_that_is_opened_from_the_page_is_in_the_list(site: Site, boss: Watched, tmp_path: Path, monkeypatch):
    from sandbox.warroom import library as calls
    from tests.unit.warroom.test_library import another

    monkeypatch.setattr(calls, "opened", lambda *_args, **_options: another(tmp_path / "second", "SECOND"))
    page = boss.page
    page.goto(f"{site.address}/instructor/library#slow-home")
    page.get_by_role("button", name="Open a room").click(timeout=CHECKED_MS)
    page.get_by_role("link", name="SECOND").click()

    expect(page.locator(".room-line .code")).to_have_text([site.code, "SECOND"])
    assert boss.wrong == []
