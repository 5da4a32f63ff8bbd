# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In-band: parsers and replay of captures, what the module costs a machine, what a play over many costs the controller.

    python benchmarks/in_band.py captures [--captures DIR]
    python benchmarks/in_band.py module [--rounds 5] [--guest]
    python benchmarks/in_band.py hosts [--hosts 50] [--capture PATH]

- ``captures``: the largest outputs parsed, whole machines replayed; the best of five in one process. The folder has one
  capture (folder or archive) for each machine; by default it is ``shared/fixtures/inband`` beside the checkout;
- ``module``: CPU time, user and system, of the module's process and of the tools that it ran: ``host_inventory``
  against ``setup`` (hardware facts only, and all) and ``ping``, each as Ansible packs it, in turns, medians. On this
  machine, or with ``--guest`` on a QEMU guest in software emulation;
- ``hosts``: ``collect_inband``, published to a real ``fleetd serve``, against a play that gathers facts, over as many
  hosts with a local connection, with 10 forks. CPU time of all that Ansible started, modules included, per host; memory
  is the peak of what ``ansible-playbook`` and its workers have, shared pages once (PSS), looked at five times a second,
  and the largest resident set of one of them; the modules' own is the targets' and not in it. With ``--capture`` the
  hosts have the documents of that capture.

One JSON object on the standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils"), str(ROOT / "tests/e2e")]

from fleetcore.document.model import to_dict  # noqa: E402
from fleetcore.inband.collect.archive import load  # noqa: E402
from fleetcore.inband.collect.collector import replay  # noqa: E402
from fleetcore.inband.parse import asrr_bioscontrol, lshw, racadm, supermicro_sum  # noqa: E402
from oob import machine_server  # noqa: E402

from fleetlab.ipmi import IpmiSim  # noqa: E402

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


def ansible(work: Path, **more: str) -> dict[str, str]:
    """The environment of Ansible with this collection."""
    link = work / "collections/ansible_collections/baremetal/fleet"
    if not link.exists():
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(work / "collections"),
        "ANSIBLE_HOME": str(work / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        **more,
    }


# -- what the module costs its machine ---------------------------------------------------------------------------------

