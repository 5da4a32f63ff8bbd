# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines are served, and what is said of their controllers, on fakes of every port."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from fleetcore.errors import InvalidInput
from runner_fakes import broken
from runner_world import World

from fleetd.runner.availability import AvailabilityDuty
from fleetd.runner.config import RunnerSettings, WaveSettings
from fleetd.runner.ports import HostOutcome


def availability(world: World, pattern: str = "all", *, check: bool = True) -> AvailabilityDuty:
    return AvailabilityDuty(
        RunnerSettings(
            inventory=["inv"],
            pattern=pattern,
            check_playbook="check.yml",
            waves=WaveSettings(limits={"fleet_rack": 1}),
            processes=["powercycle" if check else "collect_oob"],
        ),
        world.tools, world.server,
    )  # fmt: skip


def turn(world: World, process: AvailabilityDuty) -> None:
    world.clock.sleep(process.step(accept_work=True))


def test_controllers_are_reported_and_one_that_comes_back_becomes_available(world: World) -> None:
    process = availability(world)
    turn(world, process)
    assert set(process.served) == {"a", "b"}
    world.end("check-1", HostOutcome("a", True), broken("b"))
    turn(world, process)
    assert world.server.states == {"a": "available", "b": "in_error"}
    turn(world, process)
    world.end("check-2", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    assert world.server.states == {"a": "available", "b": "available"}
    assert world.clock.time == pytest.approx(1600, abs=2), "two intervals"


def test_a_runner_of_other_processes_knows_its_machines_and_says_nothing_of_controllers(world: World) -> None:
    world.runner.facts = {"a": {"fleet_rack": "r1", "bmc_password": "x"}}
    process = availability(world, check=False)
    turn(world, process)
    assert process.served == {"a": {"fleet_rack": "r1"}, "b": {}}
    assert (world.runner.runs, world.server.states) == ({}, {})


def test_controllers_in_error_are_counted(world: World) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), broken("b"))
    turn(world, process)
    value = world.metrics.registry.get_sample_value
    assert [value("fleet_runner_controllers", {"state": s}) for s in ("available", "in_error")] == [1, 1]


def test_machines_that_left_are_not_available_even_across_a_restart(world: World) -> None:
    world.journal.machines = ["a", "old"]
    turn(world, availability(world))
    assert world.server.states == {"old": "not_available"}
    assert world.journal.machines == ["a", "b"]


def test_states_reach_the_server_once_it_is_back(world: World) -> None:
    process = availability(world)
    world.server.down = True
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    for _ in range(5):
        turn(world, process)
    world.server.down = False
    for _ in range(5):
        turn(world, process)
    assert world.server.states == {"a": "available", "b": "available"}


@pytest.mark.parametrize("trouble", [InvalidInput("the inventory can't be read: x"), []])
def test_an_inventory_that_fails_keeps_what_was_served(world: World, trouble: Any) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    world.runner.names = trouble
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            turn(world, process)
    assert set(process.served) == {"a", "b"}
    assert "not_available" not in world.server.states.values()
    assert len([line for line in lines if line["log_level"] == "error"]) == 1


def test_an_inventory_that_loses_most_of_its_machines_is_believed_at_the_second_look(world: World) -> None:
    world = World(tuple("abcde"))
    process = availability(world)
    turn(world, process)
    world.end("check-1", *(HostOutcome(m, True) for m in "abcde"))
    turn(world, process)
    world.runner.names = ["a"]
    turn(world, process)
    world.end("check-2", HostOutcome("a", True))
    turn(world, process)
    assert (set(process.served), set(world.server.states.values())) == ({"a"}, {"available"}), "nobody is written off"
    assert world.journal.machines == list("abcde"), "and a restart does not forget them"
    world.runner.names = list("abcd")  # it is back, but for one
    turn(world, process)
    assert world.server.states["e"] == "not_available"
    assert "not_available" not in [world.server.states[m] for m in "abcd"]
    world.end("check-3", *(HostOutcome(m, True) for m in "abcd"))
    turn(world, process)
    world.runner.names = ["b"]
    for number in (4, 5):
        turn(world, process)
        world.end(f"check-{number}", HostOutcome("b", True))
        turn(world, process)
    assert [world.server.states[m] for m in "abcd"] == ["not_available", "available", "not_available", "not_available"]


def test_two_machines_with_one_bmc_are_in_error(world: World) -> None:
    world.runner.facts = {m: {"bmc_address": "10.0.0.1"} for m in "ab"}
    process = AvailabilityDuty(
        RunnerSettings(inventory=["inv"], check_playbook="check.yml", waves=world.waves), world.tools, world.server
    )
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    assert world.server.states == {"a": "in_error", "b": "in_error"}


def test_a_check_that_ends_badly_is_an_error_of_every_controller(world: World) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", problem="ansible-playbook ended with failed (4)")
    turn(world, process)
    assert world.server.states == {"a": "in_error", "b": "in_error"}
