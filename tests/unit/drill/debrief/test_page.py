"""The debrief as one HTML file: whole, safe, and told from the document alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.drill.debrief.page import page
from sandbox.drill.play.notebook import Look
from sandbox.drill.scenario import library
from tests.unit.drill.debriefs import BEGAN, WALL, debrief_of, perfect
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_twin import twin_of

PACK = library.load_all()
HOSTILE = [
    "<script>alert(1)</script>", "</style><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>",
    "</script>", "<!-- ", "]]>", "javascript:alert(1)", ":alias", "{{ 7 * 7 }}", "{% raw %}", "&lt;script&gt;",
    "\u202egnp.exe\u2066", "\x00\x1b[31m", "\ud800", "W" * 5_000, "' onmouseover='alert(1)",
]  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "scope", "dir", "tabindex", "hidden", "type",
    "aria-label", "aria-labelledby", "role", "viewbox", "min", "max", "value", "data-minute", "data-step", "data-low", "data-high",
    "data-start", "data-end", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "width", "height", "points",
}  # fmt: skip
VOID = {"meta"}


class Read(HTMLParser):
    """A page as a browser takes it: elements, attributes, and the text in each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.policy = ""
        self.feed(html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return "".join(t for tag, texts in self.texts.items() if tag not in ("script", "style") for t in texts)


def require_safe(html: str) -> Read:
    """Nothing in it but what this room wrote: one style, one script, no address, no handler."""
    read = Read(html)
    assert (read.tags.count("script"), read.tags.count("style")) == (1, 1)
    assert not {"img", "iframe", "link", "object", "embed", "base", "form", "a:href"} & set(read.tags)
    assert {name for name, _ in read.attributes} <= ATTRIBUTES
    assert all(
        value is not None and re.fullmatch(r"#[a-z]+", value) for name, value in read.attributes if name == "href"
    )
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        own = base64.b64encode(hashlib.sha256("".join(read.texts[tag]).encode()).digest()).decode()
        assert f"{directive} 'sha256-{own}'" in read.policy
    assert read.policy.startswith("default-src 'none'")
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00\x1b\ud800-\udfff]", html)
    html.encode()
    return read


@pytest.mark.parametrize("name", PACK)
def test_a_page_of_every_scenario_tells_its_truth_and_its_precedent(name):
    told = debrief_of(PACK[name], perfect(PACK[name]))

    read = require_safe(page(told))

    for text in (PACK[name].title, PACK[name].precedent, PACK[name].teaches, PACK[name].explanation.strip()):
        assert text in read.text
    for cause in PACK[name].truth.causes:
        assert cause.mechanism in read.text
    for one in PACK[name].evidence:
        assert one.sql.strip() in read.text


def test_a_page_of_a_drill_that_was_given_up_says_so_and_tells_the_truth():
    read = require_safe(page(debrief_of(scenario(), None)))

    assert "given up, without marks" in read.text
    assert "No report was handed in" in read.text
    assert "session-stream-lag on stream" in read.text


def test_a_page_shows_three_curves_of_harm_their_zero_and_how_sure_the_whole_is():
    told = debrief_of(scenario(), perfect(scenario()), twin=twin_of().document("run"))

    html = page(told)

    chart = html.partition('<h2 id="harm">')[2].partition("</svg>")[0]
    assert chart.count("<polyline") == 3
    for name in ("as it went", "had nothing been done", "with the best response", "without the fault", "world time"):
        assert f">{name}</text>" in chart
    assert re.search(r'<td class="number">[\d,.]+ \([\d,.-]+ to [\d,.]+\)</td>', html)


def test_without_a_twin_a_page_says_that_harm_was_not_measured():
    assert "Not measured" in require_safe(page(debrief_of(scenario(), perfect(scenario())))).text


def test_a_grade_of_before_has_fewer_curves_and_the_page_is_made_all_the_same():
    twin = twin_of().document("run")
    kept = {part: twin[part] for part in ("per_minute", "with_nothing_done", "unmitigated", "onset_s", "filed_s")}

    html = page(debrief_of(scenario(), perfect(scenario()), twin=kept))

    assert html.partition('<h2 id="harm">')[2].partition("</svg>")[0].count("<polyline") == 2
    require_safe(html)


def test_numbers_that_could_not_be_measured_are_dashes_whether_they_come_from_a_run_or_from_json():
    twin = twin_of().document("run")
    for part in ("harm", "avoided", "regret"):
        twin[part]["clicks"] = dict.fromkeys(("estimate", "low", "high"), float("nan"))
    told = debrief_of(scenario(), perfect(scenario()), twin=twin)

    read = json.loads(json.dumps(told), parse_constant=lambda _: None)

    assert "– (– to –)" in page(told)
    assert page(read) == page(told)


def test_a_page_can_be_made_again_from_the_json_document():
    told = debrief_of(scenario(), perfect(scenario()), [Look("select 1", True, BEGAN + 4_100, WALL)])

    assert page(json.loads(json.dumps(told))) == page(told)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_shown_and_does_nothing(text):
    told = everywhere(text)

    read = require_safe(page(told))

    if text.isprintable():
        assert read.text.count(text) > 20, "shown as it was written"
    else:
        assert "‹U+" in read.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(codec=None), max_size=60) | st.text("<>&\"'/!-=;:{}%#` \nscripthref", max_size=60))
def test_no_text_of_others_makes_an_element_a_handler_or_an_address(text):
    require_safe(page(everywhere(text)))


def test_the_script_is_for_stepping_alone_and_the_page_reads_without_it():
    html = page(debrief_of(scenario(), perfect(scenario())))
    bare = re.sub(r"<script>.*</script>", "", html, flags=re.S)

    assert Read(bare).text == Read(html).text
    assert 'class="stepper" hidden' in bare, "buttons that do nothing are not shown"


def test_neither_style_nor_script_holds_what_would_end_its_element():
    room = Path(page.__code__.co_filename).parent
    for name in ("page.css", "chart.css", "page.js"):
        assert "</" not in (room / name).read_text()


BASE = debrief_of(
    scenario(), perfect(scenario(), impact={"clicks": 3}, notes="n", actions=["restart service=stream"]),
    [Look("select 1", True, BEGAN + 4_100, WALL), Look("trace latest", False, BEGAN + 4_200, WALL)],
    twin=twin_of().document("run"), notices=["n"], lost=["l"], baseline_answer="b",
    looked={"evidence": [], "ruled_out": [],
            "asked": [{"claim": "", "sql": "select 1", "value": 0.5, "column": "x", "why": "w"}]},
)  # fmt: skip
_OURS = {"ts", "wall", "kind", "began", "ended", "twin", "used", "detected_at", "started_at"}  # times and fixed words


def everywhere(text: str) -> dict:
    """A document in which every text that could be another's is this one."""

    def put(name: str, part: object) -> object:
        if name in _OURS:
            return part
        if isinstance(part, str):
            return text
        if isinstance(part, dict):
            return {key: put(key, value) for key, value in part.items()}
        if isinstance(part, list):
            return [put(name, one) for one in part]
        return part

    return {**put("", BASE), "drill": text, "world": text, "backend": text}  # type: ignore[dict-item]