MODULES = {
    "host_inventory": ("baremetal.fleet.host_inventory", "timeout=120"),
    "setup, hardware facts": ("ansible.builtin.setup", "gather_subset=!all,!min,hardware gather_timeout=120"),
    "setup": ("ansible.builtin.setup", "gather_timeout=120"),
    "ping": ("ansible.builtin.ping", ""),
}
METER = """
import atexit, json, resource, runpy, sys
def used(who):
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime
def end():
    sys.stderr.write(json.dumps({"module": used(resource.RUSAGE_SELF), "tools": used(resource.RUSAGE_CHILDREN)}))
atexit.register(end)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def packed(work: Path, module: str, arguments: str) -> bytes:
    """A module as Ansible sends it, with its arguments."""
    remote = Path(tempfile.mkdtemp(dir=work))
    environment = ansible(work, ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_REMOTE_TEMP=str(remote), ANSIBLE_PIPELINING="0")
    argv = ["ansible", "localhost", "-m", module, "-a", arguments, "-e", f"ansible_python_interpreter={sys.executable}"]
    subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    (found,) = remote.rglob("AnsiballZ_*.py")
    return found.read_bytes()


def module(rounds: int, in_guest: bool) -> dict:
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target, prefix = work, [sys.executable]
        if in_guest:
            import inband_guest  # noqa: PLC0415

            bmc = stack.enter_context(IpmiSim(work / "bmc", host=True))
            login = stack.enter_context(inband_guest.InbandGuest(work, bmc))
            ssh = ["ssh", "-p", str(login.port), *login.options.split(), "root@127.0.0.1"]
            target, prefix = Path("/root"), [*ssh, "/usr/bin/python3"]

        def put(name: str, data: bytes) -> str:
            path = target / name
            if in_guest:
                subprocess.run([*ssh, f"cat > {path}"], input=data, check=True)
            else:
                path.write_bytes(data)
            return str(path)

        meter = put("meter.py", METER.encode())
        files = {name: put(f"{number}.py", packed(work, *what)) for number, (name, what) in enumerate(MODULES.items())}
        runs: dict[str, list[dict]] = {name: [] for name in MODULES}
        sizes = {}
        for _round in range(rounds):
            for name, path in files.items():
                done = subprocess.run(
                    [*prefix, meter, path], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
                )
                runs[name].append(json.loads(done.stderr.splitlines()[-1]))
                result = json.loads(done.stdout)
                sizes[name] = len(json.dumps(result.get("device") or result.get("ansible_facts") or {}))
    out = {}
    for name, taken in runs.items():
        middle = {key: round(statistics.median(run[key] for run in taken), 3) for key in taken[0]}
        total = statistics.median(run["module"] + run["tools"] for run in taken)
        out[name] = {"cpu_s": round(total, 3), **middle, "result_bytes": sizes[name]}
    return out


# -- what many hosts cost the controller -------------------------------------------------------------------------------


class Watch:
    """CPU time and memory of a process and all that it starts."""

    def __init__(self, argv: list[str], environment: dict[str, str], work: Path) -> None:
        self.pss = self.largest = 0
        begin = time.monotonic()
        with (work / "output").open("wb") as output:
            self._process = subprocess.Popen(
                argv, env=environment, cwd=work, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        done = threading.Event()
        watcher = threading.Thread(target=self._look, args=(done,))
        watcher.start()
        _pid, status, usage = os.wait4(self._process.pid, 0)
        done.set()
        watcher.join()
        if status:
            raise SystemExit((work / "output").read_text(errors="replace")[-3000:])
        self.seconds = time.monotonic() - begin
        self.cpu = usage.ru_utime + usage.ru_stime

    def _look(self, done: threading.Event) -> None:
        while not done.wait(0.2):
            total = 0
            for pid in self._tree():
                with contextlib.suppress(OSError, KeyError):
                    if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                        sizes = dict(re.findall(r"^(Rss|Pss): +(\d+)", text, re.MULTILINE))
                        total += int(sizes["Pss"])
                        self.largest = max(self.largest, int(sizes["Rss"]))
            self.pss = max(self.pss, total)

    def _tree(self) -> list[int]:
        parents = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        found = [self._process.pid]
        for pid in found:  # grows
            found += [child for child, parent in parents.items() if parent == pid]
        return found


def hosts(count: int, capture: str | None) -> dict:
    with tempfile.TemporaryDirectory() as folder, machine_server(Path(folder), count) as (url, token):
        work = Path(folder)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        (work / "hosts.json").write_text(json.dumps({"all": {"hosts": {f"m{n}": local for n in range(count)}}}))
        plays = {
            "collect_inband": [{"import_playbook": str(ROOT / "playbooks/collect_inband.yml")}],
            "setup": [{"hosts": "all", "strategy": "free", "gather_facts": True}],
            "ping": [
                {"hosts": "all", "strategy": "free", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
            ],
        }
        out = {}
        for name, play in plays.items():
            (work / f"{name}.json").write_text(json.dumps(play))
            argv = ["ansible-playbook", "-i", str(work / "hosts.json"), "-f", "10", str(work / f"{name}.json")]
            argv += ["-e", "collect_become=false"]
            argv += ["-e", f"collect_from_capture={capture}"] if capture else []
            seen = Watch(argv, ansible(work, FLEETD_URL=url, FLEETD_TOKEN=token), work)
            out[name] = {
                "hosts": count,
                "seconds": round(seen.seconds, 1),
                "cpu_s_per_host": round(seen.cpu / count, 2),
                "controller_peak_mib": round(seen.pss / 1024, 1),
                "largest_process_mib": round(seen.largest / 1024, 1),
            }
        return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    command = commands.add_parser("captures")
    command.add_argument("--captures", type=Path, default=ROOT.parent / "shared/fixtures/inband")
    command = commands.add_parser("module")
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--guest", action="store_true")
    command = commands.add_parser("hosts")
    command.add_argument("--hosts", type=int, default=50)
    command.add_argument("--capture")
    options = parser.parse_args()
    if options.what == "captures":
        result = captures(options.captures)
    elif options.what == "module":
        result = module(options.rounds, options.guest)
    else:
        result = hosts(options.hosts, options.capture)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
