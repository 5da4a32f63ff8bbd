# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection and other programs say of the machine that they run on. Run it as root, on that machine.

    python benchmarks/compare/in_band.py --facts FILE [--ipa DIR] [--resources BINARY] [--glpi DIR] [--keep DIR]

- ``--facts``: what the machine is known to have, as JSON: a list of values by the name of the fact (``guest.py`` makes
  one of what QEMU was told);
- ``--ipa``: a folder with ironic-python-agent (``pip install --target DIR ironic-python-agent``);
- ``--resources``: a program that prints ``resources.GetResources()`` of LXD, the library behind MAAS'
  machine-resources, as JSON;
- ``--glpi``: the folder of a GLPI agent (``bin/glpi-inventory`` and ``lib``).

What is missing is a column that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "plugins/module_utils"), str(Path(__file__).parent)]

from facts import Answer, Fact, keep, kept, table  # noqa: E402
from fleetcore.document.model import to_dict  # noqa: E402
from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.inband.collect.collector import collect  # noqa: E402
from fleetcore.inband.collect.host import SystemFiles, SystemRunner  # noqa: E402
from fleetcore.inband.collect.probe import Options  # noqa: E402

LIMIT = 1800.0  # seconds of one program

# The inventory that the agent sends, and what its collectors add to it.
IPA = """
import json, sys
from oslo_config import cfg
from ironic_python_agent import config, dmi_inspector, encoding, hardware, inspector
cfg.CONF([], project="ironic-python-agent")
from ironic_python_agent import utils
manager = hardware.GenericHardwareManager()
manager.evaluate_hardware_support()
found = {"inventory": manager.list_hardware_info()}
for collector in (inspector.collect_pci_devices_info, dmi_inspector.collect_dmidecode_info):
    try:
        collector(found, None)
    except Exception as problem:
        print(problem, file=sys.stderr)
json.dump(json.loads(encoding.RESTJSONEncoder().encode(found)), sys.stdout)
"""


def ours(_options: argparse.Namespace) -> Any:
    limits = Options(timeout=LIMIT, deadline=LIMIT)  # none of the others has one, and the machine may be emulated
    device, _capture = collect(SystemRunner(), SystemFiles(), SystemClock(), limits)
    return to_dict(device)


def ironic(options: argparse.Namespace) -> Any:
    return _json([sys.executable, "-c", IPA], env={**os.environ, "PYTHONPATH": _given(options.ipa, "--ipa")})


def maas(options: argparse.Namespace) -> Any:
    return _json([_given(options.resources, "--resources")])


def glpi(options: argparse.Namespace) -> Any:
    folder = Path(_given(options.glpi, "--glpi"))
    return _json(["perl", "-I", "lib", "bin/glpi-inventory", "--json"], cwd=folder)


def _given(value: object, option: str) -> str:
    if value is None:
        raise FileNotFoundError(f"not run: no {option}")
    return str(value)


def _json(command: list[str], **more: Any) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False, **more)
    start = done.stdout.find("{")
    if start < 0:
        raise RuntimeError(f"it ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout[start:])


PROGRAMS: Mapping[str, Callable[[argparse.Namespace], Any]] = {
    "host_inventory": ours,
    "IPA": ironic,
    "MAAS": maas,
    "GLPI agent": glpi,
}


def asked(name: str, options: argparse.Namespace) -> Answer:
    """The answer of one program, and how long it took."""
    if name in options.kept and (before := kept(options.keep, name)):
        return before
    print(f"{name} ...", file=sys.stderr)
    started = time.monotonic()
    answer = Answer(name)
    try:
        answer.said = PROGRAMS[name](options)
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as problem:
        answer.problem = str(problem)
        return answer
    answer.figures = {"seconds": f"{time.monotonic() - started:.1f}"}
    keep(options.keep, name, answer)
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=Path, required=True)
    parser.add_argument("--ipa", type=Path)
    parser.add_argument("--resources", type=Path)
    parser.add_argument("--glpi", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the whole answers")
    parser.add_argument("--kept", nargs="*", default=[], choices=list(PROGRAMS), help="taken from --keep")
    options = parser.parse_args()
    known = [Fact.of(name, values) for name, values in json.loads(options.facts.read_text()).items()]
    print(table(known, [asked(name, options) for name in PROGRAMS]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
