# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium of the system, driven by Playwright, in the words of the page's tests."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic")
PATIENCE = 60.0  # seconds


def chromium() -> str | None:
    """The path of the browser; None if it is missing."""
    return shutil.which("chromium")


class Browser:
    """One window. Selectors are CSS."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._protocol = page.context.new_cdp_session(page)
        self._complaints: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        self._complaints.append(f"{message.type}: {message.text}")

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the viewport, and which colours are preferred."""
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.emulate_media(color_scheme="dark" if dark else "light")

    def cdp(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol."""
        return self._protocol.send(command, parameters)

    def go(self, url: str) -> None:
        self._page.goto(url)

    @property
    def url(self) -> str:
        return self._page.url

    def script(self, text: str, *arguments: Any) -> Any:
        """What the body of a function returns."""
        return self._page.evaluate(f"(given) => (function () {{ {text} }}).apply(null, given)", list(arguments))

    def click(self, selector: str) -> None:
        """Click what leads to another page, and wait for that."""
        with self._page.expect_navigation():
            self._page.click(selector)

    def write(self, selector: str, text: str) -> None:
        self._page.fill(selector, text)

    def press(self, *keys: str) -> None:
        """Keys, one after the other, wherever the focus is: a name as Tab, or a character."""
        for key in keys:
            self._page.keyboard.press(key)

    def texts(self, selector: str) -> list[str]:
        """What people read in the elements."""
        return [text.strip() for text in self._page.locator(selector).all_inner_texts()]

    def text(self, selector: str = "main") -> str:
        return "\n".join(self.texts(selector))

    def focused(self) -> str:
        """What has the focus: its label or text."""
        found: str = self.script(
            "const item = document.activeElement;"
            " return item.getAttribute('aria-label') || item.innerText || item.name || ''"
        )
        return found.strip()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something that happens by itself."""
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(Error):  # of a page that is left while it is looked at
                if condition():
                    return
            assert time.monotonic() < end, f"{what} did not happen: {self.url}\n{self.text('body')[:2000]}"
            self._page.wait_for_timeout(50)

    def complaints(self) -> list[str]:
        """What the console got since the last call."""
        said, self._complaints = self._complaints, []
        return said


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a new profile; it is gone afterwards with all its processes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield Browser(browser.new_page())
        finally:
            browser.close()
