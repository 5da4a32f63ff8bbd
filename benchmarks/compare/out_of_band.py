# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection and other programs read of one virtual BMC, and what it costs the BMC.

    python benchmarks/compare/out_of_band.py [--tree server] [--ansible DIR/bin] [--bmclib BINARY] [--keep DIR]
        [--page docs/comparison.md --name built-in]

- ``--tree``: a built-in tree of fleetlab, or a capture of a real machine (a Redfish mockup, .tar.gz);
- ``--ansible``: the ``bin`` of a virtual environment with the package ``ansible``, for
  ``community.general.redfish_info`` and, on a machine of Dell, the role ``dellemc.openmanage.idrac_gather_facts``
  (which needs ``netaddr`` and ``jmespath`` beside it);
- ``--bmclib``: bmclib's own example ``inventory`` (its module bmclib/v2, ``go build ./examples/inventory``).

Programs that ``--kept`` names are not run again: their answers and figures are those in the folder ``--keep``. What is
missing is a column that says so. The facts are taken from the resources of the tree itself, by no program of
those compared. The virtual BMC listens on port 443 of an address of the loopback network, because bmclib's example
knows no other port: run it as root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils"), str(Path(__file__).parent)]

from facts import Answer, Fact, keep, kept, table, write  # noqa: E402
from fleetcore.document.model import to_dict  # noqa: E402
from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.power.options import bmc_options  # noqa: E402
from fleetcore.sweep.collect import collect  # noqa: E402

from fleetlab.bmc import Bmc  # noqa: E402
from fleetlab.farm import BmcSpec, running_farm  # noqa: E402

# -- what the machine has ----------------------------------------------------------------------------------------------


def machine(bmc: Bmc) -> list[Fact]:
    """The facts of the machine of the first system, by the resources of the tree."""
    every = [found for path in bmc.tree if (found := bmc.get(path))]
    system = bmc.get(bmc.systems[0]) or {}

    def of(kind: str) -> list[dict[str, Any]]:
        named = [item for item in every if str(item.get("@odata.type", "")).startswith(f"#{kind}.")]
        return [item for item in named if _present(item)]

    def inside(kind: str, *names: str) -> list[dict[str, Any]]:
        """Parts that older schemas keep in one resource."""
        found = [part for item in of(kind) for name in names for part in item.get(name) or []]
        return [part for part in found if isinstance(part, dict) and _present(part)]

    cpus = [item for item in of("Processor") if item.get("ProcessorType") == "CPU"]
    gpus = [item for item in of("Processor") if item.get("ProcessorType") == "GPU"]
    supplies = of("PowerSupply") + inside("Power", "PowerSupplies")
    fans = of("Fan") + inside("Thermal", "Fans")
    readings = of("Sensor") + inside("Thermal", "Temperatures") + inside("Power", "Voltages")
    sfps = [item["SFP"] for item in of("Port") if isinstance(item.get("SFP"), dict)]
    controllers = of("StorageController") + inside("Storage", "StorageControllers")
    firmware = [item for item in of("SoftwareInventory") if "/FirmwareInventory/" in str(item.get("@odata.id"))]
    attributes = [name for item in of("Bios") for name in item.get("Attributes") or {}]
    host = [item for item in of("EthernetInterface") if "/Managers/" not in str(item.get("@odata.id"))]
    own = [item for item in of("EthernetInterface") if "/Managers/" in str(item.get("@odata.id"))]
    return [
        Fact.of("serial number", [system.get("SerialNumber")]),
        Fact.of("UUID", [system.get("UUID")]),
        Fact.of("BIOS version", [system.get("BiosVersion")]),
        Fact.of("BMC firmware", _each(of("Manager"), "FirmwareVersion")),
        Fact.of("BMC's MAC", _each(own, "MACAddress")),
        Fact.of("CPU models", _each(cpus, "Model")),
        Fact.of("DIMMs by serial", _each(of("Memory"), "SerialNumber")),
        Fact.of("DIMMs by part number", _each(of("Memory"), "PartNumber")),
        Fact.of("drives by serial", _each(of("Drive"), "SerialNumber")),
        Fact.of("RAID volumes by name", _each(of("Volume"), "Name")),
        Fact.of("storage controllers by model", _each(controllers, "Model")),
        Fact.of("host MACs", [*_each(host, "MACAddress"), *_function_macs(of("NetworkDeviceFunction"))]),
        Fact.of("NICs by serial", _each(of("NetworkAdapter"), "SerialNumber")),
        Fact.of("transceivers by serial", _each(sfps, "SerialNumber")),
        Fact.of("GPUs by serial", _each(gpus, "SerialNumber")),
        Fact.of("power supplies by serial", _each(supplies, "SerialNumber")),
        Fact.of("fans by name", [item.get("Name") or item.get("FanName") for item in fans]),
        Fact.of("sensors with a reading, by name", _each(filter(_reads, readings), "Name")),
        Fact.of("firmware versions", _each(firmware, "Version")),
        Fact.of("BIOS settings by name", attributes),
        Fact.of("PCIe devices by name", _each(of("PCIeDevice"), "Name")),
        Fact.of("chassis serials", _each(of("Chassis"), "SerialNumber")),
        Fact.of("boot options by name", _each(of("BootOption"), "DisplayName")),
        Fact.of("mainboard and assemblies by serial", _each(inside("Assembly", "Assemblies"), "SerialNumber")),
    ]


