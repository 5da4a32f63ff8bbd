# SPDX-License-Identifier: BSD-2-Clause

"""Sends the probes and collects the answers: asyncio over the standard library.

It logs in nowhere, looks at certificates without judging them, and sends nothing to an address that was not named.
Every connection and every datagram waits for its turn, so that the rate holds for all kinds of probes together.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import ssl
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import BadResponse, InvalidInput, TimedOut, Unreachable
from ..net.endpoint import HttpOptions
from ..net.http_async import AsyncHttpClient
from ..net.tls import fingerprint_of
from ..ports import HttpRequest
from . import rmcp, service_root, ssdp
from .model import ScanOptions, ScanResult, Service, SsdpOptions
from .sockets import IpmiAnswer, IpmiSocket, SsdpCollector, accept_any, numeric_address, ssdp_socket

_MAX_BYTES = 1024 * 1024
_HEADERS = {
    "Accept": "application/json",
    "OData-Version": "4.0",
    "User-Agent": "baremetal.fleet",
    "Connection": "close",
}
_OUR_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)


def scan(options: ScanOptions) -> ScanResult:
    """Scan; returns when it is done.

    :raises InvalidInput: more concurrency than this computer has file handles, or an interface that it does not have.
    """
    return asyncio.run(_Scan(options).run())


class _Look(AsyncHttpClient):
    """Looks at one service: it believes any certificate and remembers its fingerprint."""

    fingerprint: Optional[str] = None

    def context(self) -> Optional[ssl.SSLContext]:
        return accept_any() if self._tls else None

    def check_pin(self, sock: Any) -> None:
        self.fingerprint = fingerprint_of(sock)


class _Scan:
    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        self._addresses = frozenset(options.addresses)
        self._result = ScanResult()
        self._next_turn = 0.0
        self._ipmi: dict[int, asyncio.Future[IpmiSocket]] = {}

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
            for sock in await asyncio.gather(*self._ipmi.values(), return_exceptions=True):
                if isinstance(sock, IpmiSocket):
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

    # -- Redfish ------------------------------------------------------------------------------------------------------

    async def _redfish(self, address: str, port: int, schemes: tuple[str, ...]) -> Optional[Service]:
        reason = "no redfish"
        for scheme in schemes:
            try:
                facts = await self._service_root(address, port, scheme)
            except TimedOut:
                reason = "timeout"
                break
            except Unreachable as error:
                cause = error.__cause__
                if isinstance(cause, ssl.SSLError):
                    reason = "no tls"
                elif isinstance(cause, OSError):
                    reason = _reason(cause)
                    if not isinstance(cause, (ConnectionResetError, BrokenPipeError)):
                        break
            except BadResponse:
                continue
            else:
                if facts is not None:
                    return Service(address, port, "redfish", facts, scheme)
        self._result.silent[reason] += 1
        return None

    async def _service_root(self, address: str, port: int, scheme: str) -> Optional[dict[str, Any]]:
        host = f"[{address}]" if ":" in address else address
        timeout = self._options.timeout
        path = service_root.PATH
        for _hop in range(2):
            await self._turn()
            look = _Look(HttpOptions(f"{scheme}://{host}:{port}", timeout=timeout, max_body_bytes=_MAX_BYTES))
            try:
                response = await look.send(HttpRequest("GET", path, _HEADERS))
            finally:
                look.close()
            elsewhere = service_root.redirect(response, path)
            if elsewhere is None:
                facts = service_root.facts(response)
                return (
                    facts if facts is None or look.fingerprint is None else {**facts, "fingerprint": look.fingerprint}
                )
            path = elsewhere
        return None

    # -- IPMI ---------------------------------------------------------------------------------------------------------

    async def _ipmi_service(self, address: str, port: int) -> Optional[Service]:
        family, sockaddr = numeric_address(address, port)
        answer = IpmiAnswer()
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

    async def _ipmi_socket(self, family: int) -> IpmiSocket:
        if family not in self._ipmi:
            self._ipmi[family] = asyncio.ensure_future(IpmiSocket().open(family))
        return await asyncio.shield(self._ipmi[family])

    # -- SSDP ---------------------------------------------------------------------------------------------------------

    async def _search(self) -> list[tuple[str, ssdp.Answer]]:
        """Search by multicast. Returns sender and answer of each service, by UUID; those among the addresses first."""
        options = self._options.ssdp or SsdpOptions()
        family, sockaddr = numeric_address(options.address, options.port)
        sock = ssdp_socket(family, options)
        found = SsdpCollector()
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
        """Add the answers of a search: each is a service found already, a new one, or one outside of the networks."""
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


def _reason(error: OSError) -> str:
    if error.errno in _OUR_FAULT:
        raise InvalidInput(
            f"concurrency: this computer can't do so much at once ({error.strerror}); lower it", field="concurrency"
        ) from error
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__.lower()


def _order(service: Service) -> tuple[Any, ...]:
    address = ipaddress.ip_address(service.address.partition("%")[0])
    return address.version, int(address), service.address, service.port, service.kind
