# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: what a person on call does, by mouse, by keyboard, on a phone, without scripts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import Browser, browsing, chromium

from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.machines import holds
from fleetd.server.machines.model import ControllerState
from fleetd.server.powercycles.model import CycleState

STOP_SOON = {"FLEETD_SERVER__SHUTDOWN_SECONDS": "1"}  # streams of updates do not end by themselves
RACK = [f"r1-n{number:02d}" for number in range(1, 31)]


@dataclass
class Fleet:
    """A server process, tokens of its scopes, and the services on its database."""

    url: str
    tokens: dict[str, str]
    services: Services


def _fill(services: Services) -> None:
    now = datetime.now(UTC)
    for number, name in enumerate(RACK):
        services.machines.create(name, {"site": "ams", "rack": "r1", "position": f"U{number}"})
        services.machines.describe(
            name,
            lambda said, _now: replace(said, last_updated=now, powercycle_state=ControllerState.AVAILABLE),
        )
        document = {"vendor": "ACME", "model": "Model 1 with a rather long name", "serial": f"S{number}" * 8}
        services.devices.publish(name, "oob", document)
    drive = {"slot": "Bay 1 of a shelf with a long name", "serial": "DRIVE-0001", "model": "PM9A3"}
    services.devices.publish("r1-n04", "oob", {"serial": "S3" * 8, "drives": [drive]})
    neighbor = {"system_name": "switch-with-a-long-name.example.net", "port_id": "Ethernet1/7"}
    nic = {"id": "eth0", "nic_ports": [{"id": "eth0", "macaddress": "aa:bb:cc:00:00:05", "neighbor": neighbor}]}
    coverage = {"memory": {"verdict": "timeout", "reason": "no answer in 30 s"}}
    services.devices.publish("r1-n05", "oob", {"serial": "S4" * 8, "drives": [drive], "coverage": coverage})
    services.devices.publish("r1-n05", "inband", {"serial": "ANOTHER" * 4, "nics": [nic]})
    services.machines.describe("r1-n07", holds.set_quarantine("wrong DIMM", "bea"))
    services.machines.describe("r1-n08", lambda said, at: replace(said, last_updated=at - timedelta(hours=3)))
    asked, _new = services.powercycles.request("r1-n20", "carl", "hung")
    for _attempt in range(3):
        services.powercycles.report(asked.id, CycleState.OFF)
        services.powercycles.report(asked.id, CycleState.FAILED, "the outlet does not answer")
        services.powercycles._store.update(asked.id, lambda request: replace(request, not_before=None))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, serve_fleetd: Any) -> Iterator[Fleet]:
    directory = tmp_path_factory.mktemp("fleet")
    url = f"sqlite:///{directory / 'fleetd.db'}"
    store = Transactions(make_engine(url))
    migrate.upgrade(store.engine)
    services = Services(CAPABILITIES, store, lambda: datetime.now(UTC))
    _fill(services)
    tokens = {scope.value: services.tokens.create(scope.value, scope)[1] for scope in (Scope.VIEWER, Scope.OPERATOR)}
    with (
        contextlib.closing(store),
        serve_fleetd(directory, FLEETD_DATABASE__URL=url, **STOP_SOON) as (address, _process),
    ):
        yield Fleet(address, tokens, services)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    if chromium() is None:
        reason = "no chromium: apt-get install chromium"
        if os.environ.get("FLEET_REQUIRE_E2E") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with browsing() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser, fleet: Fleet) -> Iterator[Browser]:
    """Logged in as an operator, at the fleet; afterwards the console has nothing to complain about."""
    enter(window, fleet, "operator")
    yield window
    assert window.complaints() == []


def enter(window: Browser, fleet: Fleet, scope: str) -> None:
    window.resize(1280, 900)
    window.go(f"{fleet.url}/login")
    window.cdp("Network.clearBrowserCookies", {})
    window.write("input[name=token]", fleet.tokens[scope])
    window.press("Enter")
    window.until(lambda: "Log out" in window.text("header"), "the login")
    window.complaints()


def names(browser: Browser) -> list[str]:
    return browser.texts(".fleet tbody th a")


def newest(fleet: Fleet, machine: str) -> Any:
    return fleet.services.machines.get(machine).powercycle


