"""Debian's chromium for the tests that need a real browser, and a wire that can be cut."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

HOW = "install it (Debian: apt-get install -y chromium), or name one: CHROMIUM=/path/to/chromium"


def chromium() -> str:
    """Where it is. A machine that can't have one skips; one that could fails, and says how to get it."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if shutil.which("apt-get") is None:
            pytest.skip(f"no chromium here, and no apt-get to install it with; {HOW}")
        pytest.fail(f"these tests need chromium: {HOW}", pytrace=False)
    return found


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and what went wrong in it: scripts that failed, dialogs that opened, requests to another server."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on(
            "request",
            lambda request: None if request.url.startswith((address, "data:")) else self.wrong.append(request.url),
        )


def joins(page: Page, address: str, code: str, name: str, role: str) -> None:
    page.goto(f"{address}/r/{code}")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Role").select_option(role)
    page.get_by_role("button", name="Join").click()
    page.locator(".room").wait_for()


def says(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


class Wire:
    """A port that passes on to a server, until it is cut; then what was open is closed, and nobody comes through."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to, self._open, self._is_cut = to, set[socket.socket](), threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._is_cut.set()
        for end in tuple(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut.clear()

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._is_cut.is_set():
                    near.close()
                    continue
                far = socket.create_connection(self._to)
                self._open |= {near, far}
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        with suppress(OSError):
            while data := a.recv(65_536):
                b.sendall(data)
        for end in (a, b):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open -= {a, b}
