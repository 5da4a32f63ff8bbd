# SPDX-License-Identifier: BSD-2-Clause

"""Switches outlets of PDUs and PoE ports of switches over SNMP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import FleetError, InvalidInput, NotFound, NotVerified, Unsupported
from ..option import Options, Params, option
from ..ports import Clock, PowerAction, PowerDriver, PowerState
from . import mib, snmp
from .driver import Driver, place
from .mib import Mib
from .snmp import Snmp

OUTLET: Options = {**snmp.OPTIONS, **mib.OPTIONS}
"""How to reach an outlet, without its number. Options of the module ``pdu_outlet``, too."""


@dataclass(frozen=True)
class PduOptions:
    """One outlet: its number, from 1, or its name."""

    agent: Params = field(repr=False)  # has passwords
    outlet: str
    mib: Mib


def pdu_options(params: Params) -> PduOptions:
    """Check the options of one outlet: :data:`OUTLET` and ``outlet``.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    kind = mib.mib_of(params)
    outlet = str(params["outlet"]).strip()
    if not outlet or (outlet.lstrip("-").isdigit() and int(outlet) < 1):
        raise InvalidInput.of("outlet", f"{params['outlet']!r} is not an outlet: they count from 1")
    if not outlet.isdigit() and kind.name is None:
        raise InvalidInput.of(
            "outlet", f"{outlet!r} is not a number, and vendor: {params['vendor']} has no names of outlets"
        )
    return PduOptions(snmp.agent_of(params), outlet, kind)


