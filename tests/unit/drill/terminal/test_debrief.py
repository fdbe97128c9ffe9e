"""The debrief in the terminal, and its picture: made from the document alone."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

from rich.console import Console

from sandbox.drill.play.notebook import Look
from sandbox.drill.terminal.debrief import render
from sandbox.drill.terminal.picture import picture
from tests.unit.drill.debriefs import BEGAN, WALL, debrief_of, perfect
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_twin import twin_of

LONG = "select " + ",\n  ".join(f"[bold]column_{n}[/]" for n in range(40))


def told() -> dict:
    looks = [Look(LONG, True, BEGAN + 4_100, WALL)]
    return debrief_of(scenario(), perfect(scenario()), looks, twin=twin_of().document("run"))


def test_a_query_is_one_line_of_the_timeline_and_no_markup():
    console = Console(file=io.StringIO(), width=200)

    console.print(render(told()))

    (line,) = [line for line in console.file.getvalue().splitlines() if "you ask" in line]
    assert "[bold]column_0[/]" in line
    assert line.rstrip().endswith("…")


def test_a_curve_without_harm_takes_one_line():
    console = Console(file=io.StringIO(), width=200)

    console.print(render(debrief_of(scenario(), perfect(scenario()), twin=twin_of(faults=False).document("run"))))

    assert [row.strip() for row in console.file.getvalue().splitlines()].count("none") == 3


def test_its_picture_is_the_same_each_time_and_loads_nothing():
    document = told()

    svg = picture(document)

    assert svg == picture(json.loads(json.dumps(document)))
    assert ElementTree.fromstring(svg).tag.endswith("}svg")
    assert svg.count("http") == 1, "the name space"
    assert "url(" not in svg.replace("url(#", "")
