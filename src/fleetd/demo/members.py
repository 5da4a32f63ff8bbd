# SPDX-License-Identifier: BSD-2-Clause
"""Machines of the demo: virtual BMCs of three kinds, and what is registered of each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fleetcore.net.client.server import ServerClient
from rich.markup import escape

from fleetd.demo.guard import DemoError


@dataclass(frozen=True)
class Member:
    """One machine of the demo: what is registered, what stands behind it, and its BMC's own record of power changes.

    ``power_log`` returns pairs of time and ``on`` or ``off``, oldest first; None when the BMC keeps no such record.
    """

    id: str
    what: str
    bmc: Mapping[str, Any]
    rack: str
    position: str
    power_log: Callable[[], list[tuple[str, str]]] | None = None
    cycle: bool = False


class VirtualBmcs:
    """Starts them, in ``stack``, with one login for all.

    :param say: prints a line.
    """

    def __init__(
        self, directory: Path, login: tuple[str, str], stack: contextlib.ExitStack, say: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._username, self._password = login
        self._stack = stack
        self._say = say
        self.members: list[Member] = []

    def start(self) -> None:
        self._start_farm()
        self._start_sushy()
        self._start_ipmi()

    def _start_farm(self) -> None:
        from fleetlab.farm import BmcSpec, running_farm  # noqa: PLC0415 (installed with the extra `demo`)

        like = BmcSpec(username=self._username, password=self._password)
        farm = self._stack.enter_context(
            running_farm([
                replace(like, name="node-1", index=1),
                replace(like, name="node-2", index=2, tls=False),
                replace(like, tree="multinode", name="chassis-3", index=3),
            ])
        )  # fmt: skip
        for name, bmc in zip(("node-1", "node-2"), farm.bmcs, strict=False):
            self._member(name, "our virtual BMC", bmc, _redfish(bmc), cycle=name == "node-1")
        chassis = farm.bmcs[2]
        for letter, system in zip("ab", chassis.systems, strict=False):
            self._member(
                f"node-3{letter}",
                "one of two nodes of a chassis",
                chassis,
                _redfish(chassis) | {"system": system.rpartition("/")[2]},
            )

    def _member(self, name: str, what: str, bmc: Any, data: Mapping[str, Any], *, cycle: bool = False) -> None:
        log = (
            (lambda: [(e["at"], e["event"]) for e in bmc.power_log if e["event"] in ("on", "off", "restart")])
            if cycle
            else None
        )
        self._add(Member(name, what, data, "A1", str(len(self.members) + 1), log, cycle))

    def _start_sushy(self) -> None:
        from fleetlab.sushy_emulator import FakeSystem, SushyEmulator, available  # noqa: PLC0415

        usable, advice = available()
        if not usable:
            raise DemoError(f"sushy-emulator is not installed: {advice}")
        system = FakeSystem("node-4", macs=["02:00:00:00:04:01"])
        emulator = self._stack.enter_context(
            SushyEmulator(self._directory / "sushy", systems=[system], auth=(self._username, self._password))
        )
        data = {"address": "127.0.0.1", "drivers": ["redfish"], "redfish_scheme": "http", "redfish_port": emulator.port}
        self._add(Member("node-4", "sushy-emulator", data, "A2", "1"))

    def _start_ipmi(self) -> None:
        from fleetlab.ipmi import IpmiSim, available  # noqa: PLC0415

        usable, advice = available()
        if not usable:
            self._say(f"[yellow]node-5  left out: ipmi_sim is not installed. To see IPMI too: {escape(advice)}[/]")
            return
        sim = self._stack.enter_context(
            IpmiSim(self._directory / "ipmi", username=self._username, password=self._password)
        )
        data = {"address": "127.0.0.1", "drivers": ["ipmi"], "ipmi_port": sim.port}
        log = lambda: [(e["at"], e["action"]) for e in sim.power_log()]  # noqa: E731
        self._add(Member("node-5", "ipmi_sim, IPMI over LAN", data, "A2", "2", log, cycle=True))

    def _add(self, member: Member) -> None:
        self.members.append(member)
        scheme = member.bmc.get("redfish_scheme", "ipmi")
        port = member.bmc.get("redfish_port") or member.bmc.get("ipmi_port")
        pinned = ", certificate pinned" if member.bmc.get("fingerprint") else ""
        self._say(f"{member.id:<8} {scheme}://127.0.0.1:{port}  [dim]{member.what}{pinned}[/]")


def _redfish(bmc: Any) -> dict[str, Any]:
    scheme = "https" if bmc.spec.tls else "http"
    data = {"address": "127.0.0.1", "drivers": ["redfish"], "redfish_scheme": scheme, "redfish_port": bmc.port}
    return data | ({"fingerprint": bmc.fingerprint} if bmc.spec.tls else {})


FLEET = ("Machine", "Vendor", "Model", "Serial", "CPUs", "Memory", "Drives", "NICs", "BMC", "Power")


def fleet_rows(server: ServerClient) -> Iterator[list[object]]:
    """What the server knows of each machine, in the columns of ``FLEET``."""
    for machine in server.machines():
        device, bmc = machine["device"] or {}, machine["bmc"] or {}
        known = [str(device.get(name) or "-") for name in ("vendor", "model", "serial", "cpus")]
        memory = f"{device['memory_bytes'] / 2**30:.0f} GiB" if device.get("memory_bytes") else "-"
        counts = [str(device.get(name) or "-") for name in ("drives", "nics")]
        driver, power = (bmc.get("drivers") or ["?"])[0], device.get("power_state") or "-"
        yield [machine["id"], *known, memory, *counts, driver, power]
