# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Sends the probes and collects the answers: asyncio over the standard library.

Nobody is logged in to, certificates are looked at and not judged, and nothing is sent to an address that was not named. Every
connection and every datagram waits for its turn, so that the rate holds for all kinds of probes together.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import ipaddress
import os
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ..errors import InvalidInput, ParseError
from ..net.http import clean_fingerprint
from . import rmcp, service_root, ssdp

_CHUNK = 64 * 1024
_OUR_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
_IPMI_DATAGRAMS = 2  # a presence ping and a question


@dataclass(frozen=True)
class SsdpOptions:
    """:param address: multicast group, or one host. :param interface: local IPv4 address, or for IPv6 the name of an interface.
    :param wait: seconds for answers.
    """

    address: str = ssdp.GROUPS[4]
    port: int = ssdp.PORT
    interface: Optional[str] = None
    wait: float = 3.0


@dataclass(frozen=True)
class ScanOptions:
    """What is scanned, and how gently.

    :param addresses: of :func:`targets.expand`. :param rate: connections and datagrams per second. :param concurrency: probes
        under way at once. :param timeout: seconds for one probe. :param attempts: how often a datagram without answer is sent.
    :param redfish_schemes: tried in this order on each port that accepts a connection.
    """

    addresses: tuple[str, ...]
    redfish_ports: tuple[int, ...] = (443,)
    redfish_schemes: tuple[str, ...] = ("https",)
    ipmi_ports: tuple[int, ...] = (rmcp.PORT,)
    rate: float = 100.0
    concurrency: int = 256
    timeout: float = 3.0
    attempts: int = 2
    ssdp: Optional[SsdpOptions] = None

    def most_probes(self) -> int:
        """How many connections and datagrams there are at most, but for redirects and what SSDP adds."""
        one = (
            len(self.redfish_ports) * len(self.redfish_schemes) + len(self.ipmi_ports) * _IPMI_DATAGRAMS * self.attempts
        )
        return len(self.addresses) * one + (self.attempts if self.ssdp else 0)


