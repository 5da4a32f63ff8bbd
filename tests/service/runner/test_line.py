# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole line: `fleetd serve`, `fleetd runner`, ansible-runner, the collection's own playbooks, virtual BMCs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetcore.client import ServerClient
from fleetcore.clock import SystemClock
from fleetcore.http import HttpClient, HttpOptions

from fleetlab.farm import Bmc, BmcSpec, running_farm
from fleetlab.process import Child, free_port

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "pw-of-the-virtual-bmcs"


class Line:
    """A server and a runner, started and stopped at will, over the machines of a farm."""

    def __init__(self, directory: Path, bmcs: dict[str, Bmc]) -> None:
        self.directory = directory
        self.bmcs = bmcs
        collections = directory / "collections" / "ansible_collections" / "baremetal"
        collections.mkdir(parents=True)
        (collections / "fleet").symlink_to(ROOT)
        (directory / "ansible.cfg").touch()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.config = directory / "fleetd.yml"
        self.env = {
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        }
        self.token = self.fleetd("init", "--listen", self.url.removeprefix("http://"), "--token-only")
        self.inventory = directory / "inventory.json"
        hosts = {
            name: {
                "bmc_address": "127.0.0.1", "bmc_redfish_port": bmc.port, "bmc_fingerprint": bmc.fingerprint,
                "bmc_drivers": ["redfish"], "bmc_username": bmc.username, "bmc_password": PASSWORD,
            }
            for name, bmc in bmcs.items()
        }  # fmt: skip
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        self.client = ServerClient(HttpClient(HttpOptions(self.url)), SystemClock(), self.url, token=self.token)

    def fleetd(self, *arguments: str) -> str:
        argv = [sys.executable, "-m", "fleetd", "--config", str(self.config), *arguments]
        return subprocess.run(
            argv, env={**os.environ, **self.env}, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def child(self, name: str, **env: str) -> Child:
        argv = [sys.executable, "-m", "fleetd", "--config", str(self.config), name]
        return Child(argv, log=self.directory / f"{name}.log", env={**self.env, **env}, name=name)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with self.child("serve") as server:
            server.wait_for_port(int(self.url.rpartition(":")[2]), 30)
            yield

    def runner(self) -> Child:
        return self.child(
            "runner",
            FLEETD_TOKEN=self.token,
            FLEETD_RUNNER__SERVER_URL=self.url,
            FLEETD_RUNNER__INVENTORY=json.dumps([str(self.inventory)]),
            FLEETD_RUNNER__STATE_DIR=str(self.directory / "runner"),
            FLEETD_RUNNER__POLL_SECONDS="0.5",
            FLEETD_RUNNER__EXTRA_VARS='{"powercycle_off_seconds": 1, "powercycle_graceful_timeout": 2, "powercycle_verify_timeout": 3}',
        )

    def request(self, machine: str) -> str:
        return str(self.client.request_powercycle(machine, "a test")["id"])

    def power(self, machine: str) -> list[str]:
        return [e["event"] for e in self.bmcs[machine].power_log]


def until(condition: Callable[[], Any], what: str, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    specs = [BmcSpec(name=name, index=index, password=PASSWORD) for index, name in enumerate(("good", "bad", "other"))]
    with running_farm(specs) as farm:
        line = Line(tmp_path, {bmc.name: bmc for bmc in farm.bmcs})
        with line.serving():
            for name in line.bmcs:
                line.client.create_machine({"id": name})
        yield line
        line.client.close()


def test_a_request_ends_verified_and_the_bmc_saw_one_cycle(line: Line) -> None:
    with line.serving():
        request = line.request("good")
        with line.runner():
            until(lambda: line.client.powercycle(request)["state"] == "verified", "verified")
            until(lambda: line.client.description("other")["PowerCycleState"] == "available", "available")
            runs = line.directory / "runner" / "runs"
            until(lambda: not list(runs.glob("*/run.json")), "ended runs are discarded")
        seen = line.client.powercycle(request)
        assert [s["state"] for s in seen["steps"]] == ["queued", "claimed", "off", "on", "verified"]
        assert not line.client.description("good")["PowerCycle"]
        assert line.client.powercycle_list() == []
    assert {name: line.power(name) for name in line.bmcs} == {"good": ["off", "on"], "bad": [], "other": []}
    left = [p for p in (line.directory / "runner").rglob("*") if p.is_file() and PASSWORD.encode() in p.read_bytes()]
    assert left == []
    assert PASSWORD not in (line.directory / "runner.log").read_text()


def test_a_completion_that_was_lost_is_not_cycled_again(line: Line) -> None:
    with line.serving():
        request = line.request("good")
        runner = line.runner().start()
        until(lambda: line.client.powercycle(request)["state"] == "claimed", "claimed")
    try:  # the server is gone: nobody hears of the end
        until(lambda: line.power("good") == ["off", "on"], "cycled")
        until(lambda: "server_down" in runner.log.read_text(), "the runner says that the server is down")
    finally:
        runner.stop()
    with line.serving(), line.runner():
        until(lambda: line.client.powercycle(request)["state"] == "verified", "verified")
    assert line.power("good") == ["off", "on"]


def test_a_refused_login_fails_its_machine_and_the_others_go_on(line: Line) -> None:
    hosts = json.loads(line.inventory.read_text())
    hosts["all"]["hosts"]["bad"]["bmc_password"] = "wrong"
    line.inventory.write_text(json.dumps(hosts))
    with line.serving():
        bad, good = line.request("bad"), line.request("good")
        with line.runner():
            until(lambda: line.client.powercycle(good)["state"] == "verified", "the good one is verified")
            until(lambda: line.client.powercycle(bad)["error"], "the bad one has an error")
            until(lambda: line.client.description("bad")["PowerCycleState"] == "in_error", "in_error")
        failed = line.client.powercycle(bad)
        assert (failed["error"]["code"], failed["attempts"]) == ("authentication_failed", 1)
        assert line.client.powercycle_list() == [], "it waits for its backoff"
    assert line.power("bad") == []
