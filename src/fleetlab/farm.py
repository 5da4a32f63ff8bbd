# SPDX-License-Identifier: BSD-2-Clause
"""A farm: many virtual BMCs in one process, each on an address and port of its own.

In asynchronous code `async with Farm(specs) as farm`; in tests `with running_farm(specs) as farm`, which runs it in a
thread. `farm.bmcs[i]` tells url, username, password and power_log and takes faults while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from aiohttp import web

from fleetlab.bmc import Bmc
from fleetlab.certs import Certificate, make_certificate
from fleetlab.faults import Fault, fault_reply
from fleetlab.replies import Reply, Request, error
from fleetlab.spec import BmcSpec
from fleetlab.state import Event, PowerBehaviour

__all__ = ["Bmc", "BmcSpec", "Farm", "Fault", "PowerBehaviour", "fleet", "running_farm"]

OnEvent = Callable[[Bmc, Event], None]
_GRACE = 0.05  # seconds for answers under way at the end; 0 would mean for ever to aiohttp
_HEADERS = {"OData-Version": "4.0", "Cache-Control": "no-cache"}


def fleet(spec: BmcSpec, count: int, by_address: bool = False) -> list[BmcSpec]:
    """`count` BMCs like this one, but each its own machine.

    They get successive ports (unless the port is 0: any free ones), or with `by_address` successive addresses with the
    same port; all of 127.0.0.0/8 is at hand on Linux.
    """

    def another(number: int) -> BmcSpec:
        return replace(
            spec,
            name=f"{spec.name}-{number}" if spec.name and count > 1 else spec.name,
            index=None if spec.index is None else spec.index + number,
            address=str(ipaddress.ip_address(spec.address) + number) if by_address else spec.address,
            port=spec.port + number if spec.port and not by_address else spec.port,
        )

    return [another(number) for number in range(count)]


class Farm:
    """Runs virtual BMCs in the current event loop, from `async with` until its end.

    `on_event` is called with each power transition in the thread of the loop. Raises TreeError for a tree that can't be
    loaded, OSError for an address that can't be listened on.
    """

    def __init__(self, specs: Iterable[BmcSpec], on_event: OnEvent | None = None) -> None:
        self._specs = list(specs)
        self._on_event = on_event
        self._stack = contextlib.AsyncExitStack()
        self._servers: list[tuple[asyncio.Server, web.Server]] = []
        self._certificates: dict[str, Certificate] = {}
        self.bmcs: list[Bmc] = []

    async def __aenter__(self) -> Farm:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for listener, _server in self._servers:
            listener.close()
        await asyncio.gather(*(server.shutdown(timeout=_GRACE) for _listener, server in self._servers))
        self._servers.clear()
        await self._stack.aclose()

    async def _start(self) -> None:
        raise_file_limit()
        loop = asyncio.get_running_loop()
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fleetlab-")))

        def later(seconds: float, happen: Callable[[], None]) -> None:
            # Power is switched from test threads too, and a loop's timers may only be set in its own thread.
            loop.call_soon_threadsafe(loop.call_later, seconds, happen)

        for index, spec in enumerate(self._specs):
            bmc = Bmc(spec, index, later, self._on_event)
            certificate = self._certificate(spec, directory) if spec.tls else None
            if certificate is not None:
                bmc.ca_path, bmc.fingerprint = str(certificate.pem), certificate.fingerprint
            server = web.Server(partial(serve, bmc), handler_cancellation=True, access_log=None, keepalive_timeout=75.0)
            listener = await loop.create_server(
                server, spec.address, spec.port, ssl=certificate.context if certificate else None, backlog=128
            )
            bmc.port = listener.sockets[0].getsockname()[1]
            self._servers.append((listener, server))
            self.bmcs.append(bmc)

    def _certificate(self, spec: BmcSpec, directory: Path) -> Certificate:
        if spec.certificate not in self._certificates:
            addresses = {other.address for other in self._specs if other.tls and other.certificate == spec.certificate}
            self._certificates[spec.certificate] = make_certificate(spec.certificate, addresses, directory)
        return self._certificates[spec.certificate]


@contextlib.contextmanager
def running_farm(
    specs: Iterable[BmcSpec] | BmcSpec = BmcSpec(),  # noqa: B008 - immutable
    on_event: OnEvent | None = None,
) -> Iterator[Farm]:
    """Run a farm in a thread of its own for as long as the block lasts."""
    farm = Farm([specs] if isinstance(specs, BmcSpec) else specs, on_event)
    started = threading.Event()
    problem: list[BaseException] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            async with farm:
                started.set()
                await stop.wait()
        except BaseException as error_:  # noqa: BLE001 - handed to the caller's thread
            problem.append(error_)
        finally:
            started.set()

    def run_thread() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=run_thread, name="virtual-bmcs", daemon=True)
    thread.start()
    started.wait()
    if problem:
        thread.join()
        raise problem[0]
    try:
        yield farm
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def serve(bmc: Bmc, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one HTTP request to a BMC, with its latency and faults."""
    if bmc.gone:
        return reset_connection(request)
    body = await request.read()
    url = request.rel_url
    path = bmc.state.find(url.path)
    bmc.counters.requests += 1
    if bmc.spec.count_paths:
        bmc.counters.by_path[path] += 1
    if request.method not in {"GET", "HEAD"} and not bmc.is_session(path):
        bmc.counters.writes.append(f"{request.method} {path}")
    delay, fault = bmc.faults.strike(request.method, path, body)
    if bmc.latency + delay > 0:
        await asyncio.sleep(bmc.latency + delay)
    kind = fault.kind if fault else ""
    if fault and kind == "hang":
        await asyncio.sleep(3600.0 if fault.seconds is None else fault.seconds)
        kind = "reset"
    if kind == "reset":
        return reset_connection(request)
    if fault and kind in {"status", "garbage", "reply"}:
        answer = fault_reply(fault)
    else:
        try:
            answer = bmc.answer(Request(request.method, url.path, dict(url.query), request.headers, body), fault)
        except Exception as bug:  # noqa: BLE001 - one BMC's bug is told to its client, the farm goes on
            answer = error(500, "InternalError", f"The virtual BMC failed: {bug!r}")
    if kind == "drop":
        return reset_connection(request)
    return await send(bmc, request, answer, truncated=kind == "truncate")


async def send(bmc: Bmc, request: web.BaseRequest, answer: Reply, truncated: bool) -> web.StreamResponse:
    headers = _HEADERS | answer.headers
    if answer.body and "Content-Type" not in headers:
        headers["Content-Type"] = "application/json; charset=utf-8"
    body = b"" if request.method == "HEAD" else answer.body
    bmc.counters.bytes_out += len(body)
    if not truncated:
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(answer.body))
        return web.Response(status=answer.status, body=body, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(body)
    response.force_close()
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def reset_connection(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection at once, so that the client gets a TCP reset instead of an answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def raise_file_limit() -> None:
    """Thousands of BMCs need thousands of sockets: take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