def _present(item: Mapping[str, Any]) -> bool:
    return (item.get("Status") or {}).get("State") != "Absent"


def _reads(item: Mapping[str, Any]) -> bool:
    return any(item.get(name) is not None for name in ("Reading", "ReadingCelsius", "ReadingVolts"))


def _each(items: Iterable[Mapping[str, Any]], name: str) -> list[object]:
    return [str(item[name]).strip() for item in items if item.get(name)]


def _function_macs(functions: Iterable[Mapping[str, Any]]) -> list[object]:
    return [(item.get("Ethernet") or {}).get("MACAddress") for item in functions]


# -- programs ----------------------------------------------------------------------------------------------------------


def ours(bmc: Bmc, _options: argparse.Namespace) -> Any:
    values = {"address": bmc.url, "drivers": ["redfish"], "url": bmc.url, "username": bmc.username}
    values |= {"password": bmc.password, "ca_path": bmc.ca_path, "system": bmc.systems[0].rpartition("/")[2]}
    return to_dict(asyncio.run(collect(bmc_options(values), SystemClock())))


# Each command by itself: with "all" one that fails takes the others of its category with it.
REDFISH_INFO = """
- hosts: localhost
  gather_facts: false
  vars:
    commands:
      Systems: [GetSystemInventory, GetPsuInventory, GetCpuInventory, GetMemoryInventory, GetNicInventory,
                GetStorageControllerInventory, GetDiskInventory, GetVolumeInventory, GetBiosAttributes, GetBootOrder]
      Chassis: [GetFanInventory, GetPsuInventory, GetChassisPower, GetChassisThermals, GetChassisInventory]
      Update: [GetFirmwareInventory, GetSoftwareInventory]
      Manager: [GetManagerNicInventory, GetManagerInventory]
  tasks:
    - community.general.redfish_info:
        category: "{{ item.0.key }}"
        command: "{{ item.1 }}"
        baseuri: "{{ address }}"
        username: "{{ username }}"
        password: "{{ password }}"
        validate_certs: false
        timeout: 30
      loop: "{{ commands | dict2items | subelements('value') }}"
      register: answers
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{ answers.results | map(attribute='redfish_facts', default={}) | list | to_json }}"
        dest: "{{ into }}"
"""

# The role forgets what it found when it is asked for another section: each is kept in a file of its own.
GATHER_FACTS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: one.yml
      loop: [System, Memory, PhysicalDisk, NIC, Firmware, PowerSupply, CPU, Controller, VirtualDisk, Fan, BIOS,
             PCIeDevice, Sensors_Voltage, HostNIC, License, Enclosure, PCIeSSDBackPlane, SystemMetrics,
             SecureBoot, IDRAC]
      loop_control: {loop_var: section}
"""
ONE_SECTION = """
- vars:
    found: [system, bios, controller, cpu, enclosure, fan, firmware, hostnic, idrac, license, memory, nic, power_supply,
            pcie_device, physical_disk, virtual_disk, voltages, backplane, power_metrics, thermal_metrics, secure_boot]
  block:
    - ansible.builtin.include_role:
        name: dellemc.openmanage.idrac_gather_facts
      vars: {hostname: "{{ address }}", validate_certs: false, target: ["{{ section }}"]}
    - ansible.builtin.copy:
        content: "{{ query('ansible.builtin.vars', *found, default={}) | to_json }}"
        dest: "{{ into }}.{{ section }}"
  rescue:
    - ansible.builtin.debug: {msg: "not read: {{ section }}"}
