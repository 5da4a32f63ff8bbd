# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole collection of a machine where everything goes wrong at once: real programs and real files."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from fleetcore.document.model import to_dict
from fleetcore.host.clock import SystemClock
from fleetcore.inband.collect.archive import load, packed
from fleetcore.inband.collect.collector import collect, replay
from fleetcore.inband.collect.host import SystemFiles, SystemRunner
from fleetcore.inband.collect.probe import Options

LSBLK = {"blockdevices": [{"name": "sda", "type": "disk", "serial": "EX-DISK-1", "size": 1000, "model": "Exemplar"}]}
TOOLS = {
    "lshw": "head -c 16777216 /dev/urandom",
    "lspci": "yes 'Slot:\t0000:00:1f.2' | head -c 16777216",
    # It says what it has in the operator's language, if it is let.
    "lsblk": f"""if [ "$LC_ALL" = C ]; then echo '{json.dumps(LSBLK)}'; else echo 'Es gibt keine Ger\303\244te'; fi""",
    "smartctl": "trap '' TERM INT; sleep 600 & echo $! > {here}/child; echo $$ > {here}/self; sleep 600",
    "nvme": "kill -SEGV $$",
    "lldpctl": "exec >&-; sleep 600",
    "ipmitool": "printf '\\000\\377\\376' ; exit 3",
    "nvidia-smi": "echo '<nvidia_smi_log><gpu>'; sleep 600",
}


class Below:
    """The files of a folder as those of a machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files = SystemFiles()

    def read(self, path: str, limit: int) -> bytes:
        return self._files.read(self._folder + path, limit)

    def names(self, path: str):
        return self._files.names(self._folder + path)

    def link(self, path: str) -> str:
        return self._files.link(self._folder + path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, script in TOOLS.items():
        path = tmp_path / "bin" / name
        path.write_bytes(b"#!/bin/sh\n" + script.replace("{here}", str(tmp_path)).encode("latin-1") + b"\n")
        path.chmod(0o755)
    for path, content in {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Exemplar CPU\nphysical id\t: 0\ncore id\t: 0\n",
        "sys/class/dmi/id/product_name": "EX-1\n",
        "sys/firmware/dmi/tables/DMI": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def test_every_source_has_its_verdict_and_the_others_go_on(folder, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    begin = time.monotonic()
    device, capture = collect(
        SystemRunner(f"{folder}/bin:/usr/bin:/bin"), Below(folder), SystemClock(), Options(timeout=15, deadline=200)
    )
    assert time.monotonic() - begin < 150
    document = to_dict(device)
    verdicts = {name: item["verdict"] for name, item in document["coverage"].items()}
    expected = {
        "lshw": "failed",
        "lspci": "collected",
        "lsblk": "collected",
        "smartctl": "timeout",
        "nvme": "failed",
        "lldpctl": "timeout",
        "ipmi": "failed",
        "nvidia-smi": "timeout",
        "kernel": "collected",
        "dmi_id": "collected",
    }
    assert {name: verdicts[name] for name in expected} == expected, document["coverage"]
    assert [drive["serial"] for drive in document["drives"]] == ["EX-DISK-1"]
    assert (document["model"], len(document["cpus"])) == ("EX-1", 1)
    assert len(json.dumps(document)) < 20_000  # no garbage in it, reasons included
    # Nobody is left behind.
    for name in ("child", "self"):
        pid = int((folder / name).read_text())
        end = time.monotonic() + 60
        while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            assert time.monotonic() < end, f"{name} of smartctl still runs"
            time.sleep(0.05)
    (folder / "c.tar").write_bytes(packed(capture))
    assert to_dict(replay(load(str(folder / "c.tar")))) == document


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root may read the file that changes")
def test_files_that_change_while_they_are_read(folder):
    """Root's own table, the list of CPUs, drives: the capture has what the document came from, whatever they were at
    that moment."""
    table = folder / "sys/firmware/dmi/tables/DMI"
    table.chmod(0o400)
    # Type 1 with its strings, then the end; a reader may find any part of any of them.
    tables = [
        bytes([1, 27, 1, 0, 1, 2, 0, 3])
        + bytes(19)
        + (b"Exemplar\0" + model + b"\0" + b"EXS" + model + b"\0\0" + b"\x7f\x04\xff\xff\0\0")
        for model in (b"EX-%d" % number * size for number in range(3) for size in (1, 40))
    ]  # fmt: skip
    cpuinfo = folder / "proc/cpuinfo"
    text = cpuinfo.read_text()
    block = folder / "sys/block"
    block.mkdir()
    (folder / "bin/hdparm").write_text("#!/bin/sh\necho nonsense\n")
    (folder / "bin/hdparm").chmod(0o755)
    for name in TOOLS:
        (folder / "bin" / name).unlink()
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with table.open("r+b") as handle:
                handle.write(tables[number % len(tables)])
                if number % 3 == 0:
                    handle.truncate(number % 60)
            cpuinfo.write_text("\n".join([text] * (number % 5)))
            # A drive that comes and goes: several sources ask for the list, one for what it leads to.
            (block / "sda").unlink(missing_ok=True)
            if number % 2:
                (block / "sda").symlink_to("../devices/pci0000:00/0000:00:17.0/ata1/host0/block/sda")

    thread = threading.Thread(target=change)
    thread.start()
    found = set()
    try:
        for _round in range(40):
            device, capture = collect(SystemRunner(f"{folder}/bin"), Below(folder), SystemClock(), Options())
            assert to_dict(replay(capture)) == to_dict(device)
            for name, item in device.coverage.items():
                assert "bug in the source" not in (item.reason or ""), (name, item)
            found.add((device.serial, len(device.cpus), device.coverage["hdparm"].verdict))
    finally:
        stop.set()
        thread.join()
    assert len(found) > 4, "the files did not change"
