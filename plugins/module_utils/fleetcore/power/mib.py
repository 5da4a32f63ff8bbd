# SPDX-License-Identifier: BSD-2-Clause

"""Knows how PDUs show and switch an outlet over SNMP: what a vendor's MIB calls on and off is data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ..errors import InvalidInput
from ..option import Options, Params, option


@dataclass(frozen=True)
class Mib:
    """How a PDU shows and switches an outlet. ``{outlet}`` in an OID stands for the outlet's number.

    :ivar switch: OID to write; ``on`` and ``off``: the integers for it.
    :ivar state: OID to read, ``is_on`` and ``is_off``: what it says.
    :ivar name: OID of the outlet's name without its number, where outlets have names.
    """

    switch: str
    on: int
    off: int
    state: str
    is_on: int
    is_off: int
    name: Optional[str] = None


_APC = "1.3.6.1.4.1.318.1.1.12.3.3.1.1"
_RARITAN = "1.3.6.1.4.1.13742.6"
_POE = "1.3.6.1.2.1.105.1.1.1"
MIBS = {
    # PowerNet-MIB, rPDUOutletControlOutletCommand, whose value when read is the state, and rPDUOutletControlOutletName.
    "apc": Mib(f"{_APC}.4.{{outlet}}", 1, 2, f"{_APC}.4.{{outlet}}", 1, 2, f"{_APC}.2"),
    # PDU2-MIB, switchingOperation, outletSwitchingState and outletName of the first PDU.
    "raritan": Mib(
        f"{_RARITAN}.4.1.2.1.2.1.{{outlet}}",
        1,
        0,
        f"{_RARITAN}.4.1.2.1.3.1.{{outlet}}",
        7,
        8,
        f"{_RARITAN}.3.5.3.1.3.1",
    ),
    # POWER-ETHERNET-MIB (RFC 3621) of the switch's first group: pethPsePortAdminEnable; pethPsePortDetectionStatus says
    # deliveringPower or disabled.
    "poe": Mib(f"{_POE}.3.1.{{outlet}}", 1, 2, f"{_POE}.6.1.{{outlet}}", 3, 1),
}

OPTIONS: Options = {
    "vendor": option(
        "str",
        """
            V(apc) is the PowerNet-MIB of APC and V(raritan) the PDU2-MIB of Raritan.

            V(poe) is the POWER-ETHERNET-MIB of RFC 3621, that is a switch with Power over Ethernet. The outlet is the
            port's number in group 1.

            V(generic) is any other one, described by C(oid), C(on_value) and C(off_value).
        """,
        choices=[*MIBS, "generic"],
        default="apc",
    ),
    "oid": option(
        "str",
        """
            With V(generic), the OID to write, in numbers. C({outlet}) in it stands for the number of the outlet.
        """,
    ),
    "on_value": option("int", "With V(generic), the integer that switches on."),
    "off_value": option("int", "With V(generic), the integer that switches off."),
    "state_oid": option("str", "With V(generic), the OID that shows the state. Default is C(oid)."),
    "state_on_value": option("int", "With V(generic), what C(state_oid) shows for on. Default is C(on_value)."),
    "state_off_value": option("int", "With V(generic), what C(state_oid) shows for off. Default is C(off_value)."),
    "name_oid": option(
        "str",
        """
            With V(generic), the OID of the names of outlets, without the outlet's number at its end. Needed for an
            outlet that is given by name.
        """,
    ),
}
"""Which MIB an outlet has."""


def mib_of(params: Params) -> Mib:
    """Give the MIB that the options of an outlet name or describe.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    if params["vendor"] in MIBS:
        return MIBS[params["vendor"]]
    for name in ("oid", "on_value", "off_value"):
        if params.get(name) is None:
            raise InvalidInput.of(name, "needed for vendor: generic")
    for name in ("oid", "state_oid", "name_oid"):
        value = params.get(name)
        if value is not None and not all(part.isdigit() or part == "{outlet}" for part in value.strip(".").split(".")):
            raise InvalidInput.of(name, f"{value!r} is not an OID in numbers, in which {{outlet}} may stand")
    on, off = int(params["on_value"]), int(params["off_value"])
    state_on, state_off = params.get("state_on_value"), params.get("state_off_value")
    return Mib(
        params["oid"].strip("."),
        on,
        off,
        (params.get("state_oid") or params["oid"]).strip("."),
        on if state_on is None else int(state_on),
        off if state_off is None else int(state_off),
        params["name_oid"].strip(".") if params.get("name_oid") else None,
    )
