# SPDX-License-Identifier: GPL-3.0-or-later
"""In-band: parse throughput and replay of captures; with ``--guest`` time and result size on a QEMU guest, against ``setup``.

    PYTHONPATH=src:plugins/module_utils python benchmarks/in_band.py [--captures DIR] [--guest]

``--captures`` is a folder with one capture (folder or archive) per machine at any depth of two; default shared/fixtures/inband.
One JSON object on the standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fleetcore.collect.archive import load
from fleetcore.collect.collector import replay
from fleetcore.model import to_dict
from fleetcore.parse import asrr_bioscontrol, lshw, racadm, supermicro_sum

ROOT = Path(__file__).resolve().parents[1]
LARGE = {
    "asrr/e3c246d4i-nl/bios.json": asrr_bioscontrol.parse_asrr_bios,
    "dell/r6515/bios.json": racadm.parse_racadm,
    "supermicro/x11schf-f/bios.xml": supermicro_sum.parse_sum,
    "dell/r6515/lshw.json": lshw.parse_lshw,
}
MACHINES = ("dell/r6515", "asrr/e3c246d4i-nl")


def best(function, *arguments, rounds=5):
    times = []
    for _round in range(rounds):
        begin = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - begin)
    return min(times), result


def captures(folder: Path) -> dict:
    out: dict = {"parse": {}, "replay": {}}
    for name, parse in LARGE.items():
        raw = (folder / name).read_bytes()
        seconds, _result = best(parse, raw)
        out["parse"][name] = {
            "bytes": len(raw),
            "ms": round(seconds * 1e3, 1),
            "MB_per_s": round(len(raw) / seconds / 1e6, 1),
        }
    for name in MACHINES:
        seconds, device = best(lambda path: to_dict(replay(load(path))), str(folder / name))
        out["replay"][name] = {"ms": round(seconds * 1e3, 1), "document_bytes": len(json.dumps(device))}
    return out


def guest() -> dict:
    """The same guest, the same connection, both modules three times; the best of each."""
    sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "src")]
    import inband_guest  # noqa: PLC0415

    out = {}
    with tempfile.TemporaryDirectory() as folder, inband_guest.InbandGuest(Path(folder)) as machine:
        work = Path(folder)
        link = work / "collections/ansible_collections/baremetal/fleet"
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)
        (work / "inventory.json").write_text(json.dumps({"all": {"hosts": {"guest": machine.variables}}}))
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(work / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
        }
        questions = {
            "host_inventory": ("baremetal.fleet.host_inventory", "timeout=120"),
            "host_inventory full": ("baremetal.fleet.host_inventory", "timeout=120 full=true"),
            "setup, hardware facts": ("ansible.builtin.setup", "gather_subset=!all,!min,hardware gather_timeout=120"),
            "setup": ("ansible.builtin.setup", "gather_timeout=120"),
        }
        for name, (module, arguments) in questions.items():

            def ask(module=module, arguments=arguments):
                argv = ["ansible", "guest", "-o", "-i", str(work / "inventory.json"), "-m", module, "-a", arguments]
                done = subprocess.run(
                    argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
                )
                return json.loads(done.stdout.split("=>", 1)[1])

            seconds, result = best(ask, rounds=3)
            value = result.get("device") or result.get("ansible_facts")
            out[name] = {"seconds": round(seconds, 2), "result_bytes": len(json.dumps(value))}
            if "device" in result:
                out[name]["seconds_in_the_guest"] = result["device"]["stats"]["seconds"]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=Path, default=ROOT.parent / "shared/fixtures/inband")
    parser.add_argument("--guest", action="store_true")
    options = parser.parse_args()
    result = captures(options.captures)
    if options.guest:
        result["guest"] = guest()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
