# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ``in_band.py`` in a virtual machine whose hardware is known: QEMU was told what to show.

    python benchmarks/compare/guest.py [--ipa DIR] [--resources BINARY] [--glpi DIR] [--page docs/comparison.md]

The options are those of ``in_band.py``; what they name is copied into the guest, whose Python is 3.11. The guest is
that of the end-to-end tests (``tests/e2e/inband_guest.py``: Debian with dmidecode, lshw, smartctl, nvme-cli, ethtool,
a BMC behind KCS), with the Debian packages that the GLPI agent needs. Needs root, QEMU, debootstrap and ipmi_sim; it
takes some minutes, because QEMU emulates in software.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("src", "plugins/module_utils", "tests/e2e", "benchmarks/compare")]

import inband_guest  # noqa: E402
from facts import write  # noqa: E402
from inband_guest import FACTS, InbandGuest  # noqa: E402

from fleetlab.ipmi import Fru, IpmiSim  # noqa: E402
from fleetlab.ipmi_records import SENSORS  # noqa: E402

PACKAGES = (
    *("libwww-perl", "libxml-libxml-perl", "libxml-treepp-perl", "libxml-xpath-perl", "libcpanel-json-xs-perl"),
    *("libuniversal-require-perl", "libfile-which-perl", "libtext-template-perl", "libdatetime-perl"),
    *("libparallel-forkmanager-perl", "libproc-daemon-perl", "libnet-ip-perl"),
)
FRU = Fru(
    manufacturer=FACTS["vendor"],
    product=FACTS["model"],
    serial=FACTS["serial"],
    board_product=FACTS["board"],
    board_serial=FACTS["board_serial"],
    chassis_serial=FACTS["chassis_serial"],
)
BMC_MAC, BMC_ADDRESS = "02:00:5e:20:00:77", "192.0.2.77"
KNOWN = {
    "serial number": [FACTS["serial"]],
    "UUID": [inband_guest.UUID],
    "vendor and model": [FACTS["vendor"], FACTS["model"]],
    "BIOS version": [FACTS["bios_version"]],
    "mainboard serial": [FACTS["board_serial"]],
    "chassis serial": [FACTS["chassis_serial"]],
    "CPU sockets by name": ["SOCKET 0", "SOCKET 1"],
    "DIMM by serial": [FACTS["dimm_serial"]],
    "DIMM by part number": [FACTS["dimm_part"]],
    "drives by serial": [FACTS["nvme_serial"], FACTS["second_serial"]],
    "NIC by MAC": [inband_guest.MAC],
    "BMC's address": [BMC_ADDRESS],
    "BMC's MAC": [BMC_MAC],
    "sensors by name": [sensor.name for sensor in SENSORS],
    "host address": ["10.0.2.15"],
}


def image(options: argparse.Namespace) -> Path:
    """The guest's disk with the programs on it, and beside it what boots it."""
    plain = inband_guest.build()
    target = plain.with_name("compare.img")
    with tempfile.TemporaryDirectory(dir=plain.parent) as name:
        folder = Path(name, "root")
        folder.mkdir()
        inband_guest.root(folder)
        _unpack(folder)
        for source, place in (
            (ROOT / "plugins/module_utils", "opt/compare/plugins/module_utils"),
            (ROOT / "benchmarks/compare", "opt/compare/benchmarks/compare"),
            (options.ipa, "opt/compare/ipa"),
            (options.resources, "opt/compare/resources"),
            (options.glpi, "opt/compare/glpi"),
        ):
            if source is not None:
                _copy(source, folder / place)
        (folder / "opt/compare/facts.json").write_text(json.dumps(KNOWN))
        subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(folder), str(target), "3G"], check=True)
    for suffix in (".kernel", ".initramfs", ".key"):
        shutil.copy(plain.with_suffix(suffix), target.with_suffix(suffix))
    return target


def _unpack(root: Path) -> None:
    """Lay out the packages, and the Perl modules that they need; none of them has to be configured."""
    only = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    listed = subprocess.run(
        ["apt-cache", "depends", "--recurse", *only, *PACKAGES], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    names = {name for name in listed if name.startswith("lib") and name.endswith("-perl")} | set(PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-q", *sorted(names)], cwd=folder, check=True, stdout=sys.stderr)
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    elif source.exists():
        target.unlink(missing_ok=True)
        shutil.copy(source, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipa", type=Path)
    parser.add_argument("--resources", type=Path)
    parser.add_argument("--glpi", type=Path)
    parser.add_argument("--page", type=Path, help="page that the table is written into")
    parser.add_argument("--keep", type=Path, help="folder for the whole answers")
    options = parser.parse_args()
    disk = image(options)
    inband_guest.image = lambda: disk
    words = ["python3", "/opt/compare/benchmarks/compare/in_band.py", "--facts", "/opt/compare/facts.json"]
    words += ["--ipa", "/opt/compare/ipa"] if options.ipa else []
    words += ["--resources", "/opt/compare/resources"] if options.resources else []
    words += ["--glpi", "/opt/compare/glpi"] if options.glpi else []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        identity = uuid.UUID(inband_guest.UUID)
        sim = IpmiSim(work / "bmc", host=True, mac=BMC_MAC, ip=BMC_ADDRESS, fru=FRU, uuid=identity)
        with sim as bmc, InbandGuest(workdir=work, bmc=bmc) as guest:
            there = ["-p", str(guest.port), *guest.options.split(), "root@127.0.0.1"]
            run = ["ssh", *there, " ".join([*words, "--keep /run/answers"])]
            done = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=False)
            if options.keep:
                kept = subprocess.run(["ssh", *there, "tar c -C /run answers"], stdout=subprocess.PIPE, check=False)
                options.keep.mkdir(parents=True, exist_ok=True)
                subprocess.run(["tar", "x", "-C", str(options.keep)], input=kept.stdout, check=False)
    if done.returncode:
        raise SystemExit("the comparison failed in the guest")
    write(options.page, "in-band", done.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
