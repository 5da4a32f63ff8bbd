# SPDX-License-Identifier: BSD-2-Clause

"""Sockets of a scan: datagrams to many addresses, the search by multicast, TLS that does not judge certificates."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any, Optional, Union

from ..errors import InvalidInput
from . import rmcp, ssdp
from .model import SsdpOptions


class IpmiAnswer:
    """Gathers what one address says."""

    def __init__(self) -> None:
        self.pong: Optional[rmcp.Pong] = None
        self.capabilities: Optional[rmcp.Capabilities] = None
        self._complete = asyncio.Event()

    def took(self, message: Union[rmcp.Pong, rmcp.Capabilities]) -> None:
        if isinstance(message, rmcp.Pong):
            self.pong = message
        elif self.capabilities is None or self.capabilities.completion:
            self.capabilities = message
            self._complete.set()

    def again(self) -> None:
        """Wait for a better answer than the last one."""
        self._complete.clear()

    async def within(self, seconds: float) -> bool:
        """Wait for the capabilities; True if they came."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._complete.wait(), seconds)
        return self._complete.is_set()


class IpmiSocket(asyncio.DatagramProtocol):
    """One socket for all addresses of a family: answers are told apart by their sender."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], IpmiAnswer] = {}
        self._transport: Optional[asyncio.DatagramTransport] = None

    async def open(self, family: int) -> IpmiSocket:
        """Open it.

        :raises OSError: this computer can't.
        """
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - a client's port
        self._transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(any_address, 0), family=family
        )
        return self

    @contextlib.contextmanager
    def waiting(self, sockaddr: tuple[Any, ...], answer: IpmiAnswer) -> Iterator[None]:
        key = _sender(sockaddr)
        self._waiting[key] = answer
        try:
            yield
        finally:
            self._waiting.pop(key, None)

    def send(self, data: bytes, sockaddr: tuple[Any, ...]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, sockaddr)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        answer = self._waiting.get(_sender(addr))
        message = rmcp.decode(data) if answer is not None else None
        if answer is not None and message is not None:
            answer.took(message)

    def error_received(self, exc: Exception) -> None:
        """No route, or nobody listens: that counts as no answer."""


class SsdpCollector(asyncio.DatagramProtocol):
    """Keeps the answers to a search; a flood of them is cut off."""

    _MOST = 10_000

    def __init__(self) -> None:
        self.answers: list[tuple[str, Optional[ssdp.Answer]]] = []

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if len(self.answers) < self._MOST:
            self.answers.append((_sender(addr)[0], ssdp.decode(data)))

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at a single host: that counts as no answer."""


def ssdp_socket(family: int, options: SsdpOptions) -> socket.socket:
    """Open a socket that sends the search over the chosen interface.

    :raises InvalidInput: this computer has no such interface.
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
            if options.interface is not None:
                local = socket.inet_aton(str(ipaddress.IPv4Address(options.interface)))
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
                sock.bind((options.interface, 0))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 2)
            if options.interface is not None:
                number = struct.pack("@I", socket.if_nametoindex(options.interface))
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
    except (OSError, ValueError) as error:
        sock.close()
        raise InvalidInput(
            f"ssdp_interface: {options.interface!r} can't be used ({str(error)[:100]}); give the local IPv4 address of "
            "the interface, or for IPv6 its name",
            field="ssdp_interface",
        ) from error
    return sock


def numeric_address(address: str, port: int) -> tuple[int, tuple[Any, ...]]:
    """Family and socket address of an IP address."""
    flags = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=flags)[0]
    return int(found[0]), found[4]


def _sender(sockaddr: tuple[Any, ...]) -> tuple[str, int]:
    """Address and port of a socket address; zones of link-local addresses as numbers."""
    host = str(ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]))
    zone = sockaddr[3] if len(sockaddr) > 3 else 0
    return (f"{host}%{zone}" if zone else host), int(sockaddr[1])


@functools.cache
def accept_any() -> ssl.SSLContext:
    """Make a TLS context that accepts any certificate, old ciphers and protocols: nothing secret is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context
