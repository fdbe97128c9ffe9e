"""The examples of the pages: every fenced block with its language, every command in one."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Example:
    """page: its file's name. language: as the fence has it, empty for none."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """Page and first line, for lists and for the names of tests."""
        return f"{self.page}: {self.text.strip().splitlines()[0].strip()[:60]}"


def examples(*languages: str) -> list[Example]:
    found = [
        Example(page.name, language, text)
        for page in PAGES
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.S | re.M)
    ]
    return [one for one in found if one.language in languages]


def commands() -> list[str]:
    """Each `sandbox …` line of a block, without what is said beside it, once."""
    found = []
    for one in examples("sh", "bash", ""):
        for line in one.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if "sandbox " in line else []
            if words[:1] == ["sandbox"]:
                found.append(shlex.join(words))
    return list(dict.fromkeys(found))
