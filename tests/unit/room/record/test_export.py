"""A room told to its end: what people wrote is markup in neither form, and nothing in it is invisible."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt

from sandbox.drill.debrief.markdown import plain
from sandbox.drill.debrief.text import harmless
from sandbox.room.house import Deed
from sandbox.room.record import export
from tests.unit.room.desk import Scene

HOSTILE = (
    "# head\n<img src=x onerror=alert(1)> [x](javascript:1) `a` | ~b~ \u202egnol\u200b</td><script>alert(1)</script>"
)
DEED = Deed("ABCDEF", "small-drill", "virtual", "d", False)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def hostile(scene: Scene) -> list:
    ann = scene.join(HOSTILE.replace("\n", " ")[:40], "commander")
    scene.do(ann, "chat", text=HOSTILE)
    scene.do(ann, "hypothesis_add", text=HOSTILE[:400])
    scene.do(ann, "ask", sql=f"select 1 -- {HOSTILE}")
    scene.do(ann, "report_field", field="notes", value=HOSTILE)
    scene.do(ann, "report_field", field="evidence", value=[{"claim": HOSTILE, "sql": HOSTILE}])
    scene.do("instructor", "note", text="zz-of-the-instructor")
    return scene.room.events


def test_the_page_has_no_element_that_somebody_wrote(opened: Scene):
    text = export.page(DEED, hostile(opened))
    tags = Tags()
    tags.feed(text)

    assert {tag for tag, _ in tags.seen} <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "bdi",
        "p",
        "ul",
        "li",
        "table",
        "tr",
        "td",
        "th",
    }
    assert not any(name.startswith("on") or name in ("href", "src") for _, attrs in tags.seen for name in attrs)
    policy = next(attrs["content"] for _, attrs in tags.seen if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "\u202e" not in text
    assert "‹U+202E›gnol" in text
    assert "zz-of-the-instructor" not in text


def test_the_markdown_is_a_list_of_plain_lines(opened: Scene):
    text = export.markdown(DEED, hostile(opened))
    kinds = {token.type for token in MarkdownIt("commonmark").enable("table").parse(text)}
    inside = {kid.type for token in MarkdownIt("commonmark").parse(text) for kid in token.children or ()}

    assert not kinds & {"html_block", "code_block", "fence", "table_open", "blockquote_open"}
    assert inside <= {"text", "text_special", "softbreak"}
    assert text.count("\n# ") == 0
    assert "\u202e" not in text
    assert "\u200b" not in text


def test_one_function_makes_text_harmless_for_both():
    for text in (HOSTILE, "1. x", "- x", "+5", "> x", "a\u2066b", "&lt;"):
        assert str(plain(text)) == harmless(text)
    assert harmless(harmless("\u202e")) == harmless("\u202e") == "‹U+202E›"
