# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole runner with AWX as its executor, killed at every point: one job per request, and no machine twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awx_sim import Awx
from runner_line import Line, until
from runner_lives import AWX_POINTS, Lives

LONG = 250.0  # until the test says that it is over

MACHINES = 30


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    lives = Lives()
    yield lives
    lives.close()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    line = Line(tmp_path_factory.mktemp("awx"), {})
    line.write_inventory({f"m{n:02}": {"bmc_address": f"bmc-{n}"} for n in range(MACHINES)})
    with line.serving():
        for number in range(MACHINES):
            line.client.create_machine({"id": f"m{number:02}"})
        yield line
    line.client.close()


@pytest.fixture
def awx() -> Iterator[Awx]:
    awx = Awx(performs=0.3)
    yield awx
    awx.close()


machine_numbers = iter(range(MACHINES))


class Site:
    """One machine of its own, and a runner for it, in as many lives as the test likes."""

    def __init__(self, lives: Lives, line: Line, awx: Awx, directory: Path) -> None:
        self.lives, self.line, self.awx, self.directory = lives, line, awx, directory
        self.machine = f"m{next(machine_numbers):02}"
        self.log = directory / "runner.log"
        (directory / "token").write_text("right\n")
        self.request = line.request(self.machine)

    def start(self, point: str = "", **settings: object) -> int:
        templates = {"powercycle": "power cycle", "powercycle_check": "check", "power_on": "power on"}
        given = {
            "executor": "awx", "awx": {
                "url": self.awx.url, "token_file": str(self.directory / "token"),
                "templates": {f"baremetal.fleet.{playbook}": name for playbook, name in templates.items()},
            },
            "poll_seconds": 0.1, "pattern": self.machine, "name": self.machine, **settings,
        }  # fmt: skip
        hosts = {"all": {"hosts": {self.machine: {"bmc_address": self.machine}}}}
        inventory = self.directory / "inventory.json"
        inventory.write_text(json.dumps(hosts))
        env = {f"FLEETD_RUNNER__{k.upper()}": v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
        env |= {**self.line.env, "FLEETD_TOKEN": self.line.token, "FLEETD_RUNNER__SERVER_URL": self.line.url}
        argv = ["-i", str(inventory), "--state-dir", str(self.directory / "state")]
        return self.lives.start(argv, env, self.log, point)

    def told(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def until(self, condition: Callable[[], object], what: str) -> None:
        try:
            until(condition, what, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None

    def state(self) -> str:
        return str(self.line.client.powercycle(self.request)["state"])

    def ends(self) -> None:
        """A last life, which does what is left, and an orderly end."""
        before = self.told().count("runner_started")
        last = self.start()
        self.until(lambda: self.told().count("runner_started") > before, "started")
        self.until(lambda: self.state() == "verified", "verified")
        assert self.lives.stop(last) == 0, self.told()


@pytest.fixture
def site(lives: Lives, line: Line, awx: Awx, tmp_path: Path) -> Site:
    return Site(lives, line, awx, tmp_path)


@pytest.mark.parametrize("point", AWX_POINTS)
def test_a_runner_that_is_killed_launches_one_job_per_request(site: Site, point: str) -> None:
    assert site.lives.wait(site.start(point)) == -signal.SIGKILL, site.told()
    site.ends()
    assert len(site.awx.of(7)) == 1
    assert site.awx.power[site.machine] == ["off", "on"]
    assert json.loads(site.awx.of(7)[0]["extra_vars"])["powercycle_machines"] == [site.machine]
    assert [w for w in site.line.client.work() if w["machine"] == site.machine] == []


@pytest.mark.parametrize("when", ["between launch and answer", "while it waits for capacity", "while it runs"])
def test_a_runner_that_dies_while_awx_is_at_work_finds_its_job_again(site: Site, when: str) -> None:
    awx = site.awx
    life: list[int] = []
    kill = contextlib.suppress(ProcessLookupError)

    def launched(template: int) -> None:
        if template == 7 and when == "between launch and answer":
            with kill:
                os.kill(life[0], signal.SIGKILL)

    awx.on_launch = launched
    awx.performs, awx.queue_seconds = LONG, 0 if when == "while it runs" else LONG
    life.append(site.start())
    wanted = {
        "between launch and answer": "pending",
        "while it waits for capacity": "pending",
        "while it runs": "running",
    }
    site.until(lambda: any(job["status"] == wanted[when] for job in awx.of(7)), wanted[when])
    with kill:
        os.kill(life[0], signal.SIGKILL)
    assert site.lives.wait(life[0]) == -signal.SIGKILL
    awx.hurry.set()
    site.ends()
    assert len(awx.of(7)) == 1
    assert awx.power[site.machine] == ["off", "on"]


def test_a_runner_of_other_machines_dead_for_a_long_time_is_not_needed_for_the_end(site: Site) -> None:
    """AWX goes away in the middle of the job, the runner is killed, AWX comes back: what was done is told."""
    awx = site.awx
    awx.performs = LONG
    life = site.start()
    site.until(lambda: awx.power.get(site.machine) == ["off"], "off")
    awx.refuse = lambda _method, _path: 503
    site.until(lambda: "awx_away" in site.told(), "it is said that AWX is away")
    assert site.lives.stop(life, signal.SIGKILL) == -signal.SIGKILL
    awx.hurry.set()
    site.until(lambda: awx.power[site.machine] == ["off", "on"], "done")
    awx.refuse = lambda _method, _path: None
    site.ends()
    assert len(awx.of(7)) == 1


def test_a_stop_waits_for_the_job(site: Site) -> None:
    site.awx.performs = LONG
    life = site.start()
    site.until(lambda: site.awx.power.get(site.machine) == ["off"], "off")
    threading.Timer(2, site.awx.hurry.set).start()
    assert site.lives.stop(life) == 0
    assert (site.state(), site.awx.power[site.machine], site.awx.cancelled) == ("verified", ["off", "on"], [])


def test_a_job_that_awx_cancels_in_the_middle_ends_with_the_machine_on(site: Site) -> None:
    """A person cancels it while the machine is off: a job of its own switches it on and settles the request."""
    awx = site.awx
    awx.performs = LONG
    life = site.start()
    site.until(lambda: awx.power.get(site.machine) == ["off"], "off")
    awx.end(awx.of(7)[0]["id"], "canceled")
    site.until(lambda: site.line.client.powercycle(site.request)["error"], "settled")
    assert site.line.client.powercycle(site.request)["error"]["code"] == "interrupted"
    (rescue,) = awx.of(18)
    assert rescue["limit"] == site.machine
    assert site.lives.stop(life) == 0


def test_a_job_without_its_limit_is_cancelled_before_it_runs_and_the_request_says_why(site: Site) -> None:
    awx = site.awx
    awx.ignore, awx.launch_with, awx.queue_seconds = {"limit": site.machine}, {"limit": "everybody"}, LONG
    life = site.start()
    site.until(lambda: site.line.client.powercycle(site.request)["error"], "failed")
    failed = site.line.client.powercycle(site.request)
    assert failed["error"]["code"] == "not_started"
    assert "AWX ignored limit" in failed["error"]["message"]
    assert awx.of(7)[0]["status"] == "canceled"
    assert site.lives.stop(life) == 0
    awx.hurry.set()
    for performer in awx.performers:
        performer.join(60)
    assert awx.power == {}, "nothing was switched"