@dataclass
class Service:
    """Something that answered. ``kind`` is ``redfish`` or ``ipmi``; ``scheme`` only with Redfish; ``found_by``: scan, ssdp."""

    address: str
    port: int
    kind: str
    facts: dict[str, Any]
    scheme: Optional[str] = None
    found_by: list[str] = field(default_factory=lambda: ["scan"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data; ``url`` for Redfish."""
        out: dict[str, Any] = {"address": self.address, "port": self.port, "kind": self.kind}
        if self.scheme:
            host = f"[{self.address}]" if ":" in self.address else self.address
            out.update(scheme=self.scheme, url=f"{self.scheme}://{host}:{self.port}")
        return {**out, "found_by": self.found_by, "facts": self.facts}


@dataclass
class ScanResult:
    """:ivar probes: connections and datagrams sent. :ivar silent: probes without a service, counted by reason.
    :ivar elsewhere: addresses that answered the SSDP search and were not among those to scan; they were not contacted.
    """

    services: list[Service] = field(default_factory=list)
    probes: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    seconds: float = 0.0


def scan(options: ScanOptions) -> ScanResult:
    """Scan. Blocks until it is done.

    :raises InvalidInput: more concurrency than this computer has file handles, or an interface that it does not have.
    """
    return asyncio.run(_Scan(options).run())


class _Scan:
    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        self._addresses = frozenset(options.addresses)
        self._result = ScanResult()
        self._next_turn = 0.0
        self._tls = _accept_any()
        self._ipmi: dict[int, _IpmiSocket] = {}

    async def run(self) -> ScanResult:
        loop = asyncio.get_running_loop()
        # What is left of connections that were aborted is nobody's business.
        loop.set_exception_handler(lambda _loop, _context: None)
        begin = loop.time()
        searching = asyncio.ensure_future(self._search()) if self._options.ssdp else None
        work = self._work()
        count = max(1, min(self._options.concurrency, len(self._options.addresses) * 2))
        workers = [asyncio.ensure_future(self._worker(work)) for _number in range(count)]
        tasks = [*workers, *([searching] if searching else [])]
        try:
            await asyncio.gather(*tasks)
            if searching is not None:
                await self._merge(searching.result())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for sock in self._ipmi.values():
                sock.close()
        self._result.services.sort(key=_order)
        self._result.seconds = round(loop.time() - begin, 3)
        return self._result

    def _work(self) -> Iterator[tuple[str, str, int]]:
        for address in self._options.addresses:
            for port in self._options.redfish_ports:
                yield "redfish", address, port
            for port in self._options.ipmi_ports:
                yield "ipmi", address, port

    async def _worker(self, work: Iterator[tuple[str, str, int]]) -> None:
        for kind, address, port in work:
            if kind == "redfish":
                found = await self._redfish(address, port, self._options.redfish_schemes)
            else:
                found = await self._ipmi_service(address, port)
            if found is not None:
                self._result.services.append(found)

    async def _turn(self) -> None:
        """Wait until one more probe may be sent."""
        now = asyncio.get_running_loop().time()
        mine = max(self._next_turn, now)
        self._next_turn = mine + 1.0 / self._options.rate
        if mine > now:
            await asyncio.sleep(mine - now)
        self._result.probes += 1

    # -- Redfish --------------------------------------------------------------------------------------------------------

    async def _redfish(self, address: str, port: int, schemes: tuple[str, ...]) -> Optional[Service]:
        reason = "no redfish"
        for scheme in schemes:
            try:
                facts = await self._service_root(address, port, scheme == "https")
            except ssl.SSLError:
                reason = "no tls"
                continue
            except asyncio.TimeoutError:
                reason = "timeout"
                break
            except ParseError:
                continue
            except OSError as error:
                reason = _reason(error)
                if not isinstance(error, (ConnectionResetError, BrokenPipeError)):
                    break
                continue
            if facts is not None:
                return Service(address, port, "redfish", facts, scheme)
        self._result.silent[reason] += 1
        return None

    async def _service_root(self, address: str, port: int, tls: bool) -> Optional[dict[str, Any]]:
        path = service_root.PATH
        for _hop in range(2):
            await self._turn()
            response, fingerprint = await asyncio.wait_for(
                self._exchange(address, port, tls, path), self._options.timeout
            )
            elsewhere = service_root.redirect(response, path)
            if elsewhere is None:
                facts = service_root.facts(response)
                return facts if facts is None or fingerprint is None else {**facts, "fingerprint": fingerprint}
            path = elsewhere
        return None

    async def _exchange(self, address: str, port: int, tls: bool, path: str) -> tuple[Any, Optional[str]]:
        reader, writer = await asyncio.open_connection(address, port, ssl=self._tls if tls else None)
        try:
            fingerprint = None
            if tls:
                certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                fingerprint = clean_fingerprint(hashlib.sha256(certificate).hexdigest()) if certificate else None
            writer.write(service_root.request(address, port, tls, path))
            data = b""
            while True:
                chunk = await reader.read(_CHUNK)
                data += chunk
                response = service_root.parse(data, closed=not chunk)
                if response is not None:
                    return response, fingerprint
        finally:
            writer.transport.abort()

    # -- IPMI -----------------------------------------------------------------------------------------------------------

    async def _ipmi_service(self, address: str, port: int) -> Optional[Service]:
        family, sockaddr = _sockaddr(address, port)
        answer = _IpmiAnswer()
        try:
            sock = await self._ipmi_socket(family)
        except OSError as error:
            self._result.silent[_reason(error)] += 1
            return None
        with sock.waiting(sockaddr, answer):
            for _attempt in range(self._options.attempts):
                await self._turn()
                sock.send(rmcp.presence_ping(), sockaddr)
                await self._turn()
                sock.send(rmcp.capabilities_request(), sockaddr)
                if await answer.within(self._options.timeout / self._options.attempts):
                    break
            if answer.capabilities is not None and answer.capabilities.completion:
                answer.again()
                await self._turn()
                sock.send(rmcp.capabilities_request(extended=False), sockaddr)
                await answer.within(self._options.timeout)
        facts = rmcp.facts(answer.pong, answer.capabilities)
        if facts is None:
            self._result.silent["timeout"] += 1
            return None
        return Service(address, port, "ipmi", facts)

    async def _ipmi_socket(self, family: int) -> _IpmiSocket:
        if family not in self._ipmi:
            sock = _IpmiSocket()
            self._ipmi[family] = sock
            await sock.open(family)
        sock = self._ipmi[family]
        await sock.ready.wait()
        if sock.error is not None:
            raise sock.error
        return sock

    # -- SSDP -----------------------------------------------------------------------------------------------------------

    async def _search(self) -> list[tuple[str, ssdp.Answer]]:
        """Sender and answer of every service that answered, by UUID; those among the addresses first."""
        options = self._options.ssdp or SsdpOptions()
        family, sockaddr = _sockaddr(options.address, options.port)
        sock = _ssdp_socket(family, options)
        found = _Collector()
        transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: found, sock=sock)
        try:
            for _attempt in range(self._options.attempts):
                await self._turn()
                transport.sendto(ssdp.search(options.address, options.port, int(options.wait)), sockaddr)
                await asyncio.sleep(options.wait / self._options.attempts)
        finally:
            transport.close()
        answers = [(sender, answer) for sender, answer in found.answers if answer is not None]
        answers.sort(key=lambda item: item[0] not in self._addresses)
        by_uuid: dict[str, tuple[str, ssdp.Answer]] = {}
        for sender, answer in answers:
            by_uuid.setdefault(service_root.known_uuid(answer.uuid) or sender, (sender, answer))
        return list(by_uuid.values())

    async def _merge(self, answers: list[tuple[str, ssdp.Answer]]) -> None:
        """Each answer is a service that was found already, a new one, or one outside of the networks."""
        for sender, answer in answers:
            address = answer.host if answer.host in self._addresses else sender
            if address not in self._addresses:
                self._result.elsewhere.append(address)
                continue
            known = self._known(address, answer)
            if known is not None:
                known.found_by = ["scan", "ssdp"]
                continue
            found = await self._redfish(address, answer.port, (answer.scheme,))
            found = found or Service(address, answer.port, "redfish", {"uuid": answer.uuid}, answer.scheme)
            found.found_by = ["ssdp"]
            self._result.services.append(found)
        self._result.elsewhere.sort()

    def _known(self, address: str, answer: ssdp.Answer) -> Optional[Service]:
        uuid = service_root.known_uuid(answer.uuid)
        for service in self._result.services:
            if service.kind == "redfish" and (
                (service.address, service.port) == (address, answer.port)
                or (uuid is not None and service.facts.get("uuid") == uuid)
            ):
                return service
        return None


class _IpmiAnswer:
    """What one address said so far."""

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


class _IpmiSocket(asyncio.DatagramProtocol):
    """One socket for all addresses of a family: answers are told apart by their sender."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], _IpmiAnswer] = {}
        self._transport: Optional[asyncio.DatagramTransport] = None
        self.ready = asyncio.Event()
        self.error: Optional[OSError] = None

    async def open(self, family: int) -> None:
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - a client's port
        try:
            self._transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, local_addr=(any_address, 0), family=family
            )
        except OSError as error:
            self.error = error
        finally:
            self.ready.set()

    @contextlib.contextmanager
    def waiting(self, sockaddr: tuple[Any, ...], answer: _IpmiAnswer) -> Iterator[None]:
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
        """No route, or nobody listens: the same as no answer."""


class _Collector(asyncio.DatagramProtocol):
    """Keeps the answers to a search; a flood of them is cut off."""

    _MOST = 10_000

    def __init__(self) -> None:
        self.answers: list[tuple[str, Optional[ssdp.Answer]]] = []

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if len(self.answers) < self._MOST:
            self.answers.append((_sender(addr)[0], ssdp.decode(data)))

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at a single host: the same as no answer."""


def _ssdp_socket(family: int, options: SsdpOptions) -> socket.socket:
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
            f"ssdp_interface: {options.interface!r} can't be used ({str(error)[:100]}); give the local IPv4 address of the "
            "interface, or for IPv6 its name",
            field="ssdp_interface",
        ) from error
    return sock


def _sockaddr(address: str, port: int) -> tuple[int, tuple[Any, ...]]:
    flags = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=flags)[0]
    return int(found[0]), found[4]


def _sender(sockaddr: tuple[Any, ...]) -> tuple[str, int]:
    """Address and port of a socket address; zones of link-local addresses as numbers."""
    host = str(ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]))
    zone = sockaddr[3] if len(sockaddr) > 3 else 0
    return (f"{host}%{zone}" if zone else host), int(sockaddr[1])


def _accept_any() -> ssl.SSLContext:
    """For looking only: any certificate, old ciphers and protocols too, for nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


def _reason(error: OSError) -> str:
    if error.errno in _OUR_FAULT:
        raise InvalidInput(
            f"concurrency: this computer can't do so much at once ({error.strerror}); lower it", field="concurrency"
        ) from error
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__.lower()


def _order(service: Service) -> tuple[Any, ...]:
    address = ipaddress.ip_address(service.address.partition("%")[0])
    return address.version, int(address), service.address, service.port, service.kind
