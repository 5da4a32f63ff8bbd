# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""HTTP over the standard library: the adapter of :class:`fleetcore.ports.Http` for one server.

Keep-alive with a small pool, TLS verified by default, one SSL context per setting for the whole process (building one
costs 20 ms), a limit on the time of a whole request and on the size of a body. Proxies of the environment are not used:
BMCs and the machine server are on the management network. Redirects are answers, not followed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlsplit

from ..errors import BadResponse, CertificateInvalid, InvalidInput, TimedOut, Unreachable
from ..ports import HttpRequest, HttpResponse, HttpStream

IDEMPOTENT = frozenset(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class HttpOptions:
    """Where to connect and what to believe.

    :param base_url: ``https://host[:port][/prefix]``; a request's path is appended to it.
    :param ca_path: file or directory of CA certificates in PEM; None: the system's.
    :param fingerprint: SHA-256 of the server's certificate in hex, colons allowed. It replaces the check against CAs.
    :param validate_certs: False accepts any certificate. Explicit, and ignored when a fingerprint is pinned.
    :param timeout: seconds for one whole request, connecting and reading the body included.
    :param max_body_bytes: a larger body is a ``BadResponse``.
    :param pool_size: idle connections kept. It does not limit how many are used at once.
    :param option_prefix: what stands before ``ca_path`` and ``validate_certs`` in the advice of error messages.
    """

    base_url: str
    ca_path: Optional[str] = None
    fingerprint: Optional[str] = None
    validate_certs: bool = True
    timeout: float = 30.0
    max_body_bytes: int = 32 * 1024 * 1024
    pool_size: int = 4
    option_prefix: str = ""


class Endpoint:
    """One server: where it is, what is believed of it, and what its failures are called. The part that clients share.

    :raises InvalidInput: the URL, ``ca_path`` or fingerprint can't be used.
    """

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        parts = urlsplit(options.base_url)
        try:
            port = parts.port
        except ValueError:
            raise InvalidInput(f"{options.base_url}: the port is not a number from 1 to 65535") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(f"{options.base_url!r} is not a URL of the form https://host[:port]")
        if parts.username is not None or parts.password is not None:
            raise InvalidInput("a URL must not hold a user name or password: give them as options")
        self.host: str = parts.hostname
        self.port: int = port or (443 if parts.scheme == "https" else 80)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._tls = parts.scheme == "https"
        self._fingerprint = clean_fingerprint(options.fingerprint)
        if self._tls:
            self.context()

    @property
    def address(self) -> str:
        """``host:port`` for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def context(self) -> Optional[ssl.SSLContext]:
        """How to speak TLS to it; None: not at all."""
        return tls_context(self.options.ca_path, self._trusted) if self._tls else None

    @property
    def _trusted(self) -> bool:
        return self.options.validate_certs and self._fingerprint is None

    def target(self, url: str) -> str:
        """A request's URL as it stands in the request line.

        :raises InvalidInput: it leads to another host.
        """
        if "://" not in url.split("?", 1)[0]:
            return self._prefix + (url if url.startswith("/") else "/" + url)
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            port = -1
        if (parts.scheme == "https", parts.hostname, port) != (self._tls, self.host, self.port):
            raise InvalidInput(
                f"{self.address}: {url[:200]} leads to another host; credentials are not sent there",
                address=self.address,
            )
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def check_pin(self, sock: Any) -> None:
        """:raises CertificateInvalid: a fingerprint is pinned, and this connection's certificate has another one."""
        if self._fingerprint is not None and fingerprint_of(sock) != self._fingerprint:
            raise CertificateInvalid(
                f"{self.address}: the certificate is not the pinned one; it has the fingerprint "
                f"{fingerprint_of(sock)}. Replaced certificate or an impostor: check it, then change the fingerprint",
                address=self.address,
                fingerprint=fingerprint_of(sock),
            )

    # -- failures -----------------------------------------------------------------------------------------------------------

    def timed_out(self, seconds: float, request: HttpRequest) -> TimedOut:
        return TimedOut(
            f"{self.address}: no answer within {round(seconds, 1):g} s ({request.method} {request.url[:200]})",
            address=self.address,
            seconds=seconds,
        )

    def failed(self, error: OSError) -> Unreachable:
        """A connection that could not be made or broke, in words."""
        if isinstance(error, ssl.SSLError):
            why = f"TLS failed ({error.reason or error}); is this an HTTPS port, and does it speak TLS 1.2?"
        elif isinstance(error, socket.gaierror):
            return Unreachable(f"{self.host}: the name can't be resolved", address=self.address)
        else:
            why = os.strerror(error.errno).lower() if error.errno else (str(error) or type(error).__name__).lower()
        return Unreachable(f"{self.address}: {why}", address=self.address)

    def incomplete(self, why: str) -> BadResponse:
        return BadResponse(f"{self.address}: not a complete HTTP answer ({why[:120]})", address=self.address)

    def too_large(self) -> BadResponse:
        return BadResponse(
            f"{self.address}: the body is larger than {self.options.max_body_bytes} bytes", address=self.address
        )

    def untrusted(self, why: str, fingerprint: Optional[str]) -> CertificateInvalid:
        """:param fingerprint: of the refused certificate, if it is known."""
        prefix = self.options.option_prefix
        pin = f"{prefix}fingerprint: {fingerprint} once you have checked it" if fingerprint else f"{prefix}fingerprint"
        return CertificateInvalid(
            f"{self.address}: the TLS certificate is not trusted ({why}). Give its CA as {prefix}ca_path, "
            f"pin it with {pin}, or turn the check off with {prefix}validate_certs: false",
            address=self.address,
            reason=why,
            fingerprint=fingerprint,
        )

    def unpacked(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The body without its content encoding.

        :raises BadResponse: it is not gzip as its header says, or too large.
        """
        if headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip") or not body:
            return body
        limit = self.options.max_body_bytes
        try:
            plain = zlib.decompressobj(31).decompress(body, limit + 1)
        except zlib.error as error:
            raise BadResponse(
                f"{self.address}: a body that is not gzip as its header says", address=self.address
            ) from error
        if len(plain) > limit:
            raise self.too_large()
        return plain


class HttpClient(Endpoint):
    """Thread-safe :class:`fleetcore.ports.Http`.

    A request that found its kept connection closed by the server is sent once more on a new one, when its method is idempotent.

    :raises InvalidInput: the URL, ``ca_path`` or fingerprint can't be used (from the constructor), or a request's URL
        leads to another host than ``base_url``.
    """

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(self, request: HttpRequest) -> HttpResponse:
        """See :class:`fleetcore.ports.Http`; besides, ``BadResponse`` for an answer that is not HTTP, truncated or too large."""
        target = self.target(request.url)
        seconds = self.options.timeout if request.timeout is None else request.timeout
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
        """An answer whose body is read line by line as it comes, on a connection of its own; close it.

        :param quiet: seconds without a byte of the body after which it counts as lost: ``TimedOut``.
        """
        target = self.target(request.url)
        seconds = self.options.timeout if request.timeout is None else request.timeout
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
                    line = answer.readline(_CHUNK)
                if not line:
                    return
                yield line

        def close() -> None:
            answer.close()
            connection.close()

        return HttpStream(answer.status, headers, lines(), close)

    @contextlib.contextmanager
    def _in_words(self, request: HttpRequest, seconds: float, deadline: float) -> Iterator[None]:
        """Failures of the exchange inside as errors of :mod:`.errors`."""
        try:
            yield
        except socket.timeout as error:
            raise self.timed_out(seconds, request) from error
        except ssl.SSLCertVerificationError as error:
            raise self.untrusted(error.verify_message, self._refused_fingerprint(deadline)) from error
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

    # -- one exchange ---------------------------------------------------------------------------------------------------

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
        limit = self.options.max_body_bytes
        chunks = []
        size = 0
        while True:
            chunk = answer.read(min(_CHUNK, limit + 1 - size))
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise self.too_large()
        if answer.length:  # read(n) does not notice that the server closed before Content-Length bytes came
            raise http.client.IncompleteRead(b"", answer.length)
        return self.unpacked(headers, b"".join(chunks))

    def _refused_fingerprint(self, deadline: float) -> Optional[str]:
        """Look at the refused certificate once more, sending nothing, so that the message can name its fingerprint."""
        try:
            raw = socket.create_connection((self.host, self.port), timeout=_left(deadline))
            with raw, tls_context(None, False).wrap_socket(raw, server_hostname=self.host) as sock:
                return fingerprint_of(sock)
        except OSError:
            return None


# -- TLS -----------------------------------------------------------------------------------------------------------------


def clean_fingerprint(value: Optional[str]) -> Optional[str]:
    """``aa:bb:...`` or plain hex of a SHA-256 digest as lower-case hex with colons.

    :raises InvalidInput: not 32 bytes in hex.
    """
    if value is None or not value.strip():
        return None
    text = value.strip().lower()
    text = text[7:] if text.startswith(("sha256:", "sha256=")) else text
    digits = text.replace(":", "").replace(" ", "")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput(
            "fingerprint: expected the SHA-256 of the certificate, 64 hex digits with or without colons; "
            "`openssl x509 -noout -fingerprint -sha256` prints it",
            field="fingerprint",
        )
    return ":".join(digits[i : i + 2] for i in range(0, 64, 2))


def fingerprint_of(sock: Any) -> str:
    """SHA-256 of the peer's certificate of a connected TLS socket, in the form of :func:`clean_fingerprint`."""
    return clean_fingerprint(hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()) or ""


@functools.lru_cache(maxsize=64)
def tls_context(ca_path: Optional[str], verify: bool) -> ssl.SSLContext:
    """One per setting for the whole process.

    :raises InvalidInput: no certificates in ``ca_path``.
    """
    try:
        if ca_path is None:
            context = ssl.create_default_context()
        elif os.path.isdir(ca_path):
            context = ssl.create_default_context(capath=ca_path)
        else:
            context = ssl.create_default_context(cafile=ca_path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError: not PEM
        raise InvalidInput(f"ca_path {ca_path}: not readable as PEM certificates ({error})", field="ca_path") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Old BMCs have 1024-bit keys; who has turned verification off, or pinned the certificate, wants to reach them.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


# -- time and sockets ------------------------------------------------------------------------------------------------------


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _still_open(connection: http.client.HTTPConnection) -> bool:
    """Nothing to read on an idle connection: data or end-of-file there means that the server gave it up."""
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
        self.fp = io.BufferedReader(_TimedReader(sock, deadline), _CHUNK)
