# SPDX-License-Identifier: BSD-2-Clause

"""Switches over IPMI: chassis control (IPMI 2.0, section 28)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Optional

from ..errors import BadResponse, Busy, InvalidInput, PermissionDenied, Unsupported
from ..option import Params, option
from ..ports import BMC_ACTIONS, Clock, PowerAction, PowerState
from .driver import Driver, place
from .expected import Expected, check_machine
from .options import BmcOptions, bmc_options

if TYPE_CHECKING:
    from ..ipmi.capture import Transcript
    from ..ipmi.session import Session

# pyghmi costs 0.2 s of CPU to import, and every module imports this file.
# ruff: noqa: PLC0415

# Chassis Control (table 28-4).
_CONTROL = {
    PowerAction.OFF: 0,
    PowerAction.ON: 1,
    PowerAction.RESET: 3,
    PowerAction.NMI: 4,
    PowerAction.SHUTDOWN: 5,
}


def open_session(options: BmcOptions, clock: Clock, record: Optional[Transcript] = None) -> Session:
    """Make a session over IPMI. It logs in at the first command, and then looks whether the machine is the expected
    one.

    :param record: takes down every command.
    :raises MissingDependency: pyghmi is not installed.
    :raises InvalidInput: a system is named.
    """
    from ..ipmi.session import Session

    refuse_system(options.system)
    expected = options.expected
    return Session(
        options.host,
        clock,
        port=options.ipmi_port,
        username=options.username,
        password=options.password,
        record=record,
        on_login=(lambda session: _check_machine(session, expected)) if expected else None,
    )


def refuse_system(system: Optional[str]) -> None:
    """Refuse to choose a system.

    :raises InvalidInput: one is named.
    """
    if system is not None:
        raise InvalidInput.of(
            "system", "IPMI can't choose among several systems: leave out `system`, or use the redfish driver"
        )


def _check_machine(session: Session, expected: Expected) -> None:
    """Compare what the BMC says of the machine. What can't be read is not known."""
    from ..ipmi.collector import read_unit, read_uuid
    from ..ipmi.fru import Fru

    fru, uuid = Fru(), None
    unknown = (BadResponse, Busy, PermissionDenied, Unsupported)
    with contextlib.suppress(*unknown):
        fru = read_unit(session, 0) or fru
    with contextlib.suppress(*unknown):
        uuid = read_uuid(session)
    check_machine(session.host, expected, [fru.serial, fru.chassis_serial, fru.board_serial], uuid)


class IpmiDriver:
    """A power driver over one session.

    :raises MissingDependency: pyghmi is not installed (from the constructor).
    """

    name = "ipmi"
    actions = BMC_ACTIONS
    reads_state = True

    def __init__(self, options: BmcOptions, clock: Clock) -> None:
        self._session = open_session(options, clock)

    def power_state(self) -> PowerState:
        data = self._session.raw(netfn=0, command=1)  # Get Chassis Status
        return PowerState.ON if data and data[0] & 1 else PowerState.OFF

    def set_power(self, action: PowerAction) -> None:
        self._session.raw(netfn=0, command=2, data=[_CONTROL[action]])  # Chassis Control

    def close(self) -> None:
        """Log out. Idempotent."""
        self._session.close()


def _controllers(params: Params) -> tuple[str, ...]:
    options = bmc_options(params)
    return (place("bmc", options.host, options.ipmi_port, 623),)


DRIVER = Driver(
    name="ipmi",
    order=20,
    options={"ipmi_port": option("int", "UDP port of IPMI over LAN.", default=623)},
    check=bmc_options,
    open=IpmiDriver,
    controllers=_controllers,
    needs_bmc=True,
    apart=("ipmi_port",),
    requires="pyghmi (for IPMI)",
)
