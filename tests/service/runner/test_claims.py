# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cycle per request, counted by the BMCs: killed runners, two runners for the same machines, lost sessions."""

from __future__ import annotations

import itertools
import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from runner_line import PASSWORD, Line, until
from runner_lives import POINTS, Lives

from fleetlab.farm import BmcSpec, running_farm

FEW, MANY = len(POINTS) + 4, 50  # kills: each point once and some at any moment; as many as a storm has
OTHERS = 20  # machines of the tests that need one or some


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    lives = Lives()
    yield lives
    lives.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Line]:
    """A server with as many machines as the tests of this file take."""
    storm = any(item.get_closest_marker("storm") for item in request.session.items)
    count = FEW + len(POINTS) + OTHERS + (MANY if storm else 0)
    specs = [BmcSpec(name=f"m{index:03}", index=index, password=PASSWORD) for index in range(count)]
    with running_farm(specs) as farm:
        line = Line(tmp_path_factory.mktemp("fleet"), {bmc.name: bmc for bmc in farm.bmcs})
        with line.serving():
            for name in line.bmcs:
                line.client.create_machine({"id": name})
            yield line
        line.client.close()


@pytest.fixture(scope="module")
def unused(fleet: Line) -> Iterator[str]:
    """Machines that no test has had yet."""
    return iter(sorted(fleet.bmcs))


