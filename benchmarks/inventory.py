# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory plugin costs above the floor.

    python benchmarks/inventory.py [--hosts 10000] [--runs 5] [--json FILE]

Runs ``ansible-inventory --list`` by turns over the same hosts and groups, and prints the least CPU and wall-clock time
of each:

- ``floor``: a minimal plugin that reads them from a JSON file and fills the inventory directly, strings marked as
  trusted;
- ``calls``: the same with one call of Ansible's API per variable and membership, as plugins usually do;
- ``machines``: the plugin ``baremetal.fleet.machines``, over HTTP from a server that sends prepared bytes;
- ``cached``: the same from its cache (ansible.builtin.jsonfile).

Needs ansible-core 2.19 or later. The server's own time is another figure. All must print the same; the exit code is 1
if they don't or the ratio is above ``--limit``.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

MINIMAL = """
import functools
import json
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

@functools.lru_cache(maxsize=None)
def trusted(text):
    return trust_as_template(text)

def trust(value):
    if isinstance(value, str):
        return trusted(value)
    if isinstance(value, dict):
        return {{key: trust(item) for key, item in value.items()}}
    if isinstance(value, list):
        return [trust(item) for item in value]
    return value

class InventoryModule(BaseInventoryPlugin):
    NAME = "{name}"
    trusted_by_default = True

    def verify_file(self, path):
        return path.endswith("{name}.json")

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        with open(path) as file:
            data = json.load(file)
        for name, variables in data["hosts"].items():
            inventory.add_host(name)
            {set_variables}
        for name, content in data["groups"].items():
            inventory.add_group(name)
            group = inventory.groups[name]
            for member in content["hosts"]:
                {add_member}
"""
DIRECT = ("inventory.hosts[name].vars.update(trust(variables))", "group.add_host(inventory.hosts[member])")
CALLS = (
    "[inventory.set_variable(name, key, value) for key, value in variables.items()]",
    "inventory.add_child(name, member)",
)


def fleet(count: int) -> dict[str, Any]:
    """An inventory as the machine server sends it."""
    hosts: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for number in range(count):
        vendor = ["Alpha", "Beta", "Gamma"][number % 3]
        role, owner = ["compute", "storage", "network"][number % 3], f"team{number % 10}"
        name = f"node-{number:05d}"
        hosts[name] = {
            "bmc_address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "bmc_drivers": ["redfish", "ipmi"],
            "bmc_redfish_scheme": "https",
            "bmc_validate_certs": True,
            "fleet_labels": {"owner": owner, "role": role},
            "fleet_lifecycle": "active",
            "fleet_maintenance": False,
            "fleet_model": f"M{number % 12}",
            "fleet_position": f"u{number % 40}",
            "fleet_powercycle_state": "available",
            "fleet_quarantined": False,
            "fleet_rack": f"r{number // 40}",
            "fleet_serial": f"S{number:06d}",
            "fleet_site": f"site{number % 4}",
            "fleet_uuid": f"00000000-0000-0000-0000-{number:012d}",
            "fleet_vendor": vendor,
        }
        names = (f"site_site{number % 4}", f"rack_r{number // 40}", "lifecycle_active", f"vendor_{vendor.lower()}")
        for group in (*names, f"model_m{number % 12}", f"label_role_{role}", f"label_owner_{owner}"):
            groups.setdefault(group, {"hosts": []})["hosts"].append(name)
    return {"hosts": hosts, "groups": groups}


def serve(body: bytes) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def write_sources(work: Path, data: dict[str, Any], url: str) -> dict[str, Path]:
    """The inventory sources by name of the case."""
    (work / "plugins").mkdir()
    link = work / "ansible_collections" / "baremetal" / "fleet"
    link.parent.mkdir(parents=True)
    link.symlink_to(ROOT, target_is_directory=True)
    sources = {}
    for name, (set_variables, add_member) in {"floor": DIRECT, "calls": CALLS}.items():
        code = MINIMAL.format(name=name, set_variables=set_variables, add_member=add_member)
        (work / "plugins" / f"{name}.py").write_text(code)
        sources[name] = work / f"{name}.json"
        sources[name].write_text(json.dumps(data))
    config = f"plugin: baremetal.fleet.machines\nserver_url: {url}\n"
    sources["machines"] = work / "machines.yml"
    sources["machines"].write_text(config)
    sources["cached"] = work / "cached.machines.yml"
    cache = f"cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {work}/cache\n"
    sources["cached"].write_text(config + cache)
    return sources


def measure(work: Path, source: Path) -> tuple[float, float, dict[str, Any]]:
    """CPU seconds, wall-clock seconds and the inventory that was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "FLEETD_"))}
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=str(work),
        ANSIBLE_CONFIG=str(work / "none.cfg"),
        ANSIBLE_HOME=str(work / "home"),
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
        ANSIBLE_INVENTORY_ENABLED="floor,calls,baremetal.fleet.machines",
        ANSIBLE_INVENTORY_PLUGINS=str(work / "plugins"),
    )
    program = shutil.which("ansible-inventory", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        sys.exit("ansible-inventory is not installed")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [program, "-i", str(source), "--list"]
    done = subprocess.run(command, env=environment, cwd=work, capture_output=True, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{source.name}: {done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1.15, help="highest ratio of machines to floor in CPU time")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    data = fleet(options.hosts)
    figures: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        server = serve(json.dumps(data).encode())
        sources = write_sources(work, data, f"http://127.0.0.1:{server.server_address[1]}")
        measure(work, sources["cached"])  # fills the cache
        for _ in range(options.runs):
            for name, source in sources.items():
                cpu, wall, outputs[name] = measure(work, source)
                best = figures.setdefault(name, {"cpu_seconds": cpu, "wall_seconds": wall})
                best.update(cpu_seconds=min(cpu, best["cpu_seconds"]), wall_seconds=min(wall, best["wall_seconds"]))
        server.shutdown()
    same = all(output == outputs["floor"] for output in outputs.values())
    for figure in figures.values():
        figure["ratio"] = figure["cpu_seconds"] / figures["floor"]["cpu_seconds"]
    print(f"ansible-inventory --list, {options.hosts} hosts, best of {options.runs}; the same output: {same}")
    print(f"{'':10} {'CPU s':>7} {'wall s':>7} {'CPU ratio':>10}")
    for name, figure in figures.items():
        print(f"{name:10} {figure['cpu_seconds']:7.2f} {figure['wall_seconds']:7.2f} {figure['ratio']:10.2f}")
    if options.json:
        result = {"hosts": options.hosts, "runs": options.runs, "figures": figures}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if same and figures["machines"]["ratio"] <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
