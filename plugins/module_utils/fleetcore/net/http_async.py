# SPDX-License-Identifier: BSD-2-Clause

"""HTTP/1.1 on asyncio's streams: the adapter of :class:`fleetcore.ports.AsyncHttp` for one server of very many.

It promises what :mod:`fleetcore.net.http` does, for one event loop. A TLS handshake costs most, here and in the BMC: a
further connection to a server is only opened when a request has waited a moment for one of the open ones.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any, Optional

from ..errors import BadResponse, InvalidInput
from ..ports import HttpRequest, HttpResponse
from .endpoint import IDEMPOTENT, Body, Endpoint, HttpOptions

PATIENCE = 0.5
"""Seconds that a request waits for an open connection before another one is opened."""
_MAX_HEAD = 64 * 1024


class _Closed(Exception):
    """The server closed a kept connection before it answered."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.used = False
        self.expired = False

    def expire(self) -> None:
        self.expired = True
        self.drop()

    def drop(self) -> None:
        # Not close(): it waits for the peer's part of the TLS farewell, and all that was sent has been answered.
        self.writer.transport.abort()


class AsyncHttpClient(Endpoint):
    """:class:`fleetcore.ports.AsyncHttp` for one server, with at most ``pool_size`` connections at once.

    A request that found its kept connection closed by the server is sent once more on a new one, when its method is
    idempotent. Errors as of :class:`fleetcore.net.http.HttpClient`.

    :ivar connections: how many were opened.
    """

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        self.connections = 0
        self._idle: list[_Connection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Optional[_Connection]]] = deque()
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :class:`fleetcore.net.http.HttpClient`. The time-out includes the wait for a connection.
        It can be cancelled.
        """
        target = self.target(request.url)
        if not target.isascii() or any(char <= " " for char in target):
            raise InvalidInput(f"{self.address}: {target[:200]!r} is not a path")
        loop = asyncio.get_running_loop()
        seconds = self.seconds(request)
        deadline = loop.time() + seconds
        message = self._message(request, target)
        try:
            connection = await self._take(deadline)
            try:
                return await self._exchange(connection, request, message, deadline)
            except _Closed as error:
                if request.method not in IDEMPOTENT:
                    raise self.incomplete("the server closed the connection") from error
            connection = await self._connect(deadline)
            return await self._exchange(connection, request, message, deadline)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise self.timed_out(seconds, request) from error
        except ssl.SSLCertVerificationError as error:
            seen = await loop.run_in_executor(None, self.refused_fingerprint, deadline - loop.time())
            raise self.untrusted(error.verify_message, seen) from error
        except OSError as error:
            raise self.failed(error) from error
        except _Closed as error:
            raise self.incomplete("the server closed the connection") from error

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their request ends. Idempotent."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            self._lose(connection)

    # -- connections --------------------------------------------------------------------------------------------------

    async def _take(self, deadline: float) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.transport.is_closing():
                return connection
            self._lose(connection)
        if self._open:
            loop = asyncio.get_running_loop()
            full = self._open >= max(1, self.options.pool_size)
            patience = deadline - loop.time() if full else min(PATIENCE, deadline - loop.time())
            given = await self._wait(patience)
            if given is not None:
                return given
            if self._open >= max(1, self.options.pool_size):
                return await self._take(deadline)
        return await self._connect(deadline)

    async def _wait(self, seconds: float) -> Optional[_Connection]:
        """Wait for the next connection that becomes free; None if that takes longer, or one was lost and may be opened
        anew.
        """
        if seconds <= 0:
            raise asyncio.TimeoutError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Optional[_Connection]] = loop.create_future()
        self._waiting.append(future)
        timer = loop.call_later(seconds, _answer, future, None)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                connection = future.result()
                if connection is not None:
                    self._give(connection)
            raise
        finally:
            timer.cancel()

    def _give(self, connection: _Connection) -> None:
        while self._waiting:
            if _answer(self._waiting.popleft(), connection):
                return
        if self._closed:
            self._lose(connection)
        else:
            self._idle.append(connection)

    def _lose(self, connection: _Connection) -> None:
        connection.drop()
        self._open -= 1
        while self._waiting:  # there is room for a new one
            if _answer(self._waiting.popleft(), None):
                return

    async def _connect(self, deadline: float) -> _Connection:
        self._open += 1
        self.connections += 1
        try:
            seconds = deadline - asyncio.get_running_loop().time()
            if seconds <= 0:
                raise asyncio.TimeoutError
            context = self.context()
            tls: dict[str, Any] = {"ssl": context, "server_hostname": self.host} if context is not None else {}
            opening = asyncio.open_connection(self.host, self.port, limit=_MAX_HEAD, **tls)
            connection = _Connection(*await asyncio.wait_for(opening, seconds))
        except BaseException:
            self._open -= 1
            raise
        try:
            if context is not None:
                self.check_pin(connection.writer.get_extra_info("ssl_object"))
        except BaseException:
            self._lose(connection)
            raise
        return connection

    # -- one exchange -------------------------------------------------------------------------------------------------

    def _message(self, request: HttpRequest, target: str) -> bytes:
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        usual = 443 if self._tls else 80
        lines = [
            f"{request.method} {target} HTTP/1.1",
            f"Host: {host}" + ("" if self.port == usual else f":{self.port}"),
        ]
        for name, value in request.headers.items():
            if "\r" in value or "\n" in value:
                raise InvalidInput(f"{self.address}: a line break in the header {name}")
            lines.append(f"{name}: {value}")
        if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(request.body or b'')}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + (request.body or b"")

    async def _exchange(
        self, connection: _Connection, request: HttpRequest, message: bytes, deadline: float
    ) -> HttpResponse:
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, connection.expire)
        kept = connection.used
        connection.used = True
        keep = False
        try:
            try:
                connection.writer.write(message)
                status, headers, keep_alive = await self._head(connection, kept)
                body = await self._body(connection.reader, request.method, status, headers)
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as error:
                if connection.expired:
                    raise asyncio.TimeoutError from error
                if isinstance(error, asyncio.IncompleteReadError):
                    raise self.incomplete(f"{len(error.partial)} bytes, then the end") from error
                raise
            framed = "content-length" in headers or "transfer-encoding" in headers or status in (204, 304)
            keep = keep_alive and framed
            return HttpResponse(status, headers, self.unpacked(headers, body))
        finally:
            timer.cancel()
            if keep:
                self._give(connection)
            else:
                self._lose(connection)

    async def _head(self, connection: _Connection, kept: bool) -> tuple[int, dict[str, str], bool]:
        while True:
            try:
                first = (await self._line(connection.reader)).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                if kept and not connection.expired and not getattr(error, "partial", b""):
                    raise _Closed from error
                raise
            parts = first.split(" ", 2)
            if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not (parts[1].isdigit() and len(parts[1]) == 3):
                raise self.incomplete(f"no status line: {first[:60]!r}")
            headers = await self._headers(connection.reader)
            if int(parts[1]) >= 200:
                asked = headers.get("connection", "").lower()
                keep_alive = "close" not in asked if parts[0] != "HTTP/1.0" else "keep-alive" in asked
                return int(parts[1]), headers, keep_alive

    async def _headers(self, reader: asyncio.StreamReader) -> dict[str, str]:
        headers: dict[str, str] = {}
        size = 0
        while line := await self._line(reader):
            size += len(line)
            if size > _MAX_HEAD:
                raise self.incomplete("headers without an end")
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                name = name.strip().lower()
                value = value.strip()
                headers[name] = f"{headers[name]}, {value}" if name in headers and name != "content-length" else value
        return headers

    async def _body(self, reader: asyncio.StreamReader, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        body = Body(self)
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return await self._chunks(reader, body)
        length = headers.get("content-length")
        if length is not None:
            if not length.isdigit():
                raise self.incomplete(f"Content-Length: {length[:40]!r}")
            body.expect(int(length))
            return await reader.readexactly(int(length))
        while piece := await reader.read(body.room):
            body.add(piece)
        return body.whole()

    async def _chunks(self, reader: asyncio.StreamReader, body: Body) -> bytes:
        while length := await self._chunk_length(reader):
            body.expect(length)
            body.add(await reader.readexactly(length))
            if await reader.readexactly(2) != b"\r\n":
                raise self.incomplete("a chunk without an end")
        for _line in range(100):  # trailers
            if await self._line(reader) == b"":
                return body.whole()
        raise self.incomplete("trailers without an end")

    async def _chunk_length(self, reader: asyncio.StreamReader) -> int:
        digits = (await self._line(reader)).partition(b";")[0].strip()
        try:
            length = int(digits, 16) if 0 < len(digits) <= 16 else -1
        except ValueError:
            length = -1
        if length < 0:
            raise self.incomplete(f"chunk length {digits[:20]!r}")
        return length

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return (await reader.readuntil(b"\n")).rstrip(b"\r\n")
        except asyncio.LimitOverrunError as error:
            raise BadResponse(f"{self.address}: a line without an end", address=self.address) from error


def _answer(future: asyncio.Future[Optional[_Connection]], value: Optional[_Connection]) -> bool:
    if future.done():
        return False
    future.set_result(value)
    return True
