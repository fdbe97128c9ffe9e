"""What browsers are given: pages that are the same for everybody, headers that keep them harmless, the instructor's sign-in."""

from __future__ import annotations

import re

import httpx
import pytest

from sandbox.warroom.pages.routes import FILES, POLICY
from tests.services.waiting import wait_for
from tests.unit.warroom.conftest import SECRET, Site
from tests.unit.warroom.test_api import problem


@pytest.fixture
def browser(site: Site) -> httpx.Client:
    client = httpx.Client(base_url=site.address, timeout=20)
    site.clients.append(client)
    return client


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(browser: httpx.Client):
    for path in ("/", "/r/ABCDEF", "/instructor"):
        answer = browser.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script>" not in answer.text
        assert not re.search(r"\son\w+=|https?://|javascript:|style=", answer.text)
    assert "unsafe" not in POLICY


def test_what_scripts_ask_for_is_there_and_of_this_server(browser: httpx.Client):
    for name, file in FILES.items():
        answer = browser.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.content == file.body
        for asked in re.findall(r'(?:from|src=|href=)\s*"\.?/?(?:static/)?([\w.]+)"', file.body.decode()):
            assert asked in FILES or asked == "instructor", f"{name} asks for {asked}"


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_no_script_makes_markup_of_a_text(name: str):
    """Words of users become text nodes. The browser holds to it as well: trusted types, of which there are none."""
    text = FILES[name].body.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", text)


def test_a_page_that_is_known_is_not_sent_again(browser: httpx.Client):
    first = browser.get("/static/style.css")
    again = browser.get("/static/style.css", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    problem(browser.get("/static/../routes.py"), 404, "WIRE-003")
    problem(browser.get("/static/nothing.js"), 404, "WIRE-003")


def test_the_instructors_secret_leaves_the_address_at_once(site: Site, browser: httpx.Client):
    """What takes its place opens the instructor's calls and is not the secret, and scripts can't read it."""
    answer = browser.get("/instructor", params={"secret": SECRET})
    cookie = answer.headers["set-cookie"]

    assert (answer.status_code, answer.headers["location"]) == (303, "/instructor")
    assert SECRET not in cookie
    assert "httponly" in cookie.lower()
    assert browser.get("/api/v1/instructor/rooms").json()[0]["code"] == site.code
    assert browser.get(f"/api/v1/instructor/rooms/{site.code}/state").status_code == 200


def test_a_wrong_secret_opens_nothing(site: Site, browser: httpx.Client):
    answer = browser.get("/instructor", params={"secret": "guessed"})

    assert answer.headers["location"] == "/instructor#refused"
    assert "set-cookie" not in answer.headers
    problem(browser.post("/instructor", json={"secret": "guessed"}), 401, "ROOM-004")
    problem(browser.get("/api/v1/instructor/rooms"), 401, "ROOM-004")


def test_an_instructors_cookie_ends_with_its_day_and_is_no_participants(site: Site, browser: httpx.Client):
    ann = site.joined("Ann", "commander")
    assert browser.post("/instructor", json={"secret": SECRET}).status_code == 204
    browser.cookies.set("sandbox_room_" + site.code, browser.cookies["sandbox_instructor"])

    problem(browser.get(f"/api/v1/rooms/{site.code}/state"), 401, "ROOM-004")
    problem(site.client(cookie=f"sandbox_instructor={ann.token}").get("/instructor/rooms"), 401, "ROOM-004")
    site.hands[0] += 13 * 3600
    problem(browser.get("/api/v1/instructor/rooms"), 401, "ROOM-004")


def test_an_overview_is_looked_for_once_however_many_watch(site: Site):
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "observer")
    place = f"/rooms/{site.code}/overview"

    seen = [who.client.get(place).json() for who in (ann, bob, ann)]
    assert site.scene.desk.looked == 1
    assert seen[0] == seen[1]
    assert seen[0]["edges"][0] | {"caller": "gateway", "callee": "features", "errors": 0.5} == seen[0]["edges"][0]
    ts = seen[0]["signals"]["ctr"][0][0]
    assert ann.client.get(place, params={"since": ts}).json()["signals"]["ctr"] == []

    site.hands[0] += 5
    assert site.instructor().client.get(f"/instructor{place}").status_code == 200
    assert site.scene.desk.looked == 2
    assert site.scene.desk.asked == []  # and nobody's queries are among them
    problem(site.client().get(place), 401, "ROOM-004")


def test_the_words_of_forms_are_those_that_reports_and_actions_take(site: Site):
    words = site.client().get("/words").json()

    assert words["rights"]["act"] == {"roles": ["commander", "deputy", "operations"], "phases": ["running"]}
    assert "latency_ms" in [column[0] for column in words["tables"]["requests"]]
    assert {"component", "mechanism"} - set(words["fields"]) == {"component", "mechanism"}
    assert "slow-edge" in words["mechanisms"]["latency"]
    assert "restart" in [action["name"] for action in words["actions"]]


def test_a_debrief_is_no_file_before_it_is_out(site: Site):
    ann = site.joined("Ann", "commander")

    assert "graded" in problem(ann.client.get(f"{ann.place}/debrief"), 409, "ROOM-003")["fix"]
    problem(site.client().get(f"{ann.place}/debrief"), 401, "ROOM-004")


def test_a_debrief_that_is_out_is_a_file_in_each_form(site: Site, monkeypatch):
    monkeypatch.setattr(
        "sandbox.room.debriefed.debriefed", lambda _drill, grade: {"title": "<b>", "score": grade["score"]}
    )
    for form in ("page", "incident_report", "pdf"):
        monkeypatch.setattr(
            f"sandbox.room.debriefed.{form}", lambda told, f=form: f"{f} of {told}" if f != "pdf" else b"%PDF"
        )
    ann = site.joined("Ann", "observer")
    site.scene.do("instructor", "end")
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)

    told = {
        form: ann.client.get(f"{ann.place}/debrief", params={"form": form}) for form in ("html", "md", "pdf", "json")
    }

    assert {form: answer.headers["content-type"].partition(";")[0] for form, answer in told.items()} == {
        "html": "text/html", "md": "text/markdown", "pdf": "application/pdf", "json": "application/json",
    }  # fmt: skip
    assert all(answer.headers["content-disposition"].startswith("attachment") for answer in told.values())
    assert told["json"].json() == {"title": "<b>", "score": 0.5}
    assert (told["pdf"].content, told["md"].text[:15]) == (b"%PDF", "incident_report")
    problem(ann.client.get(f"{ann.place}/debrief", params={"form": "exe"}), 400, "ROOM-006")
