"""The debrief's page in a real browser: its script runs, its policy holds, nothing of others runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from sandbox.drill.debrief.page import page
from tests.browser import chromium
from tests.unit.drill.debrief.test_page import BASE, HOSTILE, everywhere

pytestmark = pytest.mark.slow


def opened(html: str, place: Path) -> tuple[str, str]:
    """The document as it stands when the browser is done, and what its console says."""
    file = place / "debrief.html"
    file.write_text(html)
    done = subprocess.run(
        [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={place / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_the_script_shows_its_buttons_and_a_cursor_on_each_picture(tmp_path):
    html = page(BASE)

    dom, console = opened(html, tmp_path)

    assert console == ""
    assert 'class="stepper" hidden' in html
    assert 'class="stepper" hidden' not in dom
    assert dom.count('class="cursor"') == dom.count("<svg")


def test_what_is_not_ours_is_refused_by_the_policy_even_if_it_got_in(tmp_path):
    got_in = page(BASE).replace("</main>", "<script>document.title = 'owned'</script><img src='x.png'></main>")

    dom, console = opened(got_in, tmp_path)

    assert "<title>owned" not in dom
    assert len(re.findall("Content Security Policy", console)) >= 2, "the script and the picture"


def test_what_others_wrote_does_nothing_in_a_browser(tmp_path):
    dom, console = opened(page(everywhere(" ".join(text[:80] for text in HOSTILE))), tmp_path)

    assert console == ""
    assert "<img" not in dom
    assert dom.count("<script") == 1
