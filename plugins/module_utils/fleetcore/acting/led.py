# SPDX-License-Identifier: BSD-2-Clause

"""The light by which a technician finds the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Optional, Union

from ..errors import Unsupported
from ..ipmi.session import Session as Ipmi
from ..option import Options, option
from ..ports import Plan
from ..redfish.actions import allowable, spelt
from ..redfish.service import Service
from ..redfish.values import at, links
from .base import Change, Connection, reach

_WORDS = {"lit": "on", "blinking": "on", "off": "off"}


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for the light of the system, or of its chassis when the system has none."""
    return _plan(service, RedfishLight(service), params)


def plan_ipmi(ipmi: Ipmi, params: Mapping[str, Any]) -> Plan:
    """Plan for Chassis Identify. Where the BMC can't tell the light's state it is set each time."""
    return _plan(ipmi, IpmiLight(ipmi), params)


def _plan(connection: Connection, light: Union[RedfishLight, IpmiLight], params: Mapping[str, Any]) -> Plan:
    have, want = light.have, params["state"]

    def facts(after: Optional[str], verified: bool) -> Mapping[str, Any]:
        return {"led": {"driver": connection.name, "before": have, "after": after, "verified": verified}}

    def apply() -> Mapping[str, Any]:
        if have is None:
            light.write(want)
            return facts(want, False)
        found = reach(
            connection.clock, params, lambda: light.write(want), light.read, lambda found: found == want, "the light"
        )
        return facts(found, True)

    return Plan({"led": have}, {"led": want}, lambda: facts(want, have == want), apply)


class RedfishLight:
    """The light of a ComputerSystem or Chassis. ``have`` is how it was at first.

    :raises Unsupported: neither has one.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        path, system = service.system()
        for place in (path, *links(at(system, "Links.Chassis"), path)):
            self._path, self._body = place, system if place == path else service.get(place)
            self.have = redfish_state(self._body)
            if self.have is not None:
                return
        raise Unsupported(f"{service.host}: the BMC shows no identify light")

    def read(self) -> Optional[str]:
        return redfish_state(self._service.get(self._path))

    def write(self, state: str) -> None:
        ways = redfish_ways(self._body, state)
        for payload in ways[:-1]:
            with contextlib.suppress(Unsupported):
                self._service.patch(self._path, payload)
                return
        self._service.patch(self._path, ways[-1])


def redfish_state(body: Mapping[str, Any]) -> Optional[str]:
    """``on``, ``off``, or None if the resource has no light. The newer property first."""
    active = body.get("LocationIndicatorActive")
    if isinstance(active, bool):
        return "on" if active else "off"
    return _WORDS.get(str(body.get("IndicatorLED")).lower())


def redfish_ways(body: Mapping[str, Any], state: str) -> list[dict[str, Any]]:
    """What can be written for a state, best first. Some BMCs can only blink, and do not say so."""
    if isinstance(body.get("LocationIndicatorActive"), bool):
        return [{"LocationIndicatorActive": state == "on"}]
    values = allowable(body, "IndicatorLED")
    words = ("Lit", "Blinking") if state == "on" else ("Off",)
    found = [spelt((word,), values) for word in words]
    return [{"IndicatorLED": word} for word in found if word is not None] or [{"IndicatorLED": words[0]}]


class IpmiLight:
    """The light by Chassis Identify (IPMI 2.0, section 28.5): on, off, or None when the BMC can't tell."""

    def __init__(self, ipmi: Ipmi) -> None:
        self._ipmi = ipmi
        self.have = self.read()

    def read(self) -> Optional[str]:
        """From Get Chassis Status (section 28.2)."""
        data = self._ipmi.raw(netfn=0, command=1)
        if len(data) < 3 or not data[2] & 0x40:
            return None
        return "on" if data[2] >> 4 & 3 else "off"

    def write(self, state: str) -> None:
        self._ipmi.raw(netfn=0, command=4, data=[0, 1] if state == "on" else [0, 0])


OPTIONS: Options = {
    "state": option(
        "str", "Whether the light is on. Whether it then blinks is the machine's.", choices=["on", "off"], required=True
    ),
    "verify_timeout": option("float", "Seconds that the BMC has to show it.", default=30),
}

CHANGE = Change("identify light", OPTIONS, plan_redfish, plan_ipmi)
