# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``bmc_scan``. Private to this collection."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .fleetcore.errors import InvalidInput
from .fleetcore.option import Options, option
from .fleetcore.ports import Plan
from .fleetcore.scan import ssdp, targets
from .fleetcore.scan.model import ScanOptions, Service, SsdpOptions
from .fleetcore.scan.scanner import scan

OPTIONS: Options = {
    "networks": option(
        "list",
        """
            What to scan. Networks, V(192.0.2.0/24), without their network and broadcast address; ranges,
            V(192.0.2.10-192.0.2.20) or V(192.0.2.10-20); addresses, of IPv4 and IPv6. Host names are not looked up.

            Nothing else is contacted. An empty list is an error.
        """,
        elements="str",
        required=True,
    ),
    "max_addresses": option(
        "int",
        """
            Most addresses that O(networks) may name. More is an error, before anything is sent. Raise it for larger
            networks.
        """,
        default=4096,
    ),
    "protocols": option(
        "list", "What to look for.", elements="str", choices=["redfish", "ipmi"], default=["redfish", "ipmi"]
    ),
    "redfish_ports": option("list", "TCP ports to try.", elements="int", default=[443]),
    "redfish_schemes": option(
        "list",
        "How to speak on each port, in this order until one works.",
        elements="str",
        choices=["https", "http"],
        default=["https"],
    ),
    "ipmi_ports": option("list", "UDP ports to try.", elements="int", default=[623]),
    "rate": option("float", "Most connections and datagrams per second, all protocols together.", default=100),
    "concurrency": option("int", "Most addresses and ports that are waited for at once.", default=256),
    "timeout": option("float", "Seconds to wait for each answer.", default=3),
    "attempts": option("int", "How often a datagram that got no answer is sent, within O(timeout).", default=2),
    "ssdp": option(
        "bool",
        """
            Search for Redfish services with SSDP, too. It finds those on unusual ports. Many BMCs have it switched off.

            Answers from outside of O(networks) are not contacted; RV(elsewhere) names their addresses.
        """,
        default=False,
    ),
    "ssdp_address": option(
        "str",
        """
            Where to send the search. Default is the multicast group of IPv4, V(239.255.255.250). For IPv6 it is
            V(ff02::c).

            The address of one host is possible too.
        """,
    ),
    "ssdp_port": option("int", "UDP port to send the search to.", default=1900),
    "ssdp_interface": option(
        "str",
        """
            Local address of the interface to search from, or for IPv6 the name of the interface. Default is what the
            system chooses.
        """,
    ),
    "ssdp_wait": option("float", "Seconds to wait for answers.", default=3),
}


def plan(params: Mapping[str, Any]) -> Plan:
    """Plan a scan. It changes nothing, but check mode sends nothing either: it says how much would be sent.

    :raises InvalidInput: networks, ports, or limits that can't be used.
    """
    options = scan_options(params)

    def preview() -> Mapping[str, Any]:
        return _result([], options, probes=0, seconds=0.0)

    def apply() -> Mapping[str, Any]:
        found = scan(options)
        more = {"silent": dict(found.silent), "elsewhere": found.elsewhere}
        return {**_result(found.services, options, found.probes, found.seconds), **more}

    return Plan({}, {}, preview, apply, always=True)


def scan_options(params: Mapping[str, Any]) -> ScanOptions:
    """Check the module's options.

    :raises InvalidInput: see :func:`plan`.
    """
    for name in ("rate", "timeout", "concurrency", "attempts", "max_addresses", "ssdp_wait"):
        if params[name] <= 0:
            raise InvalidInput.of(name, f"{params[name]:g} is not more than 0")
    if not params["protocols"]:
        raise InvalidInput.of("protocols", "the list is empty")
    redfish, ipmi = ("redfish" in params["protocols"], "ipmi" in params["protocols"])
    return ScanOptions(
        addresses=tuple(targets.expand(params["networks"], params["max_addresses"])),
        redfish_ports=_ports(params, "redfish_ports") if redfish else (),
        redfish_schemes=tuple(dict.fromkeys(params["redfish_schemes"])) or ("https",),
        ipmi_ports=_ports(params, "ipmi_ports") if ipmi else (),
        rate=params["rate"],
        concurrency=params["concurrency"],
        timeout=params["timeout"],
        attempts=params["attempts"],
        ssdp=_ssdp(params) if params["ssdp"] else None,
    )


def _ports(params: Mapping[str, Any], name: str) -> tuple[int, ...]:
    ports = tuple(dict.fromkeys(params[name]))
    if not ports:
        raise InvalidInput.of(name, "the list is empty; take the protocol out of `protocols` instead")
    for port in ports:
        _port(name, port)
    return ports


def _port(name: str, port: int) -> int:
    if not 0 < port < 65536:
        raise InvalidInput.of(name, f"{port} is not a port from 1 to 65535")
    return port


def _ssdp(params: Mapping[str, Any]) -> SsdpOptions:
    address = params["ssdp_address"] or ssdp.GROUPS[4]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise InvalidInput.of("ssdp_address", f"{address!r} is not an IP address") from None
    return SsdpOptions(address, _port("ssdp_port", params["ssdp_port"]), params["ssdp_interface"], params["ssdp_wait"])


def _result(services: list[Service], options: ScanOptions, probes: int, seconds: float) -> dict[str, Any]:
    return {
        "services": [service.to_dict() for service in services],
        "bmcs": bmcs(services),
        "addresses": len(options.addresses),
        "most_probes": options.most_probes(),
        "probes": probes,
        "seconds": seconds,
    }


def bmcs(services: Iterable[Service]) -> list[dict[str, Any]]:
    """One BMC for each Redfish service, with the IPMI service of its address, and one for each address with IPMI only.

    ``bmc`` has the shape of the option ``bmc`` of the module ``machine``; ``name`` is a name for who has no better
    one. Several Redfish services at one address are several BMCs, and then nobody can tell whose the IPMI service is:
    it is left out.
    """
    redfish: dict[str, list[Service]] = {}
    ipmi: dict[str, Service] = {}
    for service in services:
        if service.kind == "redfish":
            redfish.setdefault(service.address, []).append(service)
        else:
            ipmi.setdefault(service.address, service)
    found = []
    for address in dict.fromkeys([*redfish, *ipmi]):
        here = redfish.get(address, [])
        alone = len(here) < 2
        if not here:
            found.append(_bmc(address, None, ipmi[address], alone))
        found += [_bmc(address, service, ipmi.get(address) if alone else None, alone) for service in here]
    return found


def _bmc(address: str, redfish: Optional[Service], ipmi: Optional[Service], alone: bool) -> dict[str, Any]:
    bmc: dict[str, Any] = {"address": address, "drivers": []}
    name = "bmc-" + address.replace(".", "-").replace(":", "-").replace("%", "-")
    facts: Mapping[str, Any] = {}
    if redfish is not None:
        facts = redfish.facts
        bmc["drivers"].append("redfish")
        bmc.update(redfish_scheme=redfish.scheme, redfish_port=redfish.port)
        if "fingerprint" in facts:
            bmc["fingerprint"] = facts["fingerprint"]
        name += "" if alone else f"-{redfish.port}"
    if ipmi is not None:
        bmc["drivers"].append("ipmi")
        bmc["ipmi_port"] = ipmi.port
    known = {key: facts[key] for key in ("vendor", "product", "uuid") if key in facts}
    return {"name": name, "bmc": bmc, **known}
