# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The light by which a technician finds the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import Unsupported
from ..redfish.actions import allowable, spelt
from ..redfish.service import Service
from ..redfish.values import at, links
from .base import Change, Ipmi, carry_out, read_back, seconds

STATES = ("on", "off")
_WORDS = {"lit": "on", "blinking": "on", "off": "off"}


def prepare_redfish(service: Service, params: Mapping[str, Any]) -> Change:
    """The light of the system, or of its chassis when the system has none."""
    for path in _places(service):
        body = service.get(path)
        if read_redfish(body) is not None:
            return _light_of(service, params, path, body)
    raise Unsupported(f"{service.host}: the BMC shows no identify light")


def _light_of(service: Service, params: Mapping[str, Any], path: str, body: Mapping[str, Any]) -> Change:
    ways = redfish_ways(body, params["state"])

    def write() -> None:
        for payload in ways[:-1]:
            with contextlib.suppress(Unsupported):
                service.patch(path, payload)
                return
        service.patch(path, ways[-1])

    return _change(service, params, read_redfish(body), write, lambda: read_redfish(service.get(path)))


def _places(service: Service) -> list[str]:
    path, system = service.system()
    return [path, *links(at(system, "Links.Chassis"), path)]


def read_redfish(body: Mapping[str, Any]) -> Optional[str]:
    """``on``, ``off``, or None if the resource has no light. The newer property first."""
    active = body.get("LocationIndicatorActive")
    if isinstance(active, bool):
        return "on" if active else "off"
    return _WORDS.get(str(body.get("IndicatorLED")).lower())


def redfish_ways(body: Mapping[str, Any], state: str) -> list[dict[str, Any]]:
    """What can be written for it, best first. Some BMCs can only blink, and do not say so."""
    if isinstance(body.get("LocationIndicatorActive"), bool):
        return [{"LocationIndicatorActive": state == "on"}]
    values = allowable(body, "IndicatorLED")
    words = ("Lit", "Blinking") if state == "on" else ("Off",)
    found = [spelt((word,), values) for word in words]
    return [{"IndicatorLED": word} for word in found if word is not None] or [{"IndicatorLED": words[0]}]


def prepare_ipmi(driver: Ipmi, params: Mapping[str, Any]) -> Change:
    """Chassis Identify (IPMI 2.0, section 28.5). BMCs need not be able to tell the light's state; then it is set each time."""
    state = params["state"]

    def write() -> None:
        driver.raw(netfn=0, command=4, data=[0, 1] if state == "on" else [0, 0])

    return _change(driver, params, read_ipmi(driver), write, lambda: read_ipmi(driver))


def read_ipmi(driver: Ipmi) -> Optional[str]:
    """From Get Chassis Status (section 28.2); None when the BMC does not say."""
    data = driver.raw(netfn=0, command=1)
    if len(data) < 3 or not data[2] & 0x40:
        return None
    return "on" if data[2] >> 4 & 3 else "off"


def _change(
    connection: Any,
    params: Mapping[str, Any],
    have: Optional[str],
    write: Callable[[], None],
    read: Callable[[], Optional[str]],
) -> Change:
    want = params["state"]

    def facts(after: Optional[str], verified: bool) -> Mapping[str, Any]:
        return {"led": {"driver": connection.name, "before": have, "after": after, "verified": verified}}

    def apply() -> Mapping[str, Any]:
        if have is None:
            write()
            return facts(want, False)
        timeout = seconds(params, "verify_timeout")
        found = carry_out(
            write, lambda: read_back(connection.clock, read, lambda found: found == want, "the light", timeout=timeout)
        )
        return facts(found, True)

    return Change({"led": have}, {"led": want}, apply, facts(want, have == want))
