# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power faults in the middle of a cycle: the machine is not left off, and its request ends with what happened.

One machine bears several faults, one after the other: it boots for each of them, and that is what takes the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet
from libvirt_lab import Domain, LibvirtLab
from machines import PASSWORD, Machine

from fleetlab import ipmi
from fleetlab.ipmi import IpmiSim
from fleetlab.process import Child, wait_until
from fleetlab.vm import Guest, QemuMachine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

REQUEST = "/api/v1/powercycles/{}"


class Site:
    """A server that knows one machine, and the requests for it."""

    def __init__(self, fleet: Fleet, name: str, bmc: dict[str, Any]) -> None:
        self.fleet, self.name = fleet, name
        fleet.module("machine", name=name, bmc=bmc)

    def runner(self, **variables: float) -> Child:
        times = {"powercycle_graceful_timeout": 0, "powercycle_off_seconds": 6, "powercycle_verify_timeout": 60}
        return self.fleet.runner(check_seconds=600, extra_vars=json.dumps({**times, **variables}))

    def ask(self, why: str) -> str:
        made = self.fleet.request("POST", "/api/v1/powercycles", {"machine": self.name, "reason": why})
        return str(made["id"])

    def until(self, request: str, wanted: Callable[[Any], Any], what: str, timeout: float = 300) -> Any:
        try:
            return self.fleet.wait_for(REQUEST.format(request), wanted, timeout, what)
        except Exception as error:
            log = self.fleet.workdir / "runner.log"
            raise AssertionError(
                f"{error}\n{self.fleet.get(REQUEST.format(request))}\n{log.read_text()[-3000:]}"
            ) from None

    def until_off(self, request: str) -> None:
        self.until(request, lambda seen: "off" in states(seen), "seen off")

    def until_verified(self, request: str) -> Any:
        return self.until(request, lambda seen: seen["state"] == "verified", "verified")


def states(request: Any) -> list[str]:
    return [step["state"] for step in request["steps"]]


def kill_run(state_dir: Path) -> None:
    """Kill all that a runner's playbook runs started, as when its host loses its power. It carries the run's id."""
    runs = {f"FLEETD_RUN_ID={path.name}".encode() for path in (state_dir / "runs").iterdir()}

    def none_left() -> bool:
        left = False
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if runs & set(environ.read_bytes().split(b"\0")):
                    left = True
                    os.kill(int(environ.parent.name), signal.SIGKILL)
        return not left

    wait_until(none_left, 60, "the end of all that the run has started")


@pytest.fixture
def domain(libvirt: LibvirtLab, libvirt_vm: Machine) -> Domain:
    from uuid import UUID

    return Domain(UUID(libvirt_vm.facts["uuid"]), libvirt_vm.name, libvirt_vm.facts["mac"], libvirt_vm.console)


def test_over_redfish_and_libvirt(libvirt: LibvirtLab, libvirt_vm: Machine, domain: Domain, tmp_path: Path) -> None:
    """What libvirt wrote down of the machine's power is the witness: each request cost one stop and one start."""
    emulator = libvirt_vm.power
    with Fleet(tmp_path / "fleet", libvirt_vm.username, libvirt_vm.password) as fleet:
        site = Site(fleet, libvirt_vm.name, libvirt_vm.bmc)
        history = libvirt.switched(domain)  # other tests have used it, too
        assert history[-1] == "on"

        with site.runner(powercycle_graceful_timeout=60):
            # The operating system follows the button; then the BMC dies while the machine is off, and comes back.
            request = site.ask("the BMC dies")
            site.until_off(request)
            os.kill(emulator.pid, signal.SIGKILL)
            time.sleep(8)
            emulator.__enter__()
            done = site.until_verified(request)
            history += ["shutdown", "on"]
            assert libvirt.switched(domain) == history
            assert "the operating system shut down" in done["steps"][-1]["message"]

        with site.runner(powercycle_graceful_timeout=4):
            # The guest hangs: asked first, then the plug, and both are written down. libvirtd dies while it is off.
            libvirt.suspend(domain)
            request = site.ask("the guest hangs, and libvirtd dies")
            site.until_off(request)
            libvirt.kill_libvirtd()
            time.sleep(6)
            os.kill(emulator.pid, signal.SIGKILL)  # its connection to libvirt is the dead one's for ever
            emulator.__enter__()
            done = site.until_verified(request)
            history += ["destroyed", "on"]
            assert libvirt.switched(domain) == history
            assert re.search(r"was asked to shut down and did not.*power was cut", done["steps"][-1]["message"])

        # The runner's host dies between off and on, with all that it had started.
        with site.runner() as runner:
            request = site.ask("the runner's host dies")
            site.until_off(request)
            runner.signal(signal.SIGKILL)
            kill_run(fleet.workdir / "runner")
        history += ["destroyed"]
        assert libvirt.switched(domain) == history, "nobody is left that could switch it on"
        with site.runner():
            done = site.until_verified(request)
        history += ["on"]
        assert libvirt.switched(domain) == history
        assert "found off after an interruption" in done["steps"][-1]["message"]

        # The runner alone is killed; its playbook ends by itself.
        boots = len(domain.console.boots())
        with site.runner() as runner:
            request = site.ask("the runner dies")
            site.until_off(request)
            runner.signal(signal.SIGKILL)
            site.until_verified(request)
        with site.runner() as runner:
            wait_until(lambda: '"next": "done"' in runner.log.read_text(), 60, "the next life knows")
            time.sleep(3)
        history += ["destroyed", "on"]
        assert libvirt.switched(domain) == history, "one cycle"
        domain.console.wait_for_boot(after=boots)


