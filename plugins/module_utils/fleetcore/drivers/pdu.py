# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power by a switched outlet of a PDU, over SNMP with pysnmp. What a vendor's MIB calls on and off is data."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    NotFound,
    PermissionDenied,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ..ports import Clock, PowerAction, PowerState

try:
    from pysnmp.hlapi.v3arch import asyncio as snmp
except ImportError:
    snmp = None


@dataclass(frozen=True)
class Mib:
    """How a PDU shows and switches an outlet. ``{outlet}`` in an OID stands for the outlet's number.

    :ivar switch: OID to write; ``on`` and ``off``: the integers for it.
    :ivar state: OID to read, ``is_on`` and ``is_off``: what it says.
    """

    switch: str
    on: int
    off: int
    state: str
    is_on: int
    is_off: int


MIBS = {
    # PowerNet-MIB, rPDUOutletControlOutletCommand: reading it gives the state.
    "apc": Mib("1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.{outlet}", 1, 2, "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.{outlet}", 1, 2),
    # PDU2-MIB, switchingOperation and outletSwitchingState of the first PDU.
    "raritan": Mib("1.3.6.1.4.1.13742.6.4.1.2.1.2.1.{outlet}", 1, 0, "1.3.6.1.4.1.13742.6.4.1.2.1.3.1.{outlet}", 7, 8),
}
_AUTH = {"sha": "usmHMACSHAAuthProtocol", "sha256": "usmHMAC192SHA256AuthProtocol", "md5": "usmHMACMD5AuthProtocol"}
_PRIV = {"aes": "usmAesCfb128Protocol", "aes256": "usmAesCfb256Protocol", "des": "usmDESPrivProtocol"}


@dataclass(frozen=True)
class PduOptions:
    """:ivar outlet: number of the outlet, from 1. ``timeout`` in seconds per request, of which there are up to three."""

    host: str
    outlet: int
    mib: Mib
    port: int = 161
    version: str = "2c"
    community: str = field(default="", repr=False)
    username: Optional[str] = None
    auth_protocol: str = "sha"
    auth_password: Optional[str] = field(default=None, repr=False)
    priv_protocol: str = "aes"
    priv_password: Optional[str] = field(default=None, repr=False)
    timeout: float = 5.0


def pdu_options(params: Mapping[str, Any]) -> PduOptions:
    """The options of ``pdu_outlet``, checked.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    if not str(params["address"]).strip():
        raise InvalidInput("address: empty", field="address")
    if int(params["outlet"]) < 1:
        raise InvalidInput(f"outlet: {params['outlet']} is not an outlet: they count from 1", field="outlet")
    if params["version"] == "3" and not params.get("username"):
        raise InvalidInput("username: SNMP version 3 needs one", field="username")
    if params["version"] != "3" and not params.get("community"):
        raise InvalidInput("community: SNMP before version 3 needs one", field="community")
    if params.get("priv_password") and not params.get("auth_password"):
        raise InvalidInput("auth_password: SNMP does not encrypt without authentication", field="auth_password")
    return PduOptions(
        host=str(params["address"]).strip(),
        outlet=int(params["outlet"]),
        mib=_mib(params),
        port=int(params["port"]),
        version=params["version"],
        community=params.get("community") or "",
        username=params.get("username"),
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
    for name in ("oid", "state_oid"):
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
    )


class PduDriver:
    """:class:`fleetcore.ports.PowerDriver` of one outlet. It can only switch on and off; nobody asks the operating system.

    :raises MissingDependency: pysnmp is not installed (from the constructor).
    """

    name = "pdu"

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

    def power_state(self) -> PowerState:
        mib = self._options.mib
        value = self._run(mib.state, None)
        return {mib.is_on: PowerState.ON, mib.is_off: PowerState.OFF}.get(value, PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        mib = self._options.mib
        values = {PowerAction.ON: mib.on, PowerAction.OFF: mib.off}
        if action not in values:
            raise Unsupported(
                f"{self.host}: an outlet can be switched on and off only, not {action.value}", action=action.value
            )
        self._run(mib.switch, values[action])

    def close(self) -> None:
        """Idempotent; the driver is of no use afterwards."""
        if not self._loop.is_closed():
            if self._engine is not None:
                self._engine.close_dispatcher()
            self._loop.close()

    def _run(self, oid: str, value: Optional[int]) -> int:
        oid = oid.replace("{outlet}", str(self._options.outlet))
        try:
            return self._loop.run_until_complete(self._ask(oid, value))
        except FleetError:
            raise
        except OSError as error:
            raise Unreachable(f"{self.host}: SNMP: {error.strerror or error}", address=self.host) from error
        except Exception as error:  # pysnmp has errors of its own in many places
            words = str(error)[:200]
            if "timed out" in words.lower() or "resolv" in words.lower():
                raise Unreachable(f"{self.host}: SNMP: {words}", address=self.host) from error
            raise BadResponse(f"{self.host}: SNMP: {type(error).__name__}: {words}", address=self.host) from error

    async def _ask(self, oid: str, value: Optional[int]) -> int:
        options = self._options
        if self._engine is None:
            self._engine = snmp.SnmpEngine()
        target = await snmp.UdpTransportTarget.create((options.host, options.port), timeout=options.timeout, retries=2)
        what = snmp.ObjectIdentity(oid)
        command = snmp.get_cmd if value is None else snmp.set_cmd
        bound = snmp.ObjectType(what) if value is None else snmp.ObjectType(what, snmp.Integer32(value))
        problem, status, _index, binds = await command(
            self._engine, self._login(), target, snmp.ContextData(), bound, lookupMib=False
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
        if any(word in lower for word in ("digest", "unknown user", "unknownusername", "authorization", "decrypt")):
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
