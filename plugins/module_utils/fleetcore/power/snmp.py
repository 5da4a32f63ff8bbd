# SPDX-License-Identifier: BSD-2-Clause

"""Reads and writes integers over SNMP, with pysnmp, whose errors it translates."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Optional, TypeVar

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
from ..option import Options, Params, option

T = TypeVar("T")
_ROWS = 512
_AUTH = {"sha": "usmHMACSHAAuthProtocol", "sha256": "usmHMAC192SHA256AuthProtocol", "md5": "usmHMACMD5AuthProtocol"}
_PRIV = {"aes": "usmAesCfb128Protocol", "aes256": "usmAesCfb256Protocol", "des": "usmDESPrivProtocol"}

OPTIONS: Options = {
    "address": option("str", "Host name or IP address of the PDU or switch.", required=True),
    "port": option("int", "UDP port of SNMP.", default=161),
    "version": option(
        "str", "Version of SNMP. Only V(3) can keep the login secret.", choices=["1", "2c", "3"], default="2c"
    ),
    "community": option("str", "Community that may write. Required before version V(3).", no_log=True),
    "username": option("str", "User. Required for version V(3)."),
    "context": option("str", "Name of the SNMP version V(3) context, for a device that has several."),
    "auth_protocol": option(
        "str",
        "How the user is authenticated. V(sha256) is C(usmHMAC192SHA256AuthProtocol).",
        choices=["md5", "sha", "sha256"],
        default="sha",
    ),
    "auth_password": option(
        "str", "Password that authenticates the user. Without it nobody is authenticated.", no_log=True
    ),
    "priv_protocol": option("str", "How the traffic is encrypted.", choices=["des", "aes", "aes256"], default="aes"),
    "priv_password": option("str", "Password that encrypts the traffic. Without it nothing is encrypted.", no_log=True),
    "timeout": option("float", "Seconds to wait for each answer. A request is sent up to three times.", default=5),
}
"""How to reach an SNMP agent."""


def agent_of(params: Params) -> Params:
    """Check :data:`OPTIONS`.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    if not str(params["address"]).strip():
        raise InvalidInput.of("address", "empty")
    if params["version"] == "3" and not params.get("username"):
        raise InvalidInput.of("username", "SNMP version 3 needs one")
    if params["version"] != "3" and not params.get("community"):
        raise InvalidInput.of("community", "SNMP before version 3 needs one")
    if params.get("priv_password") and not params.get("auth_password"):
        raise InvalidInput.of("auth_password", "SNMP does not encrypt without authentication")
    return {**params, "address": str(params["address"]).strip()}


class Snmp:
    """A connection to one agent (:func:`agent_of`). Nothing is sent before the first question.

    :raises MissingDependency: pysnmp is not installed (from the constructor).
    """

    def __init__(self, agent: Params) -> None:
        try:
            from pysnmp.hlapi.v3arch import asyncio as hlapi  # noqa: PLC0415  (costs half a second)
        except ImportError:
            raise MissingDependency(
                "the Python package pysnmp is not installed where the module runs: pip install 'pysnmp>=7'",
                package="pysnmp",
            ) from None
        self._snmp = hlapi
        self._agent = agent
        self.host: str = agent["address"]
        # Both are kept: to make an engine costs more than to ask.
        self._loop = asyncio.new_event_loop()
        self._engine: Any = None

    def integer(self, oid: str, value: Optional[int] = None) -> int:
        """Read the integer, or write ``value``; what the agent says that it is.

        :raises NotFound: there is no such object.
        """
        return self._run(self._ask(oid, value))

    def column(self, oid: str) -> list[tuple[int, str]]:
        """Read a column of texts: (number of the row, text)."""
        return self._run(self._rows(oid))

    def close(self) -> None:
        """End it. Idempotent; the connection is of no use afterwards."""
        if not self._loop.is_closed():
            if self._engine is not None:
                self._engine.close_dispatcher()
            self._loop.close()

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
        agent = self._agent
        if self._engine is None:
            self._engine = self._snmp.SnmpEngine()
        place = (self.host, int(agent["port"]))
        return await self._snmp.UdpTransportTarget.create(place, timeout=float(agent["timeout"]), retries=2)

    async def _rows(self, column: str) -> list[tuple[int, str]]:
        target, last = await self._target(), column
        found: list[tuple[int, str]] = []
        while len(found) < _ROWS:
            problem, status, _index, binds = await self._snmp.next_cmd(
                self._engine,
                self._login(),
                target,
                self._context(),
                self._snmp.ObjectType(self._snmp.ObjectIdentity(last)),
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
        what = self._snmp.ObjectIdentity(oid)
        command = self._snmp.get_cmd if value is None else self._snmp.set_cmd
        bound = (
            self._snmp.ObjectType(what) if value is None else self._snmp.ObjectType(what, self._snmp.Integer32(value))
        )
        problem, status, _index, binds = await command(
            self._engine,
            self._login(),
            target,
            self._context(),
            bound,
            lookupMib=False,
        )
        if problem:
            raise self._failure(str(problem))
        if status:
            raise self._refusal(str(status.prettyPrint()), oid)
        found = binds[0][1]
        if type(found).__name__ in ("NoSuchObject", "NoSuchInstance", "EndOfMibView"):
            raise self._nothing(oid)
        return int(found)

    def _context(self) -> Any:
        return self._snmp.ContextData(contextName=(self._agent.get("context") or "").encode())

    def _login(self) -> Any:
        agent = self._agent
        if agent["version"] != "3":
            return self._snmp.CommunityData(agent["community"], mpModel=0 if agent["version"] == "1" else 1)
        keys: dict[str, Any] = {}
        for kind, protocols in (("auth", _AUTH), ("priv", _PRIV)):
            if agent.get(f"{kind}_password"):
                keys[f"{kind}Key"] = agent[f"{kind}_password"]
                keys[f"{kind}Protocol"] = getattr(self._snmp, protocols[agent[f"{kind}_protocol"]])
        return self._snmp.UsmUserData(agent["username"], **keys)

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
            return self._nothing(oid)
        if words in ("noAccess", "authorizationError", "readOnly", "notWritable"):
            return PermissionDenied(f"{self.host}: SNMP: this login may not switch ({words})", address=self.host)
        if words in ("wrongValue", "wrongType", "badValue", "inconsistentValue"):
            return Unsupported(f"{self.host}: SNMP: the PDU does not take this value ({words})", address=self.host)
        return Busy(f"{self.host}: SNMP: {words}", address=self.host)

    def _nothing(self, oid: str) -> NotFound:
        return NotFound(f"{self.host}: SNMP: there is no object {oid}", oid=oid)
