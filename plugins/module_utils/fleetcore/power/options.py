# SPDX-License-Identifier: BSD-2-Clause

"""Checks the options that say how to reach one BMC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv6Address
from typing import Any, Optional
from urllib.parse import urlsplit

from ..errors import InvalidInput
from ..net.http import HttpClient, HttpOptions
from ..net.http_async import AsyncHttpClient
from ..net.tls import clean_fingerprint
from ..option import Options, Params, option
from .expected import Expected, check_machine, expected_machine
from .names import BMC_DRIVERS, POWER_DRIVERS

OPTIONS: Options = {
    "address": option(
        "str",
        """
            Host name or IP address of the BMC.

            A URL V(https://host[:port]) sets O(redfish_scheme) and O(redfish_port) too.
        """,
        required=True,
    ),
    "username": option("str", "User of the BMC. Without one nobody logs in.", env="BMC_USERNAME"),
    "password": option(
        "str",
        """
            Password of O(username). A password that the BMC refuses is not sent a second time, so that the account does
            not get locked.
        """,
        no_log=True,
        env="BMC_PASSWORD",
    ),
    "drivers": option(
        "list",
        """
            Drivers to try, in this order. The next one is tried when a BMC does not speak the first one or does not
            answer.

            Those that don't talk to a BMC are for M(baremetal.fleet.bmc_power) and can only switch power. Other modules
            pass over them, so that a machine can have one list.

            After a refused login, an untrusted certificate or a wrong O(system) no other driver is tried.
        """,
        elements="str",
        choices=list(POWER_DRIVERS),
        default=list(BMC_DRIVERS),
    ),
    "timeout": option("float", "Seconds to wait for each answer of the BMC.", default=30),
    "deadline": option(
        "float", "Seconds for reading everything. What was not read by then has the verdict V(timeout).", default=300
    ),
}
"""Of every module that talks to a BMC, beside those of the drivers."""

_USUAL = {"https": 443, "http": 80}
_HOST = re.compile(r"^[A-Za-z0-9._:%-]{1,253}$")


@dataclass(frozen=True)
class BmcOptions:
    """How to reach a BMC.

    :ivar host: name or IP address.
    :ivar redfish_port: None for the usual one of the scheme.
    :ivar timeout: seconds for each request. :ivar deadline: seconds for everything.
    :ivar expected: the machine that may be acted on. Reading does not look at it.
    """

    host: str
    username: Optional[str] = None
    password: Optional[str] = field(default=None, repr=False)
    drivers: tuple[str, ...] = BMC_DRIVERS
    redfish_scheme: str = "https"
    redfish_port: Optional[int] = None
    ipmi_port: int = 623
    validate_certs: bool = True
    ca_path: Optional[str] = None
    fingerprint: Optional[str] = None
    timeout: float = 30.0
    deadline: float = 300.0
    system: Optional[str] = None
    expected: Expected = field(default_factory=Expected)

    @property
    def base_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.redfish_scheme}://{host}" + (f":{self.redfish_port}" if self.redfish_port else "")

    def as_user(self, username: str, password: str) -> BmcOptions:
        """Reach the BMC with another login."""
        return replace(self, username=username, password=password)

    def http(self) -> HttpClient:
        """A connection to the BMC's web server."""
        return HttpClient(self._http_options())

    def http_async(self) -> AsyncHttpClient:
        """A connection to the BMC's web server for an event loop."""
        return AsyncHttpClient(self._http_options())

    def _http_options(self) -> HttpOptions:
        return HttpOptions(
            self.base_url,
            ca_path=self.ca_path,
            fingerprint=self.fingerprint,
            validate_certs=self.validate_certs,
            timeout=self.timeout,
        )


def check_system(options: BmcOptions, system: Mapping[str, Any]) -> None:
    """Check that this ComputerSystem is the machine that is expected.

    :raises WrongMachine: it is another one.
    """
    serials = (system.get("SerialNumber"), system.get("SKU"))
    uuid = system.get("UUID")
    check_machine(
        options.host,
        options.expected,
        [value for value in serials if isinstance(value, str)],
        uuid if isinstance(uuid, str) else None,
    )


def bmc_options(params: Params) -> BmcOptions:
    """Check what a module was given of :data:`OPTIONS` and of the options of drivers that need a BMC.

    :raises InvalidInput: a malformed address, port, fingerprint or time; ``details["field"]`` names it.
    """
    scheme, host, port = _endpoint(params)
    drivers = tuple(params.get("drivers") or BMC_DRIVERS)
    for name in drivers:
        if name not in POWER_DRIVERS:
            raise InvalidInput.of("drivers", f"{name!r} is not one of {', '.join(POWER_DRIVERS)}")
    system = params.get("system")
    if system is not None and not str(system).strip():
        raise InvalidInput.of("system", "an empty name selects nothing; leave the option out or name a system")
    for name in ("timeout", "deadline"):
        if params.get(name) is not None and float(params[name]) <= 0:
            raise InvalidInput.of(name, "must be more than 0 seconds")
    for name, value in (("redfish_port", port), ("ipmi_port", params.get("ipmi_port"))):
        if value is not None and not 0 < int(value) < 65536:
            raise InvalidInput.of(name, f"{value} is not a port from 1 to 65535")
    given = {item.name: params[item.name] for item in fields(BmcOptions) if params.get(item.name) is not None}
    given.update(
        host=host,
        drivers=drivers,
        redfish_scheme=scheme,
        redfish_port=port,
        fingerprint=clean_fingerprint(params.get("fingerprint")),
        system=None if system is None else str(system).strip(),
        expected=expected_machine(params),
    )
    return BmcOptions(**given)


def _endpoint(params: Params) -> tuple[str, str, Optional[int]]:
    address = str(params.get("address") or "").strip()
    scheme, port, host = params.get("redfish_scheme") or "https", params.get("redfish_port"), address
    if "://" in address:
        try:
            parts = urlsplit(address)
            host, url_port = parts.hostname or "", parts.port
        except ValueError:
            raise InvalidInput.of("address", f"{address!r} is not a URL with a port from 1 to 65535") from None
        if "@" in address:
            raise InvalidInput.of("address", "a URL must not hold a user name or password: give them as options")
        if parts.scheme not in ("http", "https") or parts.path not in ("", "/") or parts.query:
            raise InvalidInput.of("address", f"{address!r}: a URL must be of the form https://host[:port]")
        scheme = parts.scheme
        port = url_port or port
    host = host.strip("[]")
    if not _HOST.match(host) or host.startswith("-") or (":" in host and not _is_ipv6(host)):
        raise InvalidInput.of(
            "address", f"{address!r} is not a host name, IP address or URL (a port needs one: https://host:port)"
        )
    return scheme, host, None if port is None or int(port) == _USUAL.get(scheme) else int(port)


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def seconds(params: Params, name: str) -> float:
    """An option that is a time.

    :raises InvalidInput: less than 0.
    """
    value = float(params[name])
    if value < 0:
        raise InvalidInput.of(name, f"{value:g} is less than 0 seconds")
    return value
