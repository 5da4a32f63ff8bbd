# SPDX-License-Identifier: BSD-2-Clause

"""Names the controllers that a power action goes through, and finds machines that share a BMC by mistake.

Machines that share a controller are switched one after the other. Machines that share a BMC are not switched at all: to
power cycle one would power cycle the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from ..option import Options, Params, option
from .options import bmc_options
from .registry import DRIVERS

CONTROLLER_TIMEOUT = 900.0
"""Seconds that a power action waits for those before it on the same controller."""

OPTIONS: Options = {
    "controller": option(
        "str",
        """
            Name of what the machine shares with others and what must not switch two at a time, such as an enclosure
            manager, a relay board or a circuit.

            Power actions of this host with the same name wait for each other, in all forks, playbooks and runners.
            Without a name the BMC (V(redfish), V(ipmi)) or the PDUs (V(pdu)) that are used are what is shared, by their
            addresses.

            The locks are files in C(FLEET_LOCK_DIR), by default in C(/run/lock), or where that can't be written in the
            folder of temporary files.
        """,
    ),
    "controller_timeout": option(
        "float",
        """
            Seconds that a power action waits for those before it on the same controller. Then it fails with the code
            V(busy), and nothing was done.
        """,
        default=int(CONTROLLER_TIMEOUT),
    ),
}

_OF_BMC = [driver for driver in DRIVERS.values() if driver.needs_bmc]
_APART = ("address", *(name for driver in _OF_BMC for name in driver.apart))
_ADDRESSED = tuple(dict.fromkeys(("address", *(name for driver in _OF_BMC for name in driver.options))))
BMC_VARIABLES = tuple(f"bmc_{name}" for name in _ADDRESSED)
"""The inventory variables that :func:`machines_of_one_bmc` looks at."""


def controllers_of(driver: str, params: Params) -> tuple[str, ...]:
    """Name the controllers over which a driver acts; none where nobody else can be in the way.

    One BMC has one name over Redfish and over IPMI, as long as both are on their usual ports.

    :param params: the options that made the driver; ``controller`` is used instead of what they say.
    """
    given = str(params.get("controller") or "").strip()
    return (f"controller {given}",) if given else DRIVERS[driver].controllers(params)


def machines_of_one_bmc(machines: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Find the machines whose BMC is, by the inventory, that of others too; each with those others.

    One BMC may have several systems: then ``bmc_system`` tells them apart. It does not matter which drivers a machine
    has: an address that two machines have is a mistake of the inventory, and the next power cycle may go over the BMC.

    :param machines: inventory variables by machine; :data:`BMC_VARIABLES` are enough.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for machine, variables in machines.items():
        if variables.get("bmc_address"):
            found.setdefault(_bmc(variables), []).append(machine)
    return {
        machine: [other for other in sharing if other != machine]
        for sharing in found.values()
        if len(sharing) > 1
        for machine in sharing
    }


def _bmc(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells the BMC of a machine, or the machine behind it, from others. Without case and without usual ports."""
    params = {name: variables.get(f"bmc_{name}") for name in _ADDRESSED}
    try:
        options = bmc_options(params)
        values = [options.host, *(getattr(options, name, params[name]) for name in _APART[1:])]
    except (InvalidInput, TypeError, ValueError):  # a template that nobody has filled in, for example
        values = [params[name] for name in _APART]
    return tuple("" if value is None else str(value).lower() for value in values)
