# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page and the metrics of a large fleet: milliseconds on the server and bytes of the answer, on SQLite.

    python benchmarks/page.py [--machines 10000] [--repeat 5]

Machines are made in the database directly; what is measured is one request after the other within this process (no
network), the median of ``--repeat``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import insert

from fleetd.server import api
from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines import rows
from fleetd.server.machines import tables as machine_tables
from fleetd.server.machines.model import BmcAccess, ControllerState, Description, DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle
from fleetd.server.powercycles.store import powercycle_row
from fleetd.server.powercycles.tables import powercycles

PATHS = ("/", "/?sort=-model", "/?q=r17", "/?show=trouble", "/?page=50", "/machine/r17-n42", "/metrics")


def machines(count: int, now: datetime) -> Iterator[Machine]:
    """A fleet of 100 machines a rack; one in fifty is in some trouble."""
    for number in range(count):
        rack, slot = divmod(number, 100)
        description = Description(
            last_updated=now - timedelta(seconds=number % 60),
            powercycle_state=ControllerState.IN_ERROR if number % 500 == 3 else ControllerState.AVAILABLE,
            recovering="Too hot." if number % 50 == 7 else "",
            is_quarantined=number % 200 == 11,
            dimensions={"id": (f"r{rack}-n{slot}",), "os": ("Linux", "Debian-12")},
        )
        device = DeviceSummary(
            vendor=("Dell Inc.", "HPE", "Supermicro")[number % 3],
            model=("PowerEdge R750", "ProLiant DL325 Gen10", "SYS-221H")[number % 3],
            serial=f"S{number:08d}",
            power_state="on",
            collected_at=(now - timedelta(hours=number % 24)).isoformat(),
            sources=("oob",),
            cpus=2,
            memory_bytes=1 << 39,
            drives=10,
            nics=2,
            macs=tuple(f"02:00:00:{port:02x}:{number >> 8:02x}:{number & 255:02x}" for port in range(4)),
        )
        yield Machine(
            f"r{rack}-n{slot}",
            now,
            now,
            labels={"role": ("db", "web", "build")[number % 3]},
            site=("ams", "fra")[rack % 2],
            rack=f"r{rack}",
            position=f"U{slot}",
            bmc=BmcAccess(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", credential="fleet"),
            description=replace(description),
            device=device,
        )


def cycles(fleet: list[Machine], now: datetime) -> Iterator[Powercycle]:
    """Two old requests for each, and some that failed or are open."""
    for number, machine in enumerate(fleet):
        for back, state in (
            (9, CycleState.VERIFIED),
            (3, CycleState.FAILED if number % 300 == 5 else CycleState.VERIFIED),
        ):
            at = now - timedelta(days=back)
            steps = (CycleStep(CycleState.QUEUED, at, "requested by alice"), CycleStep(state, at, "done", "runner"))
            yield Powercycle(new_id(at), machine.id, state, at, at, "alice", "hung", at, attempts=1, steps=steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=10_000, help="at least 1,743, because a page is of r17-n42")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as directory:
        store = Transactions(make_engine(f"sqlite:///{Path(directory) / 'fleetd.db'}"))
        migrate.upgrade(store.engine)
        fleet = list(machines(options.machines, now))
        with store.engine.begin() as connection:
            connection.execute(insert(machine_tables.machines), [rows.machine_row(item) for item in fleet])
            connection.execute(insert(powercycles), [powercycle_row(item) for item in cycles(fleet, now)])
        client = TestClient(api.create(Services(CAPABILITIES, store, lambda: datetime.now(UTC)), Policy("viewer")))
        print(f"{options.machines} machines, SQLite, median of {options.repeat}")
        for path in PATHS:
            seconds, busy = [], []
            for _ in range(options.repeat):
                started, worked = time.perf_counter(), time.process_time()
                answer = client.get(path)
                seconds.append(time.perf_counter() - started)
                busy.append(time.process_time() - worked)
                answer.raise_for_status()
            wall, cpu = (statistics.median(values) * 1000 for values in (seconds, busy))
            print(f"  {path:<20} {wall:8.1f} ms {cpu:8.1f} ms CPU {len(answer.content):>10} bytes")
        store.close()


if __name__ == "__main__":
    main()
