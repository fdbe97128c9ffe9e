"""A page of ours as PDF, by whatever Chromium is there. The page runs no script there and reaches no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandbox.base.errors import SandboxError

NAMED = "CHROMIUM"
_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_OF_PLAYWRIGHT = ("chromium-*/chrome-*/chrome", "chromium_headless_shell-*/chrome-*/*headless?shell",
                  "chromium-*/chrome-*/*.app/Contents/MacOS/*")  # fmt: skip
_PRINTED_S = 90.0  # wall seconds
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--no-pdf-header-footer",
    # Every name is unknown, and what needs no name goes to a proxy that is not there.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>",
)  # fmt: skip


# Beside the page's own policy, and both hold: no script at all, which the browser's own switch would end its printing by.
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'none'; "
    "base-uri 'none'; form-action 'none'\">"
)


def browser() -> Path:
    """Where one is: named by CHROMIUM, on PATH, or fetched by Playwright. Raises CFG-002 for none."""
    named = os.environ.get(NAMED)
    found = next(_candidates(named), None)
    if found is None:
        raise SandboxError(
            "CFG-002", where="PDF, browser", seen=named or "none on PATH, and none of Playwright's",
            expected="Chromium, or a browser made of it",
            fix=f"install it (Debian: apt-get install chromium), name one ({NAMED}=/path/to/chromium), "
            "or export HTML and print that",
        )  # fmt: skip
    return found


def pdf(html: str) -> bytes:
    """html: a whole page of ours, with a head, that needs nothing else. Raises CFG-002 without a browser, RUN-008 where it prints nothing."""
    program = browser()
    with tempfile.TemporaryDirectory(prefix="sandbox-pdf-", ignore_cleanup_errors=True) as place:
        page, printed = Path(place) / "page.html", Path(place) / "page.pdf"
        page.write_text(html.replace("<head>", f"<head>{_POLICY}", 1), encoding="utf-8")
        alone = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()  # it refuses to run as root
        command = [
            str(program), *_FLAGS, *alone, f"--user-data-dir={Path(place) / 'profile'}", f"--print-to-pdf={printed}",
            page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=_PRINTED_S, stdin=subprocess.DEVNULL)
            seen = f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}"
        except (OSError, subprocess.TimeoutExpired) as error:
            seen = str(error)[:300]
        made = printed.read_bytes() if printed.is_file() else b""
    if not made.startswith(b"%PDF-"):
        raise SandboxError(
            "RUN-008", where=f"PDF, {program.name}", seen=seen, expected="a page that is printed",
            fix=f"name another browser ({NAMED}=/path/to/chromium), or export HTML and print that",
        )  # fmt: skip
    return made


def _candidates(named: str | None) -> Iterator[Path]:
    if named is not None:
        if found := shutil.which(named):
            yield Path(found)
        return
    for name in _ON_PATH:
        if found := shutil.which(name):
            yield Path(found)
    cache = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"
    place = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or cache)
    for pattern in _OF_PLAYWRIGHT:
        yield from (path for path in sorted(place.glob(pattern), reverse=True) if os.access(path, os.X_OK))
