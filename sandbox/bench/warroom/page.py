"""The first page of a room: by HTTP with all its files, as a browser finds them; and by a browser, where there is one."""

from __future__ import annotations

import re
import shutil
import time

from sandbox.bench.warroom.wire import Http

_NAMED = re.compile(r"""(?:src|href)="(/static/[^"]+)"|from "\./([^"]+)"|import "\./([^"]+)\"""")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_BROWSER_MS = 30_000


async def fetched_ms(address: str, code: str) -> float:
    """Wall milliseconds until the page and everything that it names has come, one after the other over one connection.
    Raises ConnectionError."""
    http, began = Http(address), time.perf_counter()
    left, seen = [f"/r/{code}"], set[str]()
    while left:
        path = left.pop()
        seen.add(path)
        answer = await http.call("GET", path)
        if answer.status != 200:
            raise ConnectionError(f"{path}: {answer.status}")
        left += [name for name in named(answer.body.decode()) if name not in seen and name not in left]
    http.close()
    return (time.perf_counter() - began) * 1000


def named(text: str) -> list[str]:
    """Addresses of the files that a page or a script of ours needs, in order."""
    return [page or f"/static/{script or alone}" for page, script, alone in _NAMED.findall(text)]


def seen_ms(address: str, code: str, tries: int) -> list[float] | None:
    """Wall milliseconds from the request until the form to join can be filled in, in a fresh browser each time but for the
    browser's own start; None where there is no browser, or no playwright to drive it."""
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if executable is None:
        return None
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            for _ in range(tries):
                context = browser.new_context()  # with an empty cache
                page = context.new_page()
                page.set_default_timeout(_BROWSER_MS)
                began = time.perf_counter()
                page.goto(f"{address}/r/{code}")
                page.get_by_label("Your name").wait_for()
                found.append((time.perf_counter() - began) * 1000)
                context.close()
        finally:
            browser.close()
    return found
