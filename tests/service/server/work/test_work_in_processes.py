# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with real processes: a killed worker, two servers, a database that is gone for a while."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from relay import Relay

from fleetd.common.keeper import SessionKeeper
from fleetlab.process import wait_until

WORKER = """
import json, sys, threading, time
import httpx
url, secret, process = sys.argv[1:]
client = httpx.Client(base_url=url, headers={"Authorization": "Bearer " + secret}, timeout=60)
session = client.post("/api/v1/sessions", json={"component": "worker", "interval": 3.0}).json()["id"]
while True:
    answer = client.post(f"/api/v1/sessions/{session}/heartbeat")
    answer.raise_for_status()
    if not answer.json()["work"]:
        for item in client.post("/api/v1/work/claim", json={"session": session, "process": process}).json()["items"]:
            print(json.dumps(item), flush=True)
    time.sleep(0.3)
"""


@contextlib.contextmanager
def worker(url: str, secret: str, process: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WORKER, url, secret, process]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.wait(60)
        assert started.stdout is not None
        started.stdout.close()


def claimed(process: subprocess.Popen[str], seconds: float) -> Any:
    """The next claim that the worker prints."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(seconds), "no claim in time"
    return json.loads(process.stdout.readline())


def test_a_killed_workers_machine_is_taken_over_and_its_late_report_refused(
    tmp_path: Path, run_fleetd: Any, serve_fleetd: Any
) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    with serve_fleetd(tmp_path, FLEETD_LEASES__REAPER_SECONDS="0.5") as (url, _process):
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"})
        client.post("/api/v1/machines", json={"id": "m1"})
        request = client.post("/api/v1/powercycles", json={"machine": "m1"}).json()["id"]
        with worker(url, secret, "powercycle") as first, worker(url, secret, "powercycle") as second:
            with selectors.DefaultSelector() as selector:
                for process in (first, second):
                    selector.register(process.stdout, selectors.EVENT_READ, process)
                ready = selector.select(60)
            holder = ready[0][0].data
            other = second if holder is first else first
            old = claimed(holder, 60)
            time.sleep(3.5)  # longer than the interval: heartbeats keep it
            assert client.get("/api/v1/work").json()["items"] == [old]
            holder.kill()
            new = claimed(other, 60)
            assert new["fencing_token"] > old["fencing_token"]
            report = f"/api/v1/powercycles/{request}/report"
            late = client.post(report, json={"state": "verified", "fencing_token": old["fencing_token"]})
            assert (late.status_code, late.json()["error"]["details"]["reason"]) == (409, "lease_lost")
            done = client.post(report, json={"state": "verified", "fencing_token": new["fencing_token"]})
            assert (done.status_code, done.json()["state"]) == (200, "verified")
        lines = client.get("/api/v1/work/history").json()["items"]
        assert [(line["outcome"], line["cause"]) for line in reversed(lines)] == [
            ("started", ""),
            ("cancelled", "session expired"),
            ("started", ""),
            ("finished", ""),
        ]


def test_the_reaper_gives_work_back_that_nobody_asks_for(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    with serve_fleetd(tmp_path, FLEETD_LEASES__REAPER_SECONDS="0.2") as (url, _process):
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"})
        client.post("/api/v1/machines", json={"id": "m1"})
        request = client.post("/api/v1/powercycles", json={"machine": "m1"}).json()["id"]
        session = client.post("/api/v1/sessions", json={"component": "x", "interval": 2}).json()["id"]
        client.post("/api/v1/work/claim", json={"session": session, "process": "powercycle"})
        path = f"/api/v1/powercycles/{request}"
        wait_until(lambda: client.get(path).json()["state"] == "queued", 60, "the reaper has given it back")
        assert client.get("/json/v1/powercycle/list").json() == ["m1"]


@pytest.mark.postgres
def test_two_servers_never_claim_a_machine_twice(
    tmp_path: Path, clean_postgres_url: str, run_fleetd: Any, serve_fleetd: Any
) -> None:
    secret = run_fleetd("init", "--token-only", "--database-url", clean_postgres_url).stdout.strip()
    headers = {"Authorization": f"Bearer {secret}"}
    machines = 60
    with serve_fleetd(tmp_path) as (first, _one), serve_fleetd(tmp_path) as (second, _two):
        with httpx.Client(base_url=first, headers=headers) as client:
            for number in range(machines):
                client.post("/api/v1/machines", json={"id": f"m{number}", "lifecycle": "new"}).raise_for_status()
        got: list[str] = []
        errors: list[object] = []

        def work(url: str) -> None:
            with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
                made = client.post("/api/v1/sessions", json={"component": url, "interval": 60})
                body = {"session": made.json()["id"], "process": "onboard", "count": 3}
                while True:
                    answer = client.post("/api/v1/work/claim", json=body)
                    if answer.status_code != 200:
                        errors.append(answer.text)
                        return
                    items = answer.json()["items"]
                    if not items:
                        return
                    got.extend(item["machine"] for item in items)

        threads = [threading.Thread(target=work, args=(url,)) for url in (first, second, first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert Counter(got) == {f"m{number}": 1 for number in range(machines)}
        with httpx.Client(base_url=second, headers=headers) as client:
            items = client.get("/api/v1/work/history?limit=1000").json()["items"]
        assert Counter(item["machine"] for item in items) == Counter(got)


@pytest.mark.postgres
def test_a_session_survives_three_seconds_without_the_database(
    clean_postgres_url: str, tmp_path: Path, open_stores: Any
) -> None:
    directory = clean_postgres_url.rpartition("host=")[2]
    relay = Relay(f"{directory}/.s.PGSQL.5432", str(tmp_path / ".s.PGSQL.5432"))
    relay.up()
    store = open_stores(f"postgresql+psycopg://fleetd@/postgres?host={tmp_path}")
    session = store.work.start("worker", "token", {}, 5).id
    lost = threading.Event()
    with SessionKeeper(lambda: store.work.poke_session(session), 5, lost.set) as keeper:
        time.sleep(2.6)  # one heartbeat
        relay.down()
        time.sleep(3)
        relay.up()
        time.sleep(2)  # past the deadline that stood when it was cut
        assert not keeper.lost
        assert store.work.get_session(session).id == session
    assert not lost.is_set()
    relay.down()
