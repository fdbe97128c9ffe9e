"""A page as PDF: by which browser, what is said where there is none, and that nothing in the page runs or reaches out."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.pdf import browser, pdf
from tests.browser import chromium

PRINTS = """#!/bin/sh
for word in "$@"; do case $word in --print-to-pdf=*) printf '%%PDF-1.4 %s' "$*" > "${word#*=}";; esac; done
"""


def program(place: Path, text: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    made = place / "chromium"
    made.write_text(text)
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return made


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/bin:/nowhere")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("sandbox.drill.debrief.pdf._ON_PATH", ("a-browser-of-these-tests",))
    return tmp_path


def test_where_there_is_no_browser_it_says_how_to_get_one(bare: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SandboxError, match="CFG-002") as refused:
        pdf("<html><head></head></html>")
    assert "apt-get install chromium" in refused.value.fix
    assert "HTML" in refused.value.fix

    monkeypatch.setenv("CHROMIUM", str(bare / "not-there"))
    with pytest.raises(SandboxError, match="not-there"):
        browser()


def test_the_one_that_was_named_is_taken_and_else_playwrights(bare: Path, monkeypatch: pytest.MonkeyPatch):
    fetched = program(bare / "none" / "chromium-1234" / "chrome-linux", PRINTS).rename(
        bare / "none" / "chromium-1234" / "chrome-linux" / "chrome"
    )
    assert browser() == fetched

    named = program(bare / "mine", PRINTS)
    monkeypatch.setenv("CHROMIUM", str(named))
    assert browser() == named


def test_it_is_told_to_reach_nobody(bare: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHROMIUM", str(program(bare / "mine", PRINTS)))

    told = pdf("<html><head></head><body>x</body></html>").decode()

    assert "--host-resolver-rules=MAP * ~NOTFOUND" in told
    assert "--proxy-server=http://127.0.0.1:9" in told
    assert "--headless" in told


def test_a_browser_that_prints_nothing_is_an_error_with_what_it_said(bare: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHROMIUM", str(program(bare / "mine", "#!/bin/sh\necho no display >&2\nexit 3\n")))

    with pytest.raises(SandboxError, match="RUN-008") as refused:
        pdf("<html><head></head></html>")
    assert "exit code 3: no display" in str(refused.value.seen)


@pytest.mark.slow
def test_in_a_real_browser_no_script_of_the_page_runs_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHROMIUM", chromium())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        at = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = pdf(
            f"<html><head></head><body><p>one page</p><script>document.write('<p>x</p>'.repeat(5000))</script>"
            f"<img src='{at}/a'><link rel=stylesheet href='{at}/b'><iframe src='{at}/c'></iframe>"
            f"<meta http-equiv=refresh content='0;url={at}/d'></body></html>"
        )
        with pytest.raises(TimeoutError):
            listening.accept()

    assert made.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", made)) == 1
