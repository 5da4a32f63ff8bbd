# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power by switched outlets of PDUs, over SNMP with pysnmp. What a vendor's MIB calls on and off is data."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar

from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    NotFound,
    NotVerified,
    PermissionDenied,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ..ports import Clock, PowerAction, PowerDriver, PowerState

try:
    from pysnmp.hlapi.v3arch import asyncio as snmp
except ImportError:
    snmp = None


T = TypeVar("T")
_OUTLETS = 512


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
_AUTH = {"sha": "usmHMACSHAAuthProtocol", "sha256": "usmHMAC192SHA256AuthProtocol", "md5": "usmHMACMD5AuthProtocol"}
_PRIV = {"aes": "usmAesCfb128Protocol", "aes256": "usmAesCfb256Protocol", "des": "usmDESPrivProtocol"}


@dataclass(frozen=True)
class PduOptions:
    """:ivar outlet: number of the outlet, from 1, or its name. ``timeout`` in seconds per request, of which there are up to three."""

    host: str
    outlet: str
    mib: Mib
    port: int = 161
    version: str = "2c"
    community: str = field(default="", repr=False)
    username: Optional[str] = None
    context: str = ""
    auth_protocol: str = "sha"
    auth_password: Optional[str] = field(default=None, repr=False)
    priv_protocol: str = "aes"
    priv_password: Optional[str] = field(default=None, repr=False)
    timeout: float = 5.0


