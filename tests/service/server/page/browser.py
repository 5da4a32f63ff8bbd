# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven by chromedriver: as much of W3C WebDriver as the page's tests need, over plain HTTP."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
)
PATIENCE = 60.0  # seconds
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Space": " "}
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def programs() -> tuple[str, str] | None:
    """Paths of chromium and chromedriver; None if one is missing."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window. Selectors are CSS."""

    def __init__(self, driver: str, chromium: str, profile: Path) -> None:
        self._root = driver
        options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._root + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{method} {path}: {json.load(exc)['value']['message']}") from None

    def _do(self, method: str, path: str, body: Any = None) -> Any:
        return self._call(method, self._session + path, body)

    def close(self) -> None:
        self._do("DELETE", "")

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the viewport, and which colours are preferred."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", {"features": [scheme]})

    def cdp(self, command: str, parameters: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def go(self, url: str) -> None:
        self._do("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        found: str = self._do("GET", "/url")
        return found

    @property
    def title(self) -> str:
        found: str = self._do("GET", "/title")
        return found

    def script(self, text: str, *arguments: Any) -> Any:
        """What the body of a function returns."""
        return self._do("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def _find(self, selector: str) -> str:
        return str(self._do("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT])

    def click(self, selector: str) -> None:
        self._do("POST", f"/element/{self._find(selector)}/click")

    def write(self, selector: str, text: str) -> None:
        self._do("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Keys, one after the other, wherever the focus is; a name of ``KEYS`` or a character."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def texts(self, selector: str) -> list[str]:
        """What people read in the elements."""
        found: list[str] = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((item) => item.innerText.trim())", selector
        )
        return found

    def text(self, selector: str = "main") -> str:
        return "\n".join(self.texts(selector))

    def focused(self) -> str:
        """What has the focus: its label or text."""
        found: str = self.script(
            "const item = document.activeElement;"
            " return item.getAttribute('aria-label') || item.innerText || item.name || ''"
        )
        return found.strip()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something that happens by itself."""
        end = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < end, f"{what} did not happen: {self.url}\n{self.text('body')[:2000]}"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the console got since the last call."""
        return [entry["message"] for entry in self._do("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path: Path, full: bool = True) -> None:
        """A PNG of the page."""
        answer = self.cdp("Page.captureScreenshot", {"captureBeyondViewport": full})
        path.write_bytes(base64.b64decode(answer["data"]))


@contextlib.contextmanager
def browsing(directory: Path) -> Iterator[Browser]:
    """A browser with a new profile in ``directory``; it is gone afterwards with all its processes."""
    found = programs()
    assert found
    chromium, driver = found
    log = directory / "chromedriver.log"
    with log.open("w") as stream:
        process = subprocess.Popen([driver, "--port=0"], stdout=stream, stderr=stream, start_new_session=True)
    try:
        browser = Browser(f"http://127.0.0.1:{_port(process, log)}", chromium, directory / "profile")
        try:
            yield browser
        finally:
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        words: Sequence[str] = log.read_text().split()
        if "port" in words and "successfully" in words:
            last = [word for word, before in zip(words[1:], words, strict=False) if before == "port"][-1]
            return int(last.rstrip("."))
        time.sleep(0.05)
    raise AssertionError(f"chromedriver did not start:\n{log.read_text()}")