class PduDriver:
    """A power driver of one outlet. It can only switch on and off; nobody asks the operating system.

    :raises MissingDependency: pysnmp is not installed (from the constructor).
    """

    name = "pdu"
    actions = frozenset({PowerAction.ON, PowerAction.OFF})
    reads_state = True

    def __init__(self, options: PduOptions) -> None:
        self._options = options
        self._snmp = Snmp(options.agent)
        self.host = options.agent["address"]
        self._number: Optional[int] = int(options.outlet) if options.outlet.isdigit() else None

    def power_state(self) -> PowerState:
        kind = self._options.mib
        value = self._switch(kind.state)
        return {kind.is_on: PowerState.ON, kind.is_off: PowerState.OFF}.get(value, PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        kind = self._options.mib
        values = {PowerAction.ON: kind.on, PowerAction.OFF: kind.off}
        if action not in values:
            raise Unsupported(
                f"{self.host}: an outlet can be switched on and off only, not {action.value}", action=action.value
            )
        self._switch(kind.switch, values[action])

    def close(self) -> None:
        """End the connection. Idempotent; the driver is of no use afterwards."""
        self._snmp.close()

    def outlet(self) -> int:
        """Give the number of the outlet; a name is looked up once.

        :raises NotFound: no outlet has the name. :raises InvalidInput: several have it.
        """
        if self._number is None:
            wanted = self._options.outlet
            names = self._snmp.column(str(self._options.mib.name))
            numbers = [number for number, name in names if name == wanted]
            if not numbers:
                known = ", ".join(sorted({name for _number, name in names if name})[:20])
                raise NotFound(
                    f"{self.host}: no outlet is called {wanted!r}; there are: {known or 'no names'}", outlet=wanted
                )
            if len(numbers) > 1:
                raise InvalidInput.of(
                    "outlet", f"{self.host}: {wanted!r} is the name of several outlets: {', '.join(map(str, numbers))}"
                )
            self._number = numbers[0]
        return self._number

    def _switch(self, oid: str, value: Optional[int] = None) -> int:
        oid = oid.replace("{outlet}", str(self.outlet()))
        try:
            return self._snmp.integer(oid, value)
        except NotFound:
            outlet = self._options.outlet
            raise NotFound(
                f"{self.host}: there is no outlet {outlet}, or this is not a PDU of that vendor ({oid})", outlet=outlet
            ) from None


class OutletGroup:
    """A power driver of a machine on several outlets, maybe of several PDUs.

    The machine is on when all are on, off when all are off, and UNKNOWN in between.

    :param delay: seconds between one outlet and the next, for the inrush.
    :param verify_timeout: seconds that each outlet has to show that it is off, before the next one is switched off.
    """

    name = "pdu"
    actions = PduDriver.actions
    reads_state = True

    def __init__(
        self, outlets: Sequence[PduDriver], clock: Clock, delay: float = 0.0, verify_timeout: float = 30.0
    ) -> None:
        self._outlets = outlets
        self._clock = clock
        self._delay = delay
        self._verify_timeout = verify_timeout

    def power_state(self) -> PowerState:
        found = {outlet.power_state() for outlet in self._outlets}
        return found.pop() if len(found) == 1 else PowerState.UNKNOWN

    def set_power(self, action: PowerAction) -> None:
        """Switch all of them. When one does not go off, those before it are switched on again; all are tried for
        switching on.

        :raises FleetError: of the first one that failed; ``details["outlet"]`` says which.
        """
        places = [(outlet.host, outlet.outlet()) for outlet in self._outlets]
        if len(set(places)) < len(places):
            raise InvalidInput.of("outlet", "the same outlet is named twice")
        failed: Optional[FleetError] = None
        for number, outlet in enumerate(self._outlets):
            if number and self._delay:
                self._clock.sleep(self._delay)
            try:
                outlet.set_power(action)
                if action is PowerAction.OFF:
                    self._see_off(outlet)
            except FleetError as error:
                error.details["outlet"] = outlet.outlet()
                failed = failed or error
                if action is PowerAction.OFF:
                    self._back_on(self._outlets[: number + 1], error)
                    break
        if failed is not None:
            raise failed

    def close(self) -> None:
        """End the connections. Idempotent."""
        for outlet in self._outlets:
            outlet.close()

    def _see_off(self, outlet: PduDriver) -> None:
        end = self._clock.monotonic() + self._verify_timeout
        while outlet.power_state() is not PowerState.OFF:
            if self._clock.monotonic() >= end:
                raise NotVerified(
                    f"{outlet.host}: the PDU accepted 'off', and outlet {outlet.outlet()} is not off after "
                    f"{self._verify_timeout:g} s"
                )
            self._clock.sleep(min(1.0, max(0.05, self._verify_timeout / 10)))

    @staticmethod
    def _back_on(outlets: Sequence[PduDriver], cause: FleetError) -> None:
        left_off = []
        for outlet in outlets:
            try:
                outlet.set_power(PowerAction.ON)
            except FleetError:
                left_off.append(f"{outlet.host} outlet {outlet.outlet()}")
        if left_off:
            cause.message = f"{cause.message}. SWITCHED OFF AND NOT BACK ON: {', '.join(left_off)}"
            cause.args = (cause.message,)
            cause.details["may_be_off"] = True


@dataclass(frozen=True)
class Outlets:
    """The outlets of one machine; see :class:`OutletGroup` for the times, in seconds."""

    outlets: tuple[PduOptions, ...]
    delay: float = 0.0
    verify_timeout: float = 30.0


def outlets_of(params: Params) -> Outlets:
    """Check the options ``pdu`` and ``outlet_delay``.

    :raises InvalidInput: as of :func:`pdu_options`; or the list is empty.
    """
    if not params["pdu"]:
        raise InvalidInput.of("pdu", "the list of outlets is empty")
    return Outlets(
        tuple(pdu_options(entry) for entry in params["pdu"]),
        float(params.get("outlet_delay") or 0.0),
        30.0 if params.get("verify_timeout") is None else float(params["verify_timeout"]),
    )


def open_outlets(asked: Outlets, clock: Clock) -> PowerDriver:
    """Make the driver of one outlet, or of the group of them."""
    drivers = [PduDriver(item) for item in asked.outlets]
    return drivers[0] if len(drivers) == 1 else OutletGroup(drivers, clock, asked.delay, asked.verify_timeout)


def controllers(params: Params) -> tuple[str, ...]:
    """Name the PDUs of the outlets, each once."""
    entries: Sequence[Any] = params["pdu"]
    return tuple(sorted({place("pdu", str(entry["address"]), entry.get("port"), 161) for entry in entries}))


DRIVER = Driver(
    name="pdu",
    order=10,
    options={
        "pdu": option(
            "list",
            """
                For the driver V(pdu), the outlets that feed the machine, one entry for each power supply, maybe of
                several PDUs.

                The machine is on when all of them are on, and off when all are off. If one can't be switched off, those
                before it are switched on again.
            """,
            elements="dict",
            options={
                **OUTLET,
                "outlet": option(
                    "str",
                    """
                        Number of the outlet, as printed on the PDU, or its name.

                        A name has to be that of exactly one outlet. V(poe) has no names, and V(generic) has them with
                        C(name_oid).
                    """,
                    required=True,
                ),
            },
        ),
        "outlet_delay": option("float", "Seconds between one outlet of O(pdu) and the next.", default=0),
    },
    check=outlets_of,
    open=open_outlets,
    controllers=controllers,
    requires="pysnmp >= 7 (for the driver C(pdu))",
)
