# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The asynchronous HTTP adapter against a server that answers byte for byte what the test says."""

from __future__ import annotations

import asyncio
import time

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    BadResponse,
    InvalidInput,
    TimedOut,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net import http_async
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.http import HttpOptions
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpRequest

GET = HttpRequest("GET", "/x")
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    """Answers the n-th request with the n-th piece of the script; ``None`` hangs, ``b""`` closes without an answer."""

    def __init__(self, *script, close_after=()):
        self.script = list(script)
        self.close_after = close_after
        self.requests = []
        self.connections = 0
        self.at_once = self.most_at_once = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc):
        self.server.close()

    async def serve(self, reader, writer):
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head)
                number = len(self.requests) - 1
                answer = self.script[min(number, len(self.script) - 1)]
                if answer is None:
                    await asyncio.sleep(200)
                for piece in answer if isinstance(answer, list) else [answer]:
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                        await writer.drain()
                if not answer or number in self.close_after:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.at_once -= 1
            writer.close()


def exchange(*script, count=1, together=False, close_after=(), request=GET, **options):
    """The responses (or errors) to ``count`` requests, the server and the client."""

    async def main():
        async with Server(*script, close_after=close_after) as server:
            client = http_async.AsyncHttpClient(HttpOptions(server.url, **{"timeout": 60.0, **options}))
            try:
                if together:
                    found = await asyncio.gather(
                        *(client.send(request) for _number in range(count)), return_exceptions=True
                    )
                else:
                    found = []
                    for _number in range(count):
                        try:
                            found.append(await client.send(request))
                        except Exception as error:
                            found.append(error)
                        await asyncio.sleep(0.02)
            finally:
                client.close()
            return found, server, client

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HELLO, b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ([HELLO[:20], 0.05, HELLO[20:]], b"hello"),
    ],
)
def test_bodies(answer, body):
    (found,), _server, _client = exchange(answer, close_after=(0,))
    assert found.body == body
    assert found.status in (200, 204)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99999,
        b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 99999,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello",
    ],
)
def test_what_is_no_whole_answer_is_a_bad_response(answer):
    (found,), _server, _client = exchange(answer, close_after=(0,), max_body_bytes=10_000)
    assert isinstance(found, BadResponse), found


def test_connections_are_kept():
    found, server, client = exchange(HELLO, count=5)
    assert [item.body for item in found] == [b"hello"] * 5
    assert server.connections == client.connections == 1


def test_a_kept_connection_that_the_server_closed_is_replaced():
    found, server, _client = exchange(HELLO, count=3, close_after=(0, 1))
    assert [getattr(item, "status", item) for item in found] == [200, 200, 200]
    assert server.connections == 3


def test_a_post_is_not_sent_twice():
    post = HttpRequest("POST", "/x", {}, b"{}")
    found, server, _client = exchange(HELLO, b"", count=2, request=post)
    assert isinstance(found[1], BadResponse)
    assert len(server.requests) == 2


@pytest.mark.parametrize("answer", [None, [b"HTTP/1.1 200 OK\r\n", 200.0], [HELLO[:-1], 200.0]])
def test_time_out(answer):
    begin = time.monotonic()
    (found,), _server, _client = exchange(answer, timeout=0.3)
    assert isinstance(found, TimedOut)
    assert "0.3 s" in found.message
    assert time.monotonic() - begin < 60


def test_drops_of_bytes_do_not_stretch_the_time_out():
    begin = time.monotonic()
    drops = [piece for byte in HELLO for piece in (bytes([byte]), 4.0)]
    (found,), _server, _client = exchange(drops, timeout=0.4)
    assert isinstance(found, TimedOut)
    assert time.monotonic() - begin < 60


def test_a_quick_server_gets_one_connection(monkeypatch):
    monkeypatch.setattr(http_async, "PATIENCE", 60)
    found, server, _client = exchange(HELLO, count=20, together=True)
    assert {item.body for item in found} == {b"hello"}
    assert server.connections == 1


def test_a_slow_server_gets_more_up_to_the_pool(monkeypatch):
    monkeypatch.setattr(http_async, "PATIENCE", 0.02)
    found, server, _client = exchange([0.2, HELLO], count=12, together=True, pool_size=4)
    assert {item.body for item in found} == {b"hello"}
    assert server.most_at_once == server.connections == 4


def test_those_who_wait_behind_a_hanging_request_time_out_too(monkeypatch):
    monkeypatch.setattr(http_async, "PATIENCE", 0.02)
    begin = time.monotonic()
    found, server, _client = exchange(None, count=200, together=True, pool_size=2, timeout=1.5)
    assert [type(item) for item in found] == [TimedOut] * 200
    assert server.connections < 200  # who waited has no time left for a request of its own
    assert time.monotonic() - begin < 60  # two at a time they would take 150 s


def test_cancelled_requests_leave_no_connection_behind():
    async def main():
        async with Server(None) as server:
            client = http_async.AsyncHttpClient(HttpOptions(server.url, timeout=60))
            tasks = [asyncio.ensure_future(client.send(GET)) for _number in range(6)]
            await asyncio.sleep(0.2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.script = [HELLO]
            answer = await asyncio.wait_for(client.send(GET), 60)
            client.close()
            return answer

    assert asyncio.run(main()).body == b"hello"


def test_nobody_there():
    async def main():
        return await http_async.AsyncHttpClient(HttpOptions("http://127.0.0.1:1")).send(GET)

    with pytest.raises(Unreachable, match="connection refused"):
        asyncio.run(main())


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("GET", "http://elsewhere.example/x"),
        HttpRequest("GET", "/a b"),
        HttpRequest("GET", "/a\r\nX: y"),
        HttpRequest("GET", "/x", {"X-Auth-Token": "a\r\nb: c"}),
    ],
)
def test_what_must_not_be_sent(request_):
    (found,), server, _client = exchange(HELLO, request=request_)
    assert isinstance(found, InvalidInput)
    assert server.requests == []