def start(lives: Lives, line: Line, state: str, point: str = "", sign: str = "SIGKILL", **settings: object) -> int:
    given = {"poll_seconds": 0.1, "waves": {"size": 20}, "max_runs": 50, **settings}
    env = {f"FLEETD_RUNNER__{k.upper()}": v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
    env |= {**line.env, "FLEETD_TOKEN": line.token, "FLEETD_RUNNER__SERVER_URL": line.url}
    env["LIFE_SIGNAL"] = sign
    argv = ["-i", str(line.inventory), "--state-dir", str(line.directory / state)]
    return lives.start(argv, env, line.directory / f"{state}.log", point)


def verified(line: Line, requests: dict[str, str]) -> bool:
    done = {p["id"] for p in line.client.powercycles(state="verified")}
    return set(requests.values()) <= done


@pytest.mark.parametrize("kills", [FEW, pytest.param(MANY, marks=pytest.mark.storm)])
def test_a_runner_that_is_killed_again_and_again_cycles_each_machine_once(
    lives: Lives, fleet: Line, unused: Iterator[str], kills: int
) -> None:
    """Each life is killed at a point or at any time; the next goes on with what it left, and gets a new request."""
    requests: dict[str, str] = {}
    chance = random.Random(6)
    points = list(itertools.islice(itertools.cycle([*POINTS, "", ""]), kills))
    for point, machine in zip(points, unused, strict=False):
        requests[machine] = fleet.request(machine)
        life = start(lives, fleet, "killed", point)
        if not point:
            time.sleep(chance.uniform(0.05, 1.0))  # any moment of its life
            lives.stop(life, signal.SIGKILL)
        else:
            assert lives.wait(life) == -signal.SIGKILL, (
                f"{point}: {(fleet.directory / 'killed.log').read_text()[-3000:]}"
            )
    last = start(lives, fleet, "killed")
    until(lambda: verified(fleet, requests), "all are verified", 90)
    assert lives.stop(last) == 0
    assert {m: fleet.power(m) for m in requests} == {m: ["off", "on"] for m in requests}
    assert fleet.client.work() == [], "nothing is held any more"


def test_a_runner_that_is_stopped_at_any_point_ends_in_order_and_leaves_no_machine_off(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    """SIGTERM at each point, from inside: what has begun is finished and told, what has not is left or given back."""
    requests: dict[str, str] = {}
    for point, machine in zip(POINTS, unused, strict=False):
        requests[machine] = fleet.request(machine)
        life = start(lives, fleet, "stopped", point, sign="SIGTERM")
        assert lives.wait(life) == 0, f"{point}: {(fleet.directory / 'stopped.log').read_text()[-3000:]}"
        assert fleet.power(machine)[-1:] != ["off"], point
        assert fleet.client.work() == [], f"{point}: nothing is held any more"
    log = fleet.directory / "stopped.log"
    began = log.read_text().count("runner_started")
    last = start(lives, fleet, "stopped")
    until(lambda: log.read_text().count("runner_started") > began, "it is there")
    until(lambda: verified(fleet, requests), "all are verified", 90)
    assert lives.stop(last) == 0
    assert {m: fleet.power(m) for m in requests} == {m: ["off", "on"] for m in requests}


def test_two_runners_for_the_same_machines_cycle_each_once(lives: Lives, fleet: Line, unused: Iterator[str]) -> None:
    machines = list(itertools.islice(unused, 10))
    runners = [start(lives, fleet, f"twin{n}") for n in (1, 2)]
    requests = {m: fleet.request(m) for m in machines}
    until(lambda: verified(fleet, requests), "all are verified", 90)
    for runner in runners:
        assert lives.stop(runner) == 0
    assert {m: fleet.power(m) for m in machines} == {m: ["off", "on"] for m in machines}
    by = {
        s["runner"] for r in requests.values() for s in fleet.client.powercycle(r)["steps"] if s["state"] == "verified"
    }
    assert by


def test_what_a_runner_claimed_and_never_began_goes_to_another(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    machine = next(unused)
    requests = {machine: fleet.request(machine)}
    assert lives.wait(start(lives, fleet, "gone", "before:running", lease_seconds=1)) == -signal.SIGKILL
    assert fleet.client.powercycle(requests[machine])["state"] == "claimed"
    other = start(lives, fleet, "other")
    until(lambda: verified(fleet, requests), "verified", 90)
    assert lives.stop(other) == 0
    assert fleet.power(machine) == ["off", "on"]


def test_what_a_runner_claimed_and_never_began_is_done_by_its_next_life(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    """Nobody else gets it, for the session goes on; and nothing else makes the runner look at its claims."""
    machine = next(unused)
    requests = {machine: fleet.request(machine)}
    assert lives.wait(start(lives, fleet, "again", "before:running")) == -signal.SIGKILL
    assert fleet.client.powercycle_list() == []
    again = start(lives, fleet, "again")
    until(lambda: verified(fleet, requests), "verified", 90)
    assert lives.stop(again) == 0
    assert fleet.power(machine) == ["off", "on"]


def test_a_runner_that_dies_with_the_outcome_leaves_nothing_to_do(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    """The run itself has told the server; the next life of the runner only learns that it was so."""
    machine = next(unused)
    requests = {machine: fleet.request(machine)}
    assert lives.wait(start(lives, fleet, "late", "after:verified", lease_seconds=1)) == -signal.SIGKILL
    until(lambda: verified(fleet, requests), "verified", 90)
    back = start(lives, fleet, "late")
    until(lambda: '"next": "done"' in (fleet.directory / "late.log").read_text(), "settled", 90)
    assert lives.stop(back) == 0
    assert fleet.power(machine) == ["off", "on"]


def test_a_run_whose_runner_is_gone_reports_itself_and_nobody_cycles_again(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    machine = next(unused)
    requests = {machine: fleet.request(machine)}
    assert lives.wait(start(lives, fleet, "absent", "after:start", lease_seconds=60)) == -signal.SIGKILL
    until(lambda: verified(fleet, requests), "verified, with no runner there", 90)
    assert fleet.power(machine) == ["off", "on"]
    assert fleet.client.work() == []


def test_a_run_that_begins_after_its_claim_is_over_does_nothing(
    lives: Lives, fleet: Line, unused: Iterator[str]
) -> None:
    """The hole of the leases: a runner is dead for longer than they last, and its playbook has yet to begin."""
    machine = next(unused)
    hosts = fleet.hosts()
    fleet.write_inventory({**hosts, machine: {**hosts[machine], "begins_after": 6}})
    requests = {machine: fleet.request(machine)}
    assert lives.wait(start(lives, fleet, "first", "after:start", lease_seconds=1)) == -signal.SIGKILL
    fleet.write_inventory(hosts)
    until(lambda: machine in fleet.client.powercycle_list(), "the session is over", 60)
    second = start(lives, fleet, "second")
    until(lambda: verified(fleet, requests), "verified by the second runner", 90)
    first = start(lives, fleet, "first")
    until(lambda: "cycle_failed" in (fleet.directory / "first.log").read_text(), "the late run was refused", 90)
    for runner in (first, second):
        assert lives.stop(runner) == 0
    assert fleet.power(machine) == ["off", "on"]


def test_a_token_that_is_revoked_in_mid_cycle_costs_one_line_and_no_second_cycle(lives: Lives, tmp_path: Path) -> None:
    """What was done is told with the next token, under a new claim: the session was the old token's."""
    with running_farm([BmcSpec(name="m", password=PASSWORD)]) as farm:
        line = Line(tmp_path, {"m": farm.bmcs[0]})
        with line.serving():
            line.client.create_machine({"id": "m"})
            line.token = line.fleetd("token", "create", "--name", "first", "--scope", "runner", "--token-only")
            revoked = line.directory / "revoked"
            line.write_inventory({"m": {**line.hosts()["m"], "off_until": str(revoked)}})
            request = line.request("m")
            runner = start(lives, line, "state", lease_seconds=8)
            until(lambda: line.power("m") == ["off"], "off")
            line.fleetd("token", "revoke", "first")
            log = line.directory / "state.log"
            until(lambda: "authentication_failed" in log.read_text(), "said")
            revoked.touch()
            until(lambda: line.power("m") == ["off", "on"], "on")
            assert lives.stop(runner) == 0
            said = [text for text in log.read_text().splitlines() if '"server_down"' in text]
            assert len([text for text in said if "authentication_failed" in text]) == 1
            assert line.client.powercycle(request)["state"] != "verified"
            line.token = line.fleetd("token", "create", "--name", "second", "--scope", "runner", "--token-only")
            runner = start(lives, line, "state", lease_seconds=8)
            until(lambda: line.client.powercycle(request)["state"] == "verified", "verified", 90)
            assert lives.stop(runner) == 0
        assert line.power("m") == ["off", "on"]
        line.client.close()


def test_a_server_that_is_away_between_cycle_and_report(lives: Lives, tmp_path: Path) -> None:
    """The session is lost meanwhile, and so is the claim: the cycle counts all the same, and once."""
    with running_farm([BmcSpec(name="m", password=PASSWORD)]) as farm:
        line = Line(tmp_path, {"m": farm.bmcs[0]})
        with line.serving():
            line.client.create_machine({"id": "m"})
            away = line.directory / "away"
            line.write_inventory({"m": {**line.hosts()["m"], "off_until": str(away)}})
            request = line.request("m")
            runner = start(lives, line, "state", lease_seconds=8)
            until(lambda: line.power("m") == ["off"], "off")
        away.touch()
        until(lambda: line.power("m") == ["off", "on"], "on")
        time.sleep(8.5)  # longer than its session lasts; without a server nothing tells when that is over
        with line.serving():
            until(lambda: line.client.powercycle(request)["state"] == "verified", "verified", 90)
            assert lives.stop(runner) == 0
        assert line.power("m") == ["off", "on"]
        line.client.close()