def test_three_clicks_from_the_fleet_to_a_power_cycle(browser: Browser, fleet: Fleet) -> None:
    browser.click('a[href="/?show=cycle_failed"]')  # 1: what is broken
    assert names(browser) == ["r1-n20"]
    assert "the outlet does not answer" in browser.text()  # why
    browser.click('a[aria-label="Power cycle r1-n20"]')  # 2
    assert browser.text("h1") == "Power cycle r1-n20?"
    assert "ams · r1 · U19" in browser.text(".identity")
    assert not newest(fleet, "r1-n20").open
    browser.click("button.danger")  # 3
    browser.until(lambda: "The power cycle is requested" in browser.text(), "the request")
    assert newest(fleet, "r1-n20").open
    fleet.services.powercycles.report(newest(fleet, "r1-n20").id, CycleState.OFF, "", runner="runner-1")
    browser.until(lambda: "runner-1" in browser.text("#cycles"), "the runner's report on the page")
    fleet.services.powercycles.report(newest(fleet, "r1-n20").id, CycleState.VERIFIED, "on again", runner="runner-1")
    browser.until(lambda: "Nothing is wrong" in browser.text("#state"), "the end of the power cycle on the page")


def test_the_fleet_updates_itself_and_keeps_the_focus(browser: Browser, fleet: Fleet) -> None:
    browser.go(f"{fleet.url}/?sort=id&q=r1-n1")
    assert "Too hot" not in browser.text()
    focus = 'a[aria-label="Power cycle r1-n12"]'
    browser.script("document.querySelector(arguments[0]).focus()", focus)
    fleet.services.machines.describe("r1-n10", lambda said, _now: replace(said, recovering="Too hot."))
    browser.until(lambda: "Too hot." in browser.text("#fleet"), "the recovery in the table")
    browser.until(lambda: "1\nIn recovery" in browser.text("#summary"), "the recovery in the summary")
    assert browser.focused() == "Power cycle r1-n12"
    fleet.services.machines.describe("r1-n10", lambda said, _now: replace(said, recovering=""))
    browser.until(lambda: "Too hot." not in browser.text("#fleet"), "the end of the recovery")


def test_events_appear_by_themselves(browser: Browser, fleet: Fleet) -> None:
    browser.click('header a[href="/events"]')
    browser.until(lambda: browser.text("h1") == "Events", "the page of events")
    fleet.services.events.append([NewEvent("rack.door_opened", "r1-n04", "guard", "the front door")])
    browser.until(lambda: "the front door" in browser.text("#events"), "the event")


def test_filter_and_order_are_in_the_url_and_survive_a_reload(browser: Browser, fleet: Fleet) -> None:
    browser.write("#q", "r1-n0")
    browser.script("document.querySelector('select[name=sort]').value = 'id'")
    browser.press("Enter")
    browser.until(lambda: "q=r1-n0" in browser.url, "the filter in the URL")
    assert names(browser) == RACK[:9]
    browser.click("thead th:first-child a")
    browser.until(lambda: "sort=-id" in browser.url, "the order in the URL")
    address = browser.url
    browser.go(f"{fleet.url}/machine/r1-n01")
    browser.go(address)
    assert names(browser) == RACK[8::-1]
    assert browser.script("return document.getElementById('q').value") == "r1-n0"


