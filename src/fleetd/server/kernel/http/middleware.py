# SPDX-License-Identifier: BSD-2-Clause
"""Around every request: a size limit, security headers, slashes in ids, figures."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import unquote

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers as RawHeaders
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetd.server.kernel.http import errors

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}


class HeaderLimit:
    """Refuses a request whose headers are too large with 431."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and sum(len(name) + len(value) for name, value in scope["headers"]) > self.max_bytes:
            text = f"the headers are larger than {self.max_bytes} bytes (server.max_header_bytes)"
            answer = errors.render(Request(scope), 431, "too_large", text, details={"limit": self.max_bytes})
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


class BodyLimit:
    """Reads the body of a request before anything else sees it.

    One that is too large is refused with 413, one that is too slow with 408.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._read(receive)
        except TimeoutError:
            text = f"the body has not arrived within {self.seconds:g} s (server.body_seconds)"
            refusal = errors.render(Request(scope), 408, "timeout", text, headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return
        except _TooLarge:
            text = f"the body is larger than {self.max_bytes} bytes (server.max_body_bytes)"
            details = {"limit": self.max_bytes}
            await errors.render(Request(scope), 413, "too_large", text, details=details)(scope, receive, send)
            return
        if body is None:
            return  # half a body: nobody is there to answer, and nothing was done
        whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            if whole is None:
                return await receive()
            message, whole = whole, None
            return message

        await self.app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """All of it; None if the client went away before the end."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.max_bytes:
                raise _TooLarge
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


class _TooLarge(Exception):
    pass


class Headers:
    """Security headers on every answer; nothing of the fleet in shared caches."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class EncodedSlashes:
    """In /api/v1 an id is one path segment: its slashes come as %2F and stay so until ``fields.PathId``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and raw.startswith(b"/api/v1/") and b"%2f" in raw.lower():
            text = raw.decode("ascii", "replace").replace("%2F", "%252F").replace("%2f", "%252F")
            scope["path"] = unquote(text)
        await self.app(scope, receive, send)


class Figures:
    """Counts requests by route and status, and their seconds."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter(
            "fleetd_http_requests",
            "Requests by route, method and status",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "fleetd_http_request_seconds",
            "Seconds until the end of an answer, streams of events excepted",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._streams = Gauge(
            "fleetd_sse_clients", "Clients that listen to a stream of events", ["route"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0
        stream = None

        async def watch(message: Message) -> None:
            nonlocal status, stream
            if message["type"] == "http.response.start":
                status = message["status"]
                if RawHeaders(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                    stream = self._streams.labels(_route(scope))
                    stream.inc()
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            name = _route(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(name, method, str(status)).inc()
            if stream is None:
                self._seconds.labels(name).observe(time.perf_counter() - started)
            else:
                stream.dec()


def _route(scope: Scope) -> str:
    """The template of the path, so that there are few."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "none"))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
