# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1/events: append, list, and the stream that skips nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleetcore.errors import Busy

from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events.model import EventFilter, NewEvent
from fleetd.server.kernel.http import streams
from fleetd.server.kernel.http.request import encode
from fleetd.server.kernel.http.streams import EventStream, Feed, News

DOOR = {"kind": "rack.door_opened", "machine": "m1", "message": "who?", "data": {"rack": "r1"}}


# -- append and list


def test_append_answers_with_numbers_and_the_list_has_them(admin: Any) -> None:
    start = admin.get("/api/v1/events?limit=1").json()["items"][0]["id"]
    made = admin.post("/api/v1/events", json={"items": [DOOR, {"kind": "rack.door_closed"}]})
    assert made.status_code == 201
    first, second = made.json()["items"]
    assert (first["id"], second["id"]) == (start + 1, start + 2)
    assert {name: first[name] for name in DOOR} == DOOR
    assert first["actor"] == "admin"
    assert admin.get("/api/v1/events?limit=2").json()["items"] == [second, first]


def test_pages(admin: Any) -> None:
    admin.post("/api/v1/events", json={"items": [{"kind": f"test.n{number}"} for number in range(5)]})

    def walk(order: str) -> list[str]:
        kinds, cursor = [], None
        while True:
            query = {"kind": "test", "order": order, "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = admin.get("/api/v1/events", params=query).json()
            kinds += [item["kind"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return kinds

    assert walk("oldest") == [f"test.n{number}" for number in range(5)]
    assert walk("newest") == [f"test.n{number}" for number in reversed(range(5))]


def test_filters(admin: Any, clock: Any) -> None:
    admin.post("/api/v1/events", json={"items": [DOOR]})
    clock.forward(60)
    admin.post("/api/v1/machines", json={"id": "m1"})
    admin.post("/api/v1/powercycles", json={"machine": "m1"})

    def kinds(**query: str) -> list[str]:
        return [item["kind"] for item in admin.get("/api/v1/events", params=query).json()["items"]]

    expected = ["powercycle.queued", "machine.created", "rack.door_opened", "token.created"]  # the agent's token
    assert kinds(machine="m1") == expected
    assert kinds(kind="powercycle") == ["powercycle.queued"]
    assert kinds(since=clock.now.isoformat()) == ["powercycle.queued", "machine.created"]
    assert kinds(since="2026-03-01T12:00:30", machine="m1") == ["powercycle.queued", "machine.created"]
    assert kinds(machine="nobody") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [{"kind": "Door"}]}, "items.0.kind"),
        ({"items": [{"kind": "door"}]}, "kind"),
        ({"items": [{"kind": "powercycle.verified"}]}, "kind"),
        ({"items": [{"kind": "rack.door", "machine": "a b"}]}, "items.0.machine"),
        ({"items": [{"kind": "rack.door", "data": {"x": "y" * 20000}}]}, "items.0.data"),
        ({"items": [{"kind": "rack.door", "severity": "high"}]}, "items.0.severity"),
        ({"items": [{"kind": "rack.door"}, {"kind": "machine.created"}]}, "kind"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_stored(admin: Any, body: Any, field: str) -> None:
    before = admin.get("/api/v1/events").json()
    answer = admin.post("/api/v1/events", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field
    assert admin.get("/api/v1/events").json() == before


def test_not_a_number_is_not_json(admin: Any) -> None:
    body = b'{"items": [{"kind": "rack.door", "data": {"x": NaN}}]}'
    answer = admin.post("/api/v1/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("depth", [40, 900, 30_000])
def test_endless_nesting_is_refused(admin: Any, depth: int) -> None:
    body = '{"items": [{"kind": "rack.door", "data": {"x": ' + "[" * depth + "]" * depth + "}}]}"
    answer = admin.post("/api/v1/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("place", ["9" * 19, "0" * 20 + "9" * 30])
def test_numbers_that_no_event_has_are_refused(admin: Any, place: str) -> None:
    assert admin.get("/api/v1/events", params={"cursor": encode(place)}).status_code == 422
    assert admin.get("/api/v1/events/stream", headers={"Last-Event-ID": place}).status_code == 422


@pytest.mark.parametrize("query", ["cursor=Zm9v", "cursor=%00", "since=yesterday", "kind=A", "order=odd", "limit=0"])
def test_odd_queries_are_refused(admin: Any, query: str) -> None:
    assert admin.get(f"/api/v1/events?{query}").status_code == 422


def test_who_may(api: Any) -> None:
    own, other, none = (
        {"items": [{"kind": "agent.started", **({"machine": name} if name else {})}]} for name in ("m1", "m2", None)
    )
    agent = api.client("agent")
    assert agent.post("/api/v1/events", json=own).status_code == 201
    assert agent.post("/api/v1/events", json=other).status_code == 403
    assert agent.post("/api/v1/events", json=none).status_code == 403
    assert agent.get("/api/v1/events").status_code == 403
    assert agent.get("/api/v1/events/stream").status_code == 403
    assert api.client("operator").post("/api/v1/events", json=other).status_code == 201
    assert api.client("viewer").post("/api/v1/events", json=other).status_code == 403
    assert api.client("viewer").get("/api/v1/events").status_code == 200
    assert api.client(None).get("/api/v1/events").status_code == 401
    assert api.client(None).get("/api/v1/events/stream").status_code == 401


def test_a_monitor_that_reports_every_half_minute_does_not_flood_the_log(admin: Any, clock: Any) -> None:
    def report(level: int) -> None:
        event = {
            "type": "raw_state",
            "host": {"name": "phone", "version": "v1"},
            "android": {
                "uptime": 10**9,
                "dumpsys_battery": f"Current Battery Service state:\n level: {level}\n scale: 100",
            },
        }
        assert admin.post("/json/v1/machine/event/", json=event).status_code == 200
        clock.forward(30)

    for level in (90, 89, 88, 20, 19, 18, 90, 89):
        report(level)
    found = admin.get("/api/v1/events?machine=phone&order=oldest").json()["items"]
    assert [(item["kind"], item["message"]) for item in found] == [
        ("machine.created", ""),
        ("hold.set", "Battery low."),
        ("hold.cleared", ""),
    ]


# -- the feed


@pytest.fixture
def services(clock: Any, make_database: Any) -> Services:
    return Services(CAPABILITIES, make_database(clock), clock)


def append(services: Services, *kinds: str) -> None:
    services.events.append([NewEvent(kind, "m1") for kind in kinds])


async def take(listener: AsyncIterator[News], count: int) -> list[int]:
    """The numbers of the next events."""
    seen: list[int] = []
    while len(seen) < count:
        news = await asyncio.wait_for(anext(listener), 60)
        seen += [item.seq for item in news.events]
    return seen


def test_the_feed_tells_everybody_everything_with_few_looks(services: Services) -> None:
    async def scenario() -> None:
        feed = Feed(services.events, period=60)
        listeners = [feed.follow() for _ in range(200)]
        for item in listeners:
            assert await anext(item) == News((), 0)
        before = feed.looks  # each that comes may cause one
        for number in range(10):
            append(services, f"test.n{number}")
            feed.wake()
        for item in listeners:
            assert await take(item, 10) == list(range(1, 11))
        assert feed.looks - before < 30

    asyncio.run(scenario())


def test_a_listener_that_is_far_behind_reads_the_log(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE", 7)

    async def scenario() -> None:
        for _ in range(30):
            append(services, "test.odd", "test.even")
        feed = Feed(services.events, period=60)
        everything = feed.follow(after=0)
        assert await take(everything, 60) == list(range(1, 61))
        filtered = feed.follow(EventFilter(kind="test.even"), after=10)
        assert await take(filtered, 25) == list(range(12, 61, 2))
        append(services, "test.odd", "test.even")
        feed.wake()
        assert await take(everything, 2) == [61, 62]
        assert await take(filtered, 1) == [62]

    asyncio.run(scenario())


def test_a_filter_that_lets_nothing_through_moves_the_readers_place(services: Services) -> None:
    async def scenario() -> None:
        feed = Feed(services.events, period=0.05)
        listener = feed.follow(EventFilter(machine="other"), keep_alive=0.2)
        assert (await anext(listener)).seen == 0
        append(services, "test.x", "test.y")
        feed.wake()
        for _ in range(50):
            news = await asyncio.wait_for(anext(listener), 60)
            assert not news.events
            if news.seen == 2:
                return
        raise AssertionError("its place never moved")

    asyncio.run(scenario())


def test_a_database_that_is_gone_for_a_while(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        feed = Feed(services.events, period=0.05)
        listener = feed.follow(keep_alive=0.2)
        await anext(listener)

        def gone(*_args: object, **_options: object) -> None:
            raise Busy("gone")

        with monkeypatch.context() as patch:
            patch.setattr(services.events, "find", gone)
            append(services, "test.meanwhile")
            assert await asyncio.wait_for(anext(listener), 60) == News((), 0)
        assert await take(listener, 1) == [1]

    asyncio.run(scenario())


def test_numbers_that_the_log_does_not_have(services: Services) -> None:
    async def scenario() -> None:
        append(services, "test.x", "test.y")
        feed = Feed(services.events, period=60)
        ahead = await anext(feed.follow(after=9))
        assert (ahead.missing, ahead.seen) == ((3, 9), 2)

    asyncio.run(scenario())


def test_without_listeners_nobody_looks(services: Services) -> None:
    async def scenario() -> None:
        feed = Feed(services.events, period=0.02)
        listener = feed.follow()
        await anext(listener)
        await listener.aclose()  # type: ignore[attr-defined]
        assert feed._task
        await asyncio.wait_for(feed._task, 60)  # which looks, and ends

    asyncio.run(scenario())


def test_a_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.05)
    ended = []

    async def scenario() -> None:
        async def lines() -> AsyncGenerator[str, None]:
            try:
                while True:
                    yield "data: x\n\n"
            finally:
                ended.append(True)

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
        await asyncio.wait_for(EventStream(lines(), lambda: True)(scope, receive, send), 60)

    asyncio.run(scenario())
    assert ended == [True]


@pytest.mark.parametrize(
    "path", ["/api/v1/events/stream", "/json/v1/machine/sse/description/updated?stream=m1", "/live"]
)
def test_a_stream_ends_with_its_token(api: Any, admin: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(streams, "ASK_SECONDS", 0)
    admin.post("/api/v1/machines", json={"id": "m1"})
    listener = threading.Thread(target=api.client("viewer").get, args=(path,), daemon=True)
    listener.start()
    deadline = time.monotonic() + 60
    while "fleetd_sse_clients{" not in admin.get("/metrics").text:
        assert listener.is_alive()
        assert time.monotonic() < deadline
    assert listener.is_alive(), "a good token keeps it open"
    api.services.tokens.revoke("viewer")
    while listener.is_alive() and time.monotonic() < deadline:
        admin.post("/_/machine/toggle_mode/m1")
        listener.join(0.2)
    assert not listener.is_alive()


# -- real servers


class Reader:
    """Reads a stream over reconnects, as an EventSource does: with the last id that it has seen."""

    def __init__(self, secret: str) -> None:
        self.headers = {"Authorization": f"Bearer {secret}"}
        self.last: str | None = None
        self.seen: list[int] = []
        self.gaps: list[Any] = []
        self.connected = threading.Event()

    def read(self, url: str, until: int, query: str = "") -> None:
        """Until ``until`` events were seen; the end of the connection is none of an error."""
        headers = {**self.headers, **({"Last-Event-ID": self.last} if self.last else {})}
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.stream("GET", f"{url}/api/v1/events/stream{query}", headers=headers, timeout=60) as answer,
        ):
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            self.connected.set()
            for block in _blocks(answer.iter_lines()):
                self.last = block.get("id", self.last)
                if "data" in block and block["event"] != "gap":
                    self.seen.append(json.loads(block["data"])["id"])
                elif "data" in block:
                    self.gaps.append(json.loads(block["data"]))
                if len(self.seen) >= until:
                    return


def _blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    block: dict[str, str] = {}
    for line in lines:
        if not line:
            yield block
            block = {}
        elif not line.startswith(":"):
            name, _colon, value = line.partition(": ")
            block[name] = value


def _append(url: str, secret: str, count: int) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
        for number in range(count):
            answer = client.post("/api/v1/events", json={"items": [{"kind": f"test.n{number}"}] * 2})
            assert answer.status_code == 201, answer.text


def test_nothing_is_skipped_over_reconnects_and_a_killed_server(
    tmp_path: Path, run_fleetd: Any, serve_fleetd: Any
) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    reader = Reader(secret)
    with serve_fleetd(tmp_path) as (url, process):
        _append(url, secret, 5)
        reader.read(url, 4, "?after=0")  # and goes away
        _append(url, secret, 5)
        late = threading.Thread(target=reader.read, args=(url, 10**6))
        late.start()
        _append(url, secret, 10)
        process.kill()
        late.join(60)
        assert not late.is_alive()
    with serve_fleetd(tmp_path) as (url, process):
        _append(url, secret, 5)
        last = httpx.get(f"{url}/api/v1/events?limit=1", headers=reader.headers).json()["items"][0]["id"]
        reader.read(url, last)
        assert reader.seen == list(range(1, last + 1))
        assert last >= 51  # 50 appended, and the first token
        # A stop does not wait for those who listen.
        reader.connected.clear()
        idle = threading.Thread(target=reader.read, args=(url, 10**6))
        idle.start()
        assert reader.connected.wait(60)
        process.terminate()
        assert process.wait(60) == 0
        idle.join(60)
        assert not idle.is_alive()


@pytest.mark.postgres
def test_nothing_is_skipped_between_two_servers_that_both_write(
    tmp_path: Path, clean_postgres_url: str, run_fleetd: Any, serve_fleetd: Any
) -> None:
    secret = run_fleetd("init", "--database-url", clean_postgres_url, "--token-only").stdout.strip()
    writers, each = 4, 20
    with serve_fleetd(tmp_path) as (first, _one), serve_fleetd(tmp_path) as (second, _two):
        threads = [
            threading.Thread(target=_append, args=(url, secret, each))
            for url in (first, second)
            for _ in range(writers // 2)
        ]
        for thread in threads:
            thread.start()
        reader = Reader(secret)
        whole = 1 + writers * each * 2
        places = (first, second)
        for turn in range(whole):  # ten events from here, ten from there
            reader.read(places[turn % 2], min(whole, len(reader.seen) + 10), "?after=0")
            if len(reader.seen) >= whole:
                break
        for thread in threads:
            thread.join(60)
    assert reader.seen == list(range(1, whole + 1))
    assert reader.gaps == []
