# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines may be without power at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fleetcore.power.controllers import machines_of_one_bmc
from runner_fakes import FakeBrake

from fleetd.runner.adapters.journal import FileBrake
from fleetd.runner.config import WaveSettings
from fleetd.runner.waves import Budget, choose, controller_of


@pytest.mark.parametrize(
    ("variables", "controller"),
    [
        ({}, None),
        ({"bmc_address": "10.0.0.1"}, "10.0.0.1"),
        ({"bmc_address": "10.0.0.1", "bmc_redfish_port": 8443}, "10.0.0.1:8443"),
        ({"bmc_address": "10.0.0.1", "pdu_address": "10.0.9.1"}, "10.0.9.1"),
        ({"bmc_address": "10.0.0.1", "power_controller": "chassis-3"}, "chassis-3"),
    ],
)
def test_what_the_controller_is(variables: dict[str, Any], controller: str | None) -> None:
    assert controller_of(variables) == controller


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ({"bmc_address": "10.0.0.1"}, {"bmc_address": "10.0.0.1"}, True),
        ({"bmc_address": "BMC-1"}, {"bmc_address": "bmc-1", "bmc_drivers": ["ipmi"]}, True),
        ({"bmc_address": "10.0.0.1"}, {"bmc_address": "10.0.0.2"}, False),
        ({"bmc_address": "h", "bmc_redfish_port": 1}, {"bmc_address": "h", "bmc_redfish_port": 2}, False),
        ({"bmc_address": "h", "bmc_system": "Blade1"}, {"bmc_address": "h", "bmc_system": "Blade2"}, False),
        ({"bmc_address": "h", "bmc_drivers": ["pdu"]}, {"bmc_address": "h"}, True),
        ({}, {}, False),
    ],
)
def test_which_machines_have_one_bmc(a: dict[str, Any], b: dict[str, Any], alike: bool) -> None:
    assert machines_of_one_bmc({"a": a, "b": b, "c": {"bmc_address": "other"}}) == (
        {"a": ["b"], "b": ["a"]} if alike else {}
    )


FACTS: dict[str, dict[str, Any]] = {
    "a1": {"fleet_rack": "A", "circuit": 1},
    "a2": {"fleet_rack": "A", "circuit": 2},
    "a3": {"fleet_rack": "A", "circuit": 1},
    "b1": {"fleet_rack": "B", "circuit": 1},
    "n1": {},
}


@pytest.mark.parametrize(
    ("in_flight", "options", "chosen"),
    [
        ([], WaveSettings(), ["a1", "a2", "a3", "b1", "n1"]),
        ([], WaveSettings(size=2), ["a1", "a2"]),
        (["x", "y"], WaveSettings(size=2), []),
        ([], WaveSettings(limits={"fleet_rack": 1}), ["a1", "b1", "n1"]),
        (["a1"], WaveSettings(limits={"fleet_rack": 2}), ["a2", "b1", "n1"]),
        ([], WaveSettings(limits={"fleet_rack": 2, "circuit": 1}), ["a1", "a2", "n1"]),
    ],
)
def test_limits(in_flight: list[str], options: WaveSettings, chosen: list[str]) -> None:
    candidates = [m for m in FACTS if m not in in_flight]
    assert choose(candidates, in_flight, FACTS, options) == chosen


def test_one_machine_that_fails_again_and_again_is_one_failed_machine() -> None:
    budget = Budget(WaveSettings(failure_budget=1), FakeBrake())
    assert [budget.failed("a", 0.0) for _ in range(5)] == [False] * 5
    assert budget.failed("b", 0.0)
    assert not budget.may_begin(1.0)


def test_a_new_wave_counts_anew() -> None:
    budget = Budget(WaveSettings(failure_budget=1), FakeBrake())
    budget.failed("a", 0.0)
    budget.wave_ended()
    assert not budget.failed("b", 0.0)


def test_the_brake_is_a_file_that_a_person_can_remove_or_make(tmp_path: Path) -> None:
    brake = FileBrake(tmp_path / "stopped.json")
    assert brake.engaged() is None
    brake.engage({"at": 5.0, "machines": ["a"]})
    assert FileBrake(tmp_path / "stopped.json").engaged() == {"at": 5.0, "machines": ["a"]}
    (tmp_path / "stopped.json").write_text("maintenance until noon")
    engaged = brake.engaged()
    assert engaged is not None
    assert engaged["at"] > 1e9
    brake.release()
    brake.release()
    assert brake.engaged() is None
