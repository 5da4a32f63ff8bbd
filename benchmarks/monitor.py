# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine monitor costs the machine that it reports.

    python benchmarks/monitor.py [--seconds 300]

A real ``fleetd serve`` on SQLite and a real ``fleetd monitor`` at its default pace, its stream open. CPU time, user and
system, of the monitor's process: of its start until its first event has arrived, then over ``--seconds``, extrapolated
to an hour. Of a device document: CPU time and seconds of the process that collects it, tools included. Memory is the
resident set: the peak, and at the end. One JSON object on the standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils")]

from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.net.client.server import ServerClient  # noqa: E402
from fleetcore.net.http import HttpClient, HttpOptions  # noqa: E402
from oob import machine_server  # noqa: E402

from fleetlab.process import Child, wait_until  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, of_children, system_of_children = (int(value) / TICK for value in fields[11:15])
    return user + system, of_children + system_of_children


def mebibytes(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return round(int(found[1]) / 1024, 1) if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        work = Path(folder)
        url, token = stack.enter_context(machine_server(work, 1))
        client = ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token=token)
        config = next(work.glob("*/fleetd.yml"))
        create = ["token", "create", "--name", "monitor", "--scope", "agent", "--machine", "m0"]
        made = subprocess.run(
            [sys.executable, "-m", "fleetd", "--config", str(config), *create],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'plugins/module_utils'}"},
            capture_output=True,
            text=True,
            check=True,
        )
        env = {
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'plugins/module_utils'}",
            "FLEETD_MONITOR__STATE_DIR": str(work / "monitor"),
            "FLEETD_MONITOR__MACHINE": "m0",
            "FLEETD_MONITOR__DEVICE_SPLAY_SECONDS": "0",
            "FLEETD_URL": url,
            "FLEETD_TOKEN": made.stdout.split()[-1],
        }
        child = stack.enter_context(Child([sys.executable, "-m", "fleetd", "monitor"], log=work / "log", env=env))
        pid = child.pid
        wait_until(lambda: client.description("m0").get("Dimensions", {}).get("boot_id"), 120, "the first event")
        start = used(pid)[0]
        wait_until(lambda: "device_published" in (work / "log").read_text(), 240, "the device document")
        before, collected = used(pid)
        time.sleep(options.seconds)
        after, _collected = used(pid)
        result = {
            "start_cpu_s": round(start, 2),
            "document_cpu_s": round(collected, 2),
            "seconds": options.seconds,
            "cpu_s": round(after - before, 2),
            "cpu_s_per_hour": round((after - before) / options.seconds * 3600, 1),
            "resident_mib": mebibytes(pid, "VmRSS"),
            "peak_mib": mebibytes(pid, "VmHWM"),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