def pdu_options(params: Mapping[str, Any]) -> PduOptions:
    """The options of one outlet, checked.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    if not str(params["address"]).strip():
        raise InvalidInput("address: empty", field="address")
    mib = _mib(params)
    outlet = str(params["outlet"]).strip()
    if not outlet or (outlet.lstrip("-").isdigit() and int(outlet) < 1):
        raise InvalidInput(f"outlet: {params['outlet']!r} is not an outlet: they count from 1", field="outlet")
    if not outlet.isdigit() and mib.name is None:
        raise InvalidInput(
            f"outlet: {outlet!r} is not a number, and vendor: {params['vendor']} has no names of outlets",
            field="outlet",
        )
    if params["version"] == "3" and not params.get("username"):
        raise InvalidInput("username: SNMP version 3 needs one", field="username")
    if params["version"] != "3" and not params.get("community"):
        raise InvalidInput("community: SNMP before version 3 needs one", field="community")
    if params.get("priv_password") and not params.get("auth_password"):
        raise InvalidInput("auth_password: SNMP does not encrypt without authentication", field="auth_password")
    return PduOptions(
        host=str(params["address"]).strip(),
        outlet=outlet,
        mib=mib,
        port=int(params["port"]),
        version=params["version"],
        community=params.get("community") or "",
        username=params.get("username"),
        context=params.get("context") or "",
        auth_protocol=params["auth_protocol"],
        auth_password=params.get("auth_password"),
        priv_protocol=params["priv_protocol"],
        priv_password=params.get("priv_password"),
        timeout=float(params["timeout"]),
    )


def _mib(params: Mapping[str, Any]) -> Mib:
    if params["vendor"] in MIBS:
        return MIBS[params["vendor"]]
    for name in ("oid", "on_value", "off_value"):
        if params.get(name) is None:
            raise InvalidInput(f"{name}: needed for vendor: generic", field=name)
    for name in ("oid", "state_oid", "name_oid"):
        value = params.get(name)
        if value is not None and not all(part.isdigit() or part == "{outlet}" for part in value.strip(".").split(".")):
            raise InvalidInput(f"{name}: {value!r} is not an OID in numbers, in which {{outlet}} may stand", field=name)
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


class PduDriver:
    """:class:`fleetcore.ports.PowerDriver` of one outlet. It can only switch on and off; nobody asks the operating system.

    :raises MissingDependency: pysnmp is not installed (from the constructor).
    """

    name = "pdu"
    actions = frozenset({PowerAction.ON, PowerAction.OFF})
    reads_state = True

    def __init__(self, options: PduOptions, clock: Clock) -> None:
        if snmp is None:
            raise MissingDependency(
                "the Python package pysnmp is not installed where the module runs: pip install 'pysnmp>=7'",
                package="pysnmp",
            )
        self._options = options
        self.clock = clock
        self.host = options.host
        # Both are kept: to make an engine costs more than to ask.
        self._loop = asyncio.new_event_loop()
        self._engine: Any = None
        self._number: Optional[int] = int(options.outlet) if options.outlet.isdigit() else None

    def power_state(self) -> PowerState:
        mib = self._options.mib
        value = self._switch(mib.state, None)
        return {mib.is_on: PowerState.ON, mib.is_off: PowerState.OFF}.get(value, PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        mib = self._options.mib
        values = {PowerAction.ON: mib.on, PowerAction.OFF: mib.off}
        if action not in values:
            raise Unsupported(
                f"{self.host}: an outlet can be switched on and off only, not {action.value}", action=action.value
            )
        self._switch(mib.switch, values[action])

    def close(self) -> None:
        """Idempotent; the driver is of no use afterwards."""
        if not self._loop.is_closed():
            if self._engine is not None:
                self._engine.close_dispatcher()
            self._loop.close()

    def outlet(self) -> int:
        """The number of the outlet; a name is looked up once.

        :raises NotFound: no outlet has the name. :raises InvalidInput: several have it.
        """
        if self._number is None:
            wanted = self._options.outlet
            names = self._run(self._names(str(self._options.mib.name)))
            numbers = [number for number, name in names if name == wanted]
            if not numbers:
                known = ", ".join(sorted({name for _number, name in names if name})[:20])
                raise NotFound(
                    f"{self.host}: no outlet is called {wanted!r}; there are: {known or 'no names'}", outlet=wanted
                )
            if len(numbers) > 1:
                raise InvalidInput(
                    f"outlet: {self.host}: {wanted!r} is the name of several outlets: {', '.join(map(str, numbers))}",
                    field="outlet",
                )
            self._number = numbers[0]
        return self._number

    def _switch(self, oid: str, value: Optional[int]) -> int:
        oid = oid.replace("{outlet}", str(self.outlet()))
        return self._run(self._ask(oid, value))

    def _run(self, asked: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run_until_complete(asked)
        except FleetError:
            raise
        except OSError as error:
            raise Unreachable(f"{self.host}: SNMP: {error.strerror or error}", address=self.host) from error
        except Exception as error:  # pysnmp has errors of its own in many places
            words = str(error)[:200]
            if "timed out" in words.lower() or "resolv" in words.lower():
                raise Unreachable(f"{self.host}: SNMP: {words}", address=self.host) from error
            raise BadResponse(f"{self.host}: SNMP: {type(error).__name__}: {words}", address=self.host) from error

    async def _target(self) -> Any:
        options = self._options
        if self._engine is None:
            self._engine = snmp.SnmpEngine()
        return await snmp.UdpTransportTarget.create((options.host, options.port), timeout=options.timeout, retries=2)

    async def _names(self, column: str) -> list[tuple[int, str]]:
        """(number, name) of all outlets."""
        target, last = await self._target(), column
        found: list[tuple[int, str]] = []
        while len(found) < _OUTLETS:
            problem, status, _index, binds = await snmp.next_cmd(
                self._engine,
                self._login(),
                target,
                snmp.ContextData(contextName=self._options.context.encode()),
                snmp.ObjectType(snmp.ObjectIdentity(last)),
                lookupMib=False,
            )
            if problem:
                raise self._failure(str(problem))
            oid = (
                ""
                if status or not binds
                else str(binds[0][0].get_oid() if hasattr(binds[0][0], "get_oid") else binds[0][0])
            )
            if not oid.startswith(f"{column}.") or oid == last:
                break
            found.append((int(oid.rsplit(".", 1)[1]), bytes(binds[0][1]).decode("utf-8", "replace").strip()))
            last = oid
        return found

    async def _ask(self, oid: str, value: Optional[int]) -> int:
        target = await self._target()
        what = snmp.ObjectIdentity(oid)
        command = snmp.get_cmd if value is None else snmp.set_cmd
        bound = snmp.ObjectType(what) if value is None else snmp.ObjectType(what, snmp.Integer32(value))
        problem, status, _index, binds = await command(
            self._engine,
            self._login(),
            target,
            snmp.ContextData(contextName=self._options.context.encode()),
            bound,
            lookupMib=False,
        )
        if problem:
            raise self._failure(str(problem))
        if status:
            raise self._refusal(str(status.prettyPrint()), oid)
        found = binds[0][1]
        if type(found).__name__ in ("NoSuchObject", "NoSuchInstance", "EndOfMibView"):
            raise self._no_outlet(oid)
        return int(found)

    def _login(self) -> Any:
        options = self._options
        if options.version != "3":
            return snmp.CommunityData(options.community, mpModel=0 if options.version == "1" else 1)
        keys: dict[str, Any] = {}
        if options.auth_password:
            keys.update(authKey=options.auth_password, authProtocol=getattr(snmp, _AUTH[options.auth_protocol]))
        if options.priv_password:
            keys.update(privKey=options.priv_password, privProtocol=getattr(snmp, _PRIV[options.priv_protocol]))
        return snmp.UsmUserData(options.username, **keys)

    def _failure(self, words: str) -> FleetError:
        lower = words.lower()
        if "no snmp response" in lower or "timeout" in lower:
            return TimedOut(
                f"{self.host}: SNMP: no answer; a PDU does not answer a wrong community either", address=self.host
            )
        if any(
            word in lower
            for word in ("digest", "unknown user", "usm user", "unknownusername", "authorization", "decrypt")
        ):
            return AuthenticationFailed(f"{self.host}: SNMP: {words}", address=self.host)
        return BadResponse(f"{self.host}: SNMP: {words}", address=self.host)

    def _refusal(self, words: str, oid: str) -> FleetError:
        if words in ("noSuchName", "noCreation", "inconsistentName"):
            return self._no_outlet(oid)
        if words in ("noAccess", "authorizationError", "readOnly", "notWritable"):
            return PermissionDenied(f"{self.host}: SNMP: this login may not switch ({words})", address=self.host)
        if words in ("wrongValue", "wrongType", "badValue", "inconsistentValue"):
            return Unsupported(f"{self.host}: SNMP: the PDU does not take this value ({words})", address=self.host)
        return Busy(f"{self.host}: SNMP: {words}", address=self.host)

    def _no_outlet(self, oid: str) -> FleetError:
        return NotFound(
            f"{self.host}: there is no outlet {self._options.outlet}, or this is not a PDU of that vendor ({oid})",
            outlet=self._options.outlet,
        )


class OutletGroup:
    """:class:`fleetcore.ports.PowerDriver` of a machine on several outlets, maybe of several PDUs: it is on when all are on, off
    when all are off, and UNKNOWN in between.

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
        """All of them. When one does not go off, those before it are switched on again; all are tried for switching on.

        :raises FleetError: of the first one that failed; ``details["outlet"]`` says which.
        """
        places = [(outlet.host, outlet.outlet()) for outlet in self._outlets]
        if len(set(places)) < len(places):
            raise InvalidInput("outlet: the same outlet is named twice", field="outlet")
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


def outlets_driver(
    entries: Sequence[Mapping[str, Any]], clock: Clock, delay: float = 0.0, verify_timeout: float = 30.0
) -> PowerDriver:
    """The driver of one outlet, or of the group of them. Entries as :func:`pdu_options` takes them.

    :raises InvalidInput: as of that; or the list is empty.
    """
    if not entries:
        raise InvalidInput("pdu: the list of outlets is empty", field="pdu")
    options = [pdu_options(entry) for entry in entries]
    opened = [PduDriver(item, clock) for item in options]
    return opened[0] if len(opened) == 1 else OutletGroup(opened, clock, delay, verify_timeout)
