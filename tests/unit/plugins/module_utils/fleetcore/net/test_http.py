# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP adapter against a real server of the standard library."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import socket
import threading
import time

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    BadResponse,
    InvalidInput,
    TimedOut,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.http import HttpClient, HttpOptions
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.tls import clean_fingerprint
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpRequest


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, "get_" + self.path.strip("/").split("?")[0], self.get_plain)()

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body, length=None, **headers):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def get_plain(self):
        self.answer(self.path.encode() + b" " + str(self.client_address[1]).encode())

    def get_big(self):
        self.answer(b"x" * 5000)

    def get_bomb(self):
        self.answer(gzip.compress(b"x" * 100_000), Content_Encoding="gzip")

    def get_zipped(self):
        self.answer(gzip.compress(b"hello"), Content_Encoding="gzip")

    def get_truncated(self):
        self.answer(b"abc", length=100)
        self.close_connection = True

    def get_last(self):
        self.answer(b"bye")
        self.close_connection = True  # without saying so

    def get_drip(self):
        self.answer(b"", length=5000)
        while not self.server.wait.wait(0.1):
            self.wfile.write(b"x")
        self.close_connection = True

    def get_stream(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in (b": hello\n", b"\n", b"data: up", b"date\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        if self.path.endswith("?quiet"):
            self.server.wait.wait(120)
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def get_hang(self):
        self.server.wait.wait(120)
        self.close_connection = True

    def get_moved(self):
        self.send_response(302)
        self.send_header("Location", "/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

    def handle(self):
        with contextlib.suppress(OSError):
            super().handle()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # the default of 5 makes the kernel drop connections that come at once

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wait = threading.Event()
        self.closed = threading.Event()

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.closed.set()


@pytest.fixture(scope="module")
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.wait.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def url(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def client(url):
    client = HttpClient(HttpOptions(url, timeout=60, max_body_bytes=4000))
    yield client
    client.close()


def get(client, path):
    return client.send(HttpRequest("GET", path))


def test_the_connection_is_kept(client):
    assert get(client, "/a").body == get(client, "/a").body


def test_a_connection_that_the_server_closed_is_replaced(server, client):
    server.closed.clear()
    assert get(client, "/last").body == b"bye"
    assert server.closed.wait(60)
    assert client.send(HttpRequest("POST", "/", {}, b"data")).body == b"data"


def test_a_stream_is_read_line_by_line(client):
    stream = client.stream(HttpRequest("GET", "/stream"), 20)
    assert (stream.status, stream.headers["transfer-encoding"]) == (200, "chunked")
    assert list(stream.lines) == [b": hello\n", b"\n", b"data: update\n", b"\n"]
    stream.close()


def test_a_stream_that_falls_silent_is_lost(client):
    stream = client.stream(HttpRequest("GET", "/stream?quiet"), 0.3)
    with pytest.raises(TimedOut, match=r"0\.3 s"):
        list(stream.lines)
    stream.close()
    stream.close()


def test_a_stream_from_nowhere():
    with pytest.raises(Unreachable):
        HttpClient(HttpOptions("http://127.0.0.1:9", timeout=60)).stream(HttpRequest("GET", "/"), 1)


def test_threads_have_connections_of_their_own(client):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(client, "/a").status)) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 8


def test_a_prefix_and_absolute_urls(url):
    client = HttpClient(HttpOptions(url + "/fleet/"))
    assert get(client, "/a").body.startswith(b"/fleet/a ")
    assert get(client, url + "/b?c=d").body.startswith(b"/b?c=d ")


@pytest.mark.parametrize("target", ["http://evil.example/a", "https://127.0.0.1/a", "http://127.0.0.1:1/"])
def test_credentials_do_not_leave_the_host(client, target):
    with pytest.raises(InvalidInput, match="leads to another host"):
        get(client, target)


def test_redirects_are_answers(client):
    assert get(client, "/moved").status == 302


def test_gzip_is_unpacked_within_the_limit(client):
    assert get(client, "/zipped").body == b"hello"
    with pytest.raises(BadResponse, match="larger than 4000 bytes"):
        get(client, "/bomb")


def test_too_large(client):
    with pytest.raises(BadResponse, match="larger than 4000 bytes"):
        get(client, "/big")


def test_truncated(client):
    with pytest.raises(BadResponse, match="not a complete HTTP answer"):
        get(client, "/truncated")


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_time_out_is_for_the_whole_request(url, path):
    client = HttpClient(HttpOptions(url, timeout=0.8))
    begin = time.monotonic()
    with pytest.raises(TimedOut, match="no answer within"):
        get(client, path)
    assert time.monotonic() - begin < 60  # the server goes on for longer


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}: connection refused"):
        get(HttpClient(HttpOptions(f"http://127.0.0.1:{port}")), "/")


def test_tls_to_a_port_that_has_none(url):
    with pytest.raises(Unreachable, match="TLS failed"):
        get(HttpClient(HttpOptions(url.replace("http:", "https:"), timeout=60)), "/")


@pytest.mark.parametrize("url", ["", "10.0.0.1", "ftp://a", "https://", "https://a:99999", "https://root:secret@a"])
def test_malformed_urls(url):
    with pytest.raises(InvalidInput) as caught:
        HttpClient(HttpOptions(url))
    assert "secret" not in caught.value.message


def test_a_ca_path_that_is_none(tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing"):
        with pytest.raises(InvalidInput, match="ca_path"):
            HttpClient(HttpOptions("https://a", ca_path=str(path)))


def test_fingerprints():
    plain = "AB" * 32
    assert clean_fingerprint(plain) == clean_fingerprint("sha256:" + ":".join(["ab"] * 32)) == ":".join(["ab"] * 32)
    assert clean_fingerprint("") is None
    with pytest.raises(InvalidInput, match="64 hex digits"):
        clean_fingerprint("ab:cd")
