"""What docs/load.md says can be done, can be."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from loadtest.lab.capacity import PRESETS
from loadtest.lab.report.picture import picture
from loadtest.lab.shapes import ABOUT
from sandbox.cli.reference import command_paths

DOCS = Path(__file__).resolve().parents[4] / "docs"
TEXT = (DOCS / "load.md").read_text()
SAID = sorted(
    {line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()}
    | set(re.findall(r"`(sandbox [^`]+)`", TEXT))
)


@pytest.mark.parametrize("line", SAID)
def test_every_command_of_the_page_exists_with_its_options(line):
    commands = dict(command_paths())
    words = shlex.split(line)[1:]
    path = next(p for n in (2, 1) if (p := " ".join(words[:n])) in commands)
    known = {option for p in commands[path].params for option in (*p.opts, *p.secondary_opts)}

    assert {word for word in words if word.startswith("--")} <= known


def test_the_page_tells_every_shape_and_every_target_by_name():
    assert set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.M)) == set(ABOUT)
    assert all(f"`{name}`" in TEXT for name in PRESETS)


def test_the_picture_of_the_page_is_the_one_that_is_calculated():
    assert (DOCS / "img/omission.svg").read_text() == picture()