HOOK = """#!/bin/sh
cd @FAULTS@ || exit 1
left() { [ "$(cat "$1" 2>/dev/null || echo 0)" -gt 0 ] && echo $(($(cat "$1") - 1)) >"$1"; }
case $1 in
off) if left slow; then sleep 6; fi ;;
on)
    if left refuse; then exit 1; fi
    if left lie; then exit 0; fi
    ;;
esac
exec @SWITCH@ "$1"
"""


@pytest.fixture
def faulty(guest: Guest, tmp_path: Path) -> Iterator[tuple[QemuMachine, IpmiSim, Path]]:
    """A QEMU machine behind ipmi_sim, whose power switch has faults: a file with a fault's name says how often."""
    usable, advice = ipmi.available()
    if not usable:
        pytest.skip(advice)
    qemu = QemuMachine(tmp_path / "machine", guest)
    faults = tmp_path / "faults"
    faults.mkdir()
    hook = faults / "hook"
    hook.write_text(HOOK.replace("@FAULTS@", str(faults)).replace("@SWITCH@", str(qemu.switch)))
    hook.chmod(0o700)
    with IpmiSim(tmp_path / "bmc", password=PASSWORD, on_power=[hook]) as bmc:
        qemu.console.wait_for_boot()
        yield qemu, bmc, faults


def test_over_ipmi(faulty: tuple[QemuMachine, IpmiSim, Path], tmp_path: Path) -> None:
    qemu, bmc, faults = faulty
    address = {"address": bmc.address, "drivers": ["ipmi"], "ipmi_port": bmc.port}
    with Fleet(tmp_path / "fleet", bmc.username, PASSWORD) as fleet:
        site = Site(fleet, "node-i1", address)
        pids = [qemu.pid]

        def cycled(request: str, messages: str) -> None:
            done = site.until_verified(request)
            assert re.search(messages, done["steps"][-1]["message"]), done["steps"]
            pids.append(qemu.pid)
            assert pids[-1] is not None, "the machine is on"
            assert pids[-1] != pids[-2], "and has been off"

        with site.runner(powercycle_verify_timeout=20, powercycle_off_seconds=1):
            # The BMC takes six seconds for off, and answers nobody meanwhile.
            (faults / "slow").write_text("1")
            cycled(site.ask("off is slow"), "the power was cut")
            # The first two power-on commands fail.
            (faults / "refuse").write_text("2")
            cycled(site.ask("on fails twice"), "the power was cut")
            assert (faults / "refuse").read_text().strip() == "0"
            # It says that it is on and does nothing, more often than the cycle tries: a run of its own switches it on.
            (faults / "lie").write_text("6")
            cycled(site.ask("on is a lie"), "found off after an interruption")
            assert (faults / "lie").read_text().strip() == "0"

        fleet.bmc_password = "wrong"
        with site.runner():
            request = site.ask("the password is wrong")
            failed = site.until(request, lambda seen: seen["error"], "an error")
        assert (failed["error"]["code"], "off" in states(failed)) == ("authentication_failed", False)
        assert qemu.pid == pids[-1], "nothing was switched"
        assert [entry["action"] for entry in bmc.power_log()].count("off") == 3, "once for each request"
        qemu.console.wait_for_boot(after=1)
