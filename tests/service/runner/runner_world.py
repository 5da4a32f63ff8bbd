# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a duty works with, on fakes of every port: no time passes, nothing is started."""

from __future__ import annotations

import itertools
from typing import Any

from runner_fakes import FakeBrake, FakeClock, FakeRunner, FakeServer, MemoryJournal

from fleetd.common.link import Link
from fleetd.runner.config import RunnerSettings, WaveSettings
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import EntryState, HostOutcome, RunProgress
from fleetd.runner.powercycle import PowercycleDuty
from fleetd.runner.tools import Tools
from fleetd.runner.waves import Budget


class World:
    def __init__(self, hosts: tuple[str, ...] = ("a", "b"), waves: WaveSettings | None = None) -> None:
        self.clock = FakeClock()
        self.runner = FakeRunner(hosts)
        self.journal = MemoryJournal()
        self.server = FakeServer()
        self.ids = itertools.count(1)
        self.served: dict[str, dict[str, Any]] = {h: {} for h in hosts}
        self.waves = waves or WaveSettings()
        self.brake = FakeBrake()
        self.metrics = RunnerMetrics()
        self.clock_of_the_wall = self.clock.monotonic
        self.cycles = self.restart()

    def restart(self) -> PowercycleDuty:
        self.link = Link(self.clock, lambda: 0.5)
        self.tools = Tools(
            runner=self.runner, journal=self.journal, link=self.link, metrics=self.metrics, clock=self.clock,
            wall=self.clock_of_the_wall, random=lambda: 0.5, new_id=lambda: str(next(self.ids)),
        )  # fmt: skip
        self.cycles = PowercycleDuty(
            RunnerSettings(
                inventory=["inv"], playbook="cycle.yml", recover_playbook="on.yml", max_runs=2, waves=self.waves
            ),
            self.tools, server=self.server, served=lambda: self.served, budget=Budget(self.waves, self.brake),
        )  # fmt: skip
        return self.cycles

    def step(self, *, accept: bool = True) -> float:
        wait = self.cycles.step(accept_work=accept)
        self.clock.sleep(wait)
        return wait

    def end(self, run: str, *outcomes: HostOutcome, **fields: Any) -> None:
        self.runner.results[run] = RunProgress(outcomes, finished=True, **fields)

    def states(self) -> dict[str, EntryState]:
        return {e.key: e.state for e in self.journal.entries()}
