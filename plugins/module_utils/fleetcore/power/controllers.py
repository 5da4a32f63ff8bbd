# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which controllers a power action goes through. Machines that share one are switched one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .options import DRIVERS, bmc_options

CONTROLLER_TIMEOUT = 900.0
"""Seconds that a power action waits for those before it on the same controller."""
_PORTS = {"redfish": 443, "ipmi": 623, "pdu": 161}


def controllers_of(driver: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the controllers over which a driver acts; empty where nobody else can be in the way.

    One BMC has one name over Redfish and over IPMI, as long as both are on their own ports.

    :param params: the options that made the driver; ``controller`` is used instead of what they say.
    """
    given = str(params.get("controller") or "").strip()
    if given:
        return (f"controller {given}",)
    if driver in DRIVERS:
        options = bmc_options(params)
        return (_name("bmc", driver, options.host, options.redfish_port if driver == "redfish" else options.ipmi_port),)
    if driver == "pdu":
        return outlet_controllers(params["pdu"])
    return ()


def outlet_controllers(entries: Any) -> tuple[str, ...]:
    """The PDUs of outlets, each once. ``entries``: options of the argspec piece ``OUTLET``."""
    return tuple(sorted({_name("pdu", "pdu", str(entry["address"]).strip(), entry.get("port")) for entry in entries}))


def _name(kind: str, driver: str, host: str, port: Optional[int]) -> str:
    return f"{kind} {host.lower()}" + ("" if port in (None, _PORTS[driver]) else f":{port}")
