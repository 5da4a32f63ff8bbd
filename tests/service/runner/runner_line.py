# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server, runners, and the virtual BMCs that they work on."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from warm import warm_fleetd

from fleetlab.farm import Bmc
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
        self.write_inventory(self.hosts())
        self.client = ServerClient(HttpClient(HttpOptions(self.url)), SystemClock(), self.url, token=self.token)

    def hosts(self) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "bmc_address": "127.0.0.1", "bmc_redfish_port": bmc.port, "bmc_fingerprint": bmc.fingerprint,
                "bmc_drivers": ["redfish"], "bmc_username": bmc.username, "bmc_password": PASSWORD,
            }
            for name, bmc in self.bmcs.items()
        }  # fmt: skip

    def write_inventory(self, hosts: dict[str, dict[str, Any]]) -> None:
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))

    def fleetd(self, *arguments: str) -> str:
        env = {**os.environ, **self.env}
        done = warm_fleetd().run("fleetd", "--config", str(self.config), *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        log, address = self.directory / "serve.log", ("127.0.0.1", int(self.url.rpartition(":")[2]))
        command = ("--config", str(self.config), "serve")
        with warm_fleetd().start("fleetd", *command, env={**os.environ, **self.env}, out=log, err=log) as server:

            def listens() -> bool:
                assert server.poll() is None, log.read_text()
                with contextlib.suppress(OSError), socket.create_connection(address, 60):
                    return True
                return False

            until(listens, "the server listens")
            yield
            server.terminate()
            server.wait(60)

    def runner(self, *arguments: str, **env: str) -> Child:
        given = {
            "FLEETD_TOKEN": self.token,
            "FLEETD_RUNNER__SERVER_URL": self.url,
            "FLEETD_RUNNER__INVENTORY": json.dumps([str(self.inventory)]),
            "FLEETD_RUNNER__STATE_DIR": str(self.directory / "runner"),
            "FLEETD_RUNNER__POLL_SECONDS": "0.5",
            "FLEETD_RUNNER__EXTRA_VARS": '{"powercycle_off_seconds": 1, "powercycle_graceful_timeout": 2, '
            '"powercycle_verify_timeout": 60}',
        }
        argv = [sys.executable, "-m", "fleetd", "--config", str(self.config), "runner", *arguments]
        return Child(argv, log=self.directory / "runner.log", env={**self.env, **given, **env}, name="runner")

    def request(self, machine: str) -> str:
        return str(self.client.request_powercycle(machine, "a test")["id"])

    def power(self, machine: str) -> list[str]:
        return [e["event"] for e in self.bmcs[machine].power_log]


def until(condition: Callable[[], Any], what: str, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)