"""


def play(text: str) -> Callable[[Bmc, argparse.Namespace], Any]:
    """A program that is a playbook, which writes what it found into a file."""

    def run(bmc: Bmc, options: argparse.Namespace) -> Any:
        if options.ansible is None:
            raise FileNotFoundError("not run: no --ansible")
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder, "answer.json")
            Path(folder, "play.yml").write_text(text)
            Path(folder, "one.yml").write_text(ONE_SECTION)
            words = {"address": bmc.address, "username": bmc.username, "password": bmc.password, "into": str(into)}
            words["ansible_python_interpreter"] = str(options.ansible / "python")
            command = [str(options.ansible / "ansible-playbook"), "-i", "localhost,", "-c", "local", "play.yml"]
            env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "HOME": folder}
            said = _printed([*command, "-e", json.dumps(words)], options, cwd=folder, env=env)
            parts = [json.loads(part.read_text()) for part in sorted(into.parent.glob("answer.json*"))]
            if not parts:
                problems = re.findall(r'"msg": "(.*?)"', said) or [said[-300:]]
                raise RuntimeError(f"it found nothing: {problems[-1]}")
            return parts

    return run


def bmclib(bmc: Bmc, options: argparse.Namespace) -> Any:
    if options.bmclib is None:
        raise FileNotFoundError("not run: no --bmclib")
    login = ["-user", bmc.username, "-password", bmc.password]
    said = _printed([str(options.bmclib), "-host", bmc.address, *login], options)
    start = said.find("{")
    if start < 0:
        raise RuntimeError("it printed no inventory")
    return json.loads(said[start:])


def _printed(command: list[str], options: argparse.Namespace, **more: Any) -> str:
    """What a program prints; it is ended after the limit, and what it has found by then counts."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit, check=False, **more)
        return done.stdout
    print(f"ended after {options.limit:g} s", file=sys.stderr)
    return ""


PROGRAMS: Mapping[str, Callable[[Bmc, argparse.Namespace], Any]] = {
    "bmc_info": ours,
    "redfish_info": play(REDFISH_INFO),
    "idrac_gather_facts": play(GATHER_FACTS),
    "bmclib": bmclib,
}


def asked(bmc: Bmc, name: str, options: argparse.Namespace) -> Answer:
    """The answer of one program, and what it cost the BMC."""
    if name in options.kept and (before := kept(options.keep, f"{name}-{bmc.tree.name}")):
        return before
    print(f"{name} ...", file=sys.stderr)
    bmc.counters.reset()
    checks = _password_checks(bmc)
    started = time.monotonic()
    answer = Answer(name)
    try:
        answer.said = PROGRAMS[name](bmc, options)
    except (OSError, RuntimeError, ValueError) as problem:
        answer.problem = str(problem)
        return answer
    seen = bmc.counters
    answer.figures = {
        "requests": seen.requests,
        "most requests of one resource": max(seen.by_path.values(), default=0),
        "times the password is sent": next(checks),
        "sessions opened": seen.logins,
        "sessions left open": seen.logins - seen.logouts,
        "seconds": f"{time.monotonic() - started:.1f}",
    }
    keep(options.keep, f"{name}-{bmc.tree.name}", answer)
    return answer


def _password_checks(bmc: Bmc) -> itertools.count[int]:
    """How often the BMC is given a name and a password from now on, as the next number of this."""
    checks, check = itertools.count(), type(bmc.access).check_password

    def counted(username: object, password: object) -> bool:
        next(checks)
        return check(bmc.access, username, password)

    bmc.access.check_password = counted  # type: ignore[method-assign]
    return checks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", default="server")
    parser.add_argument("--address", default="127.77.0.1", help="of the virtual BMC")
    parser.add_argument("--ansible", type=Path)
    parser.add_argument("--bmclib", type=Path)
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds of one program")
    parser.add_argument("--keep", type=Path, help="folder for the whole answers")
    parser.add_argument(
        "--kept", nargs="*", default=[], choices=list(PROGRAMS), help="not run again: taken from --keep"
    )
    parser.add_argument("--page", type=Path, help="page that the table is written into")
    parser.add_argument("--name", default="built-in", help="name of the table in the page")
    parser.add_argument("--only", nargs="*", default=list(PROGRAMS), choices=list(PROGRAMS))
    options = parser.parse_args()
    with running_farm(BmcSpec(tree=options.tree, address=options.address, port=443)) as farm:
        bmc = farm.bmcs[0]
        write(options.page, options.name, table(machine(bmc), [asked(bmc, name, options) for name in options.only]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
