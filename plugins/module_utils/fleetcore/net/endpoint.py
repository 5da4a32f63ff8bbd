# SPDX-License-Identifier: BSD-2-Clause

"""One HTTP server: where it is, what is believed of it, and what its failures are called."""

from __future__ import annotations

import os
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlsplit

from ..errors import BadResponse, CertificateInvalid, InvalidInput, TimedOut, Unreachable
from ..ports import HttpRequest
from .tls import clean_fingerprint, fingerprint_of, tls_context

IDEMPOTENT = frozenset(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
CHUNK = 64 * 1024


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
    """The part that the blocking and the asynchronous client share.

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
        """The TLS context for its connections; None: it speaks plain HTTP."""
        return tls_context(self.options.ca_path, self._trusted) if self._tls else None

    @property
    def _trusted(self) -> bool:
        return self.options.validate_certs and self._fingerprint is None

    def target(self, url: str) -> str:
        """Turn a request's URL into what stands in the request line.

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
        """Compare the certificate of a connection with the pinned one, if one is pinned.

        :raises CertificateInvalid: it has another fingerprint.
        """
        if self._fingerprint is not None and fingerprint_of(sock) != self._fingerprint:
            raise CertificateInvalid(
                f"{self.address}: the certificate is not the pinned one; it has the fingerprint "
                f"{fingerprint_of(sock)}. Replaced certificate or an impostor: check it, then change the fingerprint",
                address=self.address,
                fingerprint=fingerprint_of(sock),
            )

    def refused_fingerprint(self, seconds: float) -> Optional[str]:
        """Look at a refused certificate once more, sending nothing, so that the message can name its fingerprint.

        None: it does not show it within the time.
        """
        try:
            raw = socket.create_connection((self.host, self.port), timeout=max(0.1, seconds))
            with raw, tls_context(None, False).wrap_socket(raw, server_hostname=self.host) as sock:
                return fingerprint_of(sock)
        except OSError:
            return None

    def seconds(self, request: HttpRequest) -> float:
        """The time-out of a request."""
        return self.options.timeout if request.timeout is None else request.timeout

    # -- failures ---------------------------------------------------------------------------------------------------

    def timed_out(self, seconds: float, request: HttpRequest) -> TimedOut:
        return TimedOut(
            f"{self.address}: no answer within {round(seconds, 1):g} s ({request.method} {request.url[:200]})",
            address=self.address,
            seconds=seconds,
        )

    def failed(self, error: OSError) -> Unreachable:
        """Make an error of a connection that could not be made or broke."""
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
        """Make an error of a refused certificate.

        :param fingerprint: of that certificate, if it is known.
        """
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
        """Decode the content encoding of a body.

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


class Body:
    """The body of an answer while it comes.

    :raises BadResponse: from :meth:`add`, when it is larger than the endpoint allows.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def room(self) -> int:
        """How many bytes to ask for at once: one more than allowed is enough to see that it is too large."""
        return min(CHUNK, self._endpoint.options.max_body_bytes + 1 - self._size)

    def expect(self, length: int) -> None:
        """Refuse a piece of this length before it comes."""
        if self._size + length > self._endpoint.options.max_body_bytes:
            raise self._endpoint.too_large()

    def add(self, piece: bytes) -> None:
        self.expect(len(piece))
        self._size += len(piece)
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return b"".join(self._pieces)
