# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file serves three programs, each of which reads its own sections."""

from __future__ import annotations

import pytest

from fleetd.common.commandline import ConfigError
from fleetd.common.settings import SECTIONS, load_text
from fleetd.monitor.config import Settings as MonitorSettings
from fleetd.runner.config import Settings as RunnerSettings
from fleetd.server.config import Settings as ServerSettings

PROGRAMS = [ServerSettings, RunnerSettings, MonitorSettings]
FILE = """
server: {listen: '127.0.0.1:1', max_body_bytes: 5000}
log: {level: error}
runner: {pattern: r1}
monitor: {machine: m1}
"""


def test_every_section_is_one_of_a_program() -> None:
    assert set(SECTIONS) == {name for program in PROGRAMS for name in program.model_fields}


def test_each_program_reads_its_own_sections() -> None:
    server, runner, monitor = (load_text(program, FILE, "f") for program in PROGRAMS)
    assert (server.server.max_body_bytes, server.log.level) == (5000, "error")
    assert (runner.runner.pattern, runner.server.reached(None)) == ("r1", "http://127.0.0.1:1")
    assert (monitor.monitor.machine, monitor.log.level) == ("m1", "error")


def test_a_mistake_in_a_section_is_its_programs_trouble() -> None:
    text = "runner: {poll_secs: 1}"
    assert load_text(ServerSettings, text, "f").server.listen
    assert load_text(MonitorSettings, text, "f").monitor.event_seconds
    with pytest.raises(ConfigError, match=r"f: runner\.poll_secs: no such key; known: .*poll_seconds"):
        load_text(RunnerSettings, text, "f")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_section_that_nobody_has_is_everybodys_trouble(
    program: type[ServerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"f: runer: no such key; known: .*runner"):
        load_text(program, "runer: {}", "f")
    monkeypatch.setenv("FLEETD_RUNER__POLL_SECONDS", "1")
    with pytest.raises(ConfigError, match=r"FLEETD_RUNER__POLL_SECONDS: no section 'runer'; known: .*runner"):
        load_text(program, "", "f")


def test_the_environment_of_another_program_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETD_SERVER__MAX_BODY_BYTES", "5000")
    monkeypatch.setenv("FLEETD_SERVER__URL", "https://fleet.example")
    monkeypatch.setenv("FLEETD_MONITOR__MACHINE", "m2")
    assert load_text(RunnerSettings, "", "f").server.reached(None) == "https://fleet.example"
    assert load_text(MonitorSettings, FILE, "f").monitor.machine == "m2"


def test_where_the_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    address = load_text(RunnerSettings, "", "f").server
    monkeypatch.delenv("FLEETD_URL", raising=False)
    assert address.reached(None) == "http://127.0.0.1:8480"
    monkeypatch.setenv("FLEETD_URL", "https://env.example")
    assert address.reached(None) == "https://env.example"
    assert address.reached("https://given.example") == "https://given.example"
