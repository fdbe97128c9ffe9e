"""The incident report in Markdown: its parts, and nothing that others wrote as markup."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sandbox.drill.debrief.markdown import fenced, incident_report, plain
from sandbox.drill.scenario import library
from tests.unit.drill.debrief.test_page import BASE, HOSTILE, everywhere
from tests.unit.drill.debriefs import debrief_of, perfect
from tests.unit.drill.scenes import scenario

PARTS = ["Overview", "What happened", "Contributing factors", "Resolution", "Impact", "Responders", "Timeline",
         "How did we do", "Action items"]  # fmt: skip
SHAPE = {  # of blocks: what the template writes
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "table_open", "table_close",
    "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open",
    "td_close", "blockquote_open", "blockquote_close", "bullet_list_open", "bullet_list_close", "list_item_open",
    "list_item_close", "fence",
}  # fmt: skip
PACK = library.load_all()
MARKUP = st.text("#*_`~|[]()<>!&-+=.:1 \n\t\\a", max_size=40)


def read(text: str) -> list:
    return MarkdownIt("commonmark").enable("table").parse(text)


def require_plain(text: str) -> list:
    """The blocks of the template, and in lines nothing but text."""
    blocks = read(text)
    assert {block.type for block in blocks} <= SHAPE
    assert [b.tag for b in blocks if b.type == "heading_open"] == ["h1", *["h2"] * len(PARTS)]
    for block in blocks:
        assert {part.type for part in block.children or ()} <= {"text", "softbreak", "text_special"}
    return blocks


def shown(text: str) -> str:
    return "".join(block.content for block in read(text))


@pytest.mark.parametrize("name", PACK)
def test_a_report_of_every_scenario_has_its_parts(name):
    blocks = require_plain(incident_report(debrief_of(PACK[name], perfect(PACK[name]))))

    headings = [blocks[i + 1].content for i, b in enumerate(blocks) if b.type == "heading_open"]
    assert headings[1:] == PARTS
    fences = [b.content.strip() for b in blocks if b.type == "fence"]
    assert fences == [e.sql.strip() for e in PACK[name].evidence], "what was asked"


def test_one_of_a_drill_that_was_given_up_says_so():
    text = incident_report(debrief_of(scenario(), None))

    require_plain(text)
    assert "Given up, without marks." in text
    assert "Not measured" in text


def test_it_can_be_made_again_from_the_json_document():
    assert incident_report(json.loads(json.dumps(BASE))) == incident_report(BASE)


def test_impact_says_how_sure_it_is_and_whom_it_reached():
    text = incident_report(BASE)

    assert "| clicks (clicks) |" in text
    assert "Users that it reached until the report:" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_text_and_nothing_else(text):
    require_plain(incident_report(everywhere(text)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(codec=None), max_size=40) | MARKUP)
def test_no_text_of_others_changes_the_shape_of_the_report(text):
    require_plain(incident_report(everywhere(text)))


@given(MARKUP)
def test_a_plain_text_reads_as_it_was_written_but_for_its_spaces(text):
    (paragraph,) = [b for b in read(f"it says {plain(text)} here") if b.type == "inline"]

    said = "".join(part.content for part in paragraph.children)

    assert " ".join(said.split()) == " ".join(f"it says {text} here".split())


@given(MARKUP)
def test_code_is_whatever_it_was_and_ends_where_it_ended(text):
    blocks = read(f"{fenced(text)}\n\nafter")

    assert [b.type for b in blocks] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert blocks[0].content.strip() == text.strip()
