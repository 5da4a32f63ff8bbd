# SPDX-License-Identifier: BSD-2-Clause

"""A blocking HTTP client over the standard library, for one server: the adapter of :class:`fleetcore.ports.Http`.

It keeps connections in a small pool and limits the time of a whole request and the size of a body. TLS is verified by
default. Proxies of the environment are not used: BMCs and the machine server are on the management network. Redirects
are answers, not followed.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import InvalidInput
from ..ports import HttpRequest, HttpResponse, HttpStream
from .endpoint import CHUNK, IDEMPOTENT, Body, Endpoint, HttpOptions

__all__ = ["HttpClient", "HttpOptions"]


class HttpClient(Endpoint):
    """Thread-safe :class:`fleetcore.ports.Http`.

    A request that found its kept connection closed by the server is sent once more on a new one, when its method is
    idempotent.

    :raises InvalidInput: the URL, ``ca_path`` or fingerprint can't be used (from the constructor), or a request's URL
        leads to another host than ``base_url``.
    """

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :class:`fleetcore.ports.Http`.

        :raises BadResponse: the answer is not HTTP, truncated or too large.
        """
        target = self.target(request.url)
        seconds = self.seconds(request)
        deadline = time.monotonic() + seconds
        with self._in_words(request, seconds, deadline):
            connection = self._take()
            if connection is not None:
                try:
                    return self._exchange(connection, request, target, deadline)
                except (ConnectionError, http.client.RemoteDisconnected):
                    if request.method not in IDEMPOTENT:
                        raise
            return self._exchange(self._connect(deadline), request, target, deadline)

    def stream(self, request: HttpRequest, quiet: float) -> HttpStream:
        """Send a request whose answer is read line by line as it comes, on a connection of its own; close it.

        :param quiet: seconds without a byte of the body after which it counts as lost: ``TimedOut``.
        """
        target = self.target(request.url)
        seconds = self.seconds(request)
        deadline = time.monotonic() + seconds
        with self._in_words(request, seconds, deadline):
            connection = self._connect(deadline)
            sock = connection.sock
            try:
                sock.settimeout(_left(deadline))
                connection.request(request.method, target, body=request.body, headers=dict(request.headers))
                answer = connection.getresponse()
                sock.settimeout(quiet)
            except BaseException:
                connection.close()
                raise
        headers = {name.lower(): value for name, value in answer.getheaders()}

        def lines() -> Iterator[bytes]:
            while True:
                with self._in_words(request, quiet, time.monotonic() + quiet):
                    line = answer.readline(CHUNK)
                if not line:
                    return
                yield line

        def close() -> None:
            answer.close()
            connection.close()

        return HttpStream(answer.status, headers, lines(), close)

    @contextlib.contextmanager
    def _in_words(self, request: HttpRequest, seconds: float, deadline: float) -> Iterator[None]:
        """Raise failures of the exchange inside as errors of :mod:`.errors`."""
        try:
            yield
        except socket.timeout as error:
            raise self.timed_out(seconds, request) from error
        except ssl.SSLCertVerificationError as error:
            raise self.untrusted(error.verify_message, self.refused_fingerprint(deadline - time.monotonic())) from error
        except OSError as error:
            raise self.failed(error) from error
        except http.client.InvalidURL as error:
            raise InvalidInput(f"{self.address}: {request.url[:200]!r} is not a path") from error
        except http.client.HTTPException as error:
            raise self.incomplete(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their request ends. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # -- one exchange -------------------------------------------------------------------------------------------------

    def _take(self) -> Optional[http.client.HTTPConnection]:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if _still_open(connection):
                return connection
            connection.close()

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        seconds = _left(deadline)
        if not self._tls:
            plain = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
            plain.connect()
            return plain
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=self.context())
        try:
            connection.connect()
            self.check_pin(connection.sock)
        except BaseException:
            connection.close()
            raise
        return connection

    def _exchange(
        self, connection: http.client.HTTPConnection, request: HttpRequest, target: str, deadline: float
    ) -> HttpResponse:
        done = False
        try:
            connection.sock.settimeout(_left(deadline))
            connection.request(request.method, target, body=request.body, headers=dict(request.headers))
            connection.response_class = functools.partial(_Response, deadline=deadline)  # type: ignore[assignment]
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            body = self._body(answer, headers)
            done = not answer.will_close
            return HttpResponse(answer.status, headers, body)
        finally:
            with self._lock:
                keep = done and not self._closed and len(self._idle) < self.options.pool_size
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _body(self, answer: http.client.HTTPResponse, headers: dict[str, str]) -> bytes:
        body = Body(self)
        while chunk := answer.read(body.room):
            body.add(chunk)
        if answer.length:  # read(n) does not notice that the server closed before Content-Length bytes came
            raise http.client.IncompleteRead(b"", answer.length)
        return self.unpacked(headers, body.whole())


# -- time and sockets -------------------------------------------------------------------------------------------------


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _still_open(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection can be used: data or end-of-file to read on it means that the server gave it up."""
    try:
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)
    except (OSError, ValueError, AttributeError):
        return False


class _TimedReader(io.RawIOBase):
    """Reads a socket with what is left of the whole request's time: a server that drips bytes can't stretch it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open until the body is read
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        self._sock.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock, deadline), CHUNK)