def test_all_by_keyboard(browser: Browser, fleet: Fleet) -> None:
    browser.go(fleet.url)
    browser.press("Tab")
    assert browser.focused() == "Skip to content"
    browser.press("/")
    browser.press(*"r1-n25", "Enter")
    browser.until(lambda: names(browser) == ["r1-n25"], "the search")
    for _ in range(60):
        browser.press("Tab")
        visible = "return getComputedStyle(document.activeElement).outlineStyle"
        assert browser.script(visible) != "none", f"the focus on {browser.focused()!r} can't be seen"
        if browser.focused() == "Power cycle r1-n25":
            break
    browser.press("Enter")
    browser.until(lambda: browser.text("h1") == "Power cycle r1-n25?", "the question")
    browser.press(*"hung", "Enter")  # the reason has the focus
    browser.until(lambda: "The power cycle is requested" in browser.text(), "the request")
    assert newest(fleet, "r1-n25").reason == "hung"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_page_fits_and_can_be_read(browser: Browser, fleet: Fleet, width: int, dark: bool) -> None:
    for path in (
        "/",
        "/?show=trouble",
        "/?q=nothing-has-this-name",
        "/machine/r1-n07",
        "/machine/r1-n20",
        "/machine/r1-n05",
        "/events",
        "/events?machine=nope",
        "/parts?serial=DRIVE-0001",
        "/actions/powercycle?machine=r1-n07",
        "/actions/delete?machine=r1-n07",
    ):
        browser.resize(width, 900, dark)
        browser.go(fleet.url + path)
        assert browser.script("return document.documentElement.scrollWidth") <= width, path
        assert browser.script(_CONTRAST) == [], path
        assert browser.script(_UNNAMED) == [], path


# Texts whose contrast with what is behind them is below 4.5 (WCAG AA).
_CONTRAST = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (item) => {
  for (let at = item; at; at = at.parentElement) {
    const found = channels(getComputedStyle(at).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const found = new Set();
for (const item of document.body.querySelectorAll('*')) {
  const words = [...item.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
  if (!words.length || !item.checkVisibility()) continue;
  const style = getComputedStyle(item);
  const [a, b] = [light(channels(style.color)), light(behind(item))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5)
    found.add(`${item.tagName} ${item.className} ${style.color} on ${behind(item)}: ${ratio.toFixed(2)}`);
}
return [...found];
"""
# What can be used and has no name for those who can't see it; and ids that are there twice.
_UNNAMED = """
const found = [];
for (const item of document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')) {
  const label = item.labels && item.labels[0] && item.labels[0].innerText;
  const name = item.getAttribute('aria-label') || item.innerText || label;
  if (!name || !name.trim()) found.push(item.outerHTML.slice(0, 200));
}
const ids = [...document.querySelectorAll('[id]')].map((item) => item.id);
return found.concat(ids.filter((id, index) => ids.indexOf(id) !== index));
"""


def test_viewers_see_no_buttons_and_are_told_why(window: Browser, fleet: Fleet) -> None:
    enter(window, fleet, "viewer")
    assert window.texts('a[href^="/actions/"]') == []
    window.go(f"{fleet.url}/machine/r1-n07")
    assert window.texts('a[href^="/actions/"]') == []
    assert "acting needs a token of scope operator" in window.text()
    window.go(f"{fleet.url}/actions/powercycle?machine=r1-n07")
    assert "You may not do this" in window.text()
    assert "Log out" in window.text("header")


def test_without_scripts(browser: Browser, fleet: Fleet) -> None:
    browser.cdp("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.go(f"{fleet.url}/?q=r1-n15")
        browser.click('a[aria-label="Power cycle r1-n15"]')
        browser.write("input[name=text]", "no scripts here")
        browser.click("button.danger")
        browser.until(lambda: "done=powercycle" in browser.url, "the request")
    finally:
        browser.cdp("Emulation.setScriptExecutionDisabled", {"value": False})
    assert newest(fleet, "r1-n15").reason == "no scripts here"


def test_nothing_comes_from_elsewhere(browser: Browser, fleet: Fleet) -> None:
    browser.go(f"{fleet.url}/machine/r1-n07")
    loaded = browser.script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert [name for name in loaded if not name.startswith(fleet.url)] == []


def test_a_server_that_is_gone_is_said(window: Browser, fleet: Fleet, tmp_path: Path, serve_fleetd: Any) -> None:
    url = str(fleet.services.tx.engine.url)
    with serve_fleetd(tmp_path, FLEETD_DATABASE__URL=url, **STOP_SOON) as (address, process):
        enter(window, replace(fleet, url=address), "viewer")
        window.until(lambda: window.script("return document.body.dataset.linked"), "the stream of updates")
        process.terminate()
        process.wait(60)
        window.until(lambda: "not up to date" in window.text("#link"), "the warning")
    window.go("about:blank")
    window.complaints()


def test_streams_of_updates_need_a_login(fleet: Fleet) -> None:
    assert httpx.get(f"{fleet.url}/live").status_code == 401
