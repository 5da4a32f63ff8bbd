# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch that says what it is: `lldpd` in namespaces of its own (root), with one port for a QEMU machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from fleetlab.process import Child, Running

NAME, PORT, CHASSIS = "leaf-7", "swp7", "02:00:5e:40:00:07"
SCRIPT = f"""
hostname {NAME}
ip link set lo up
ip tuntap add dev {PORT} mode tap
ip link set {PORT} address {CHASSIS} up
exec lldpd -d -u ./socket -O ./lldpd.conf -S "Exemplar switch"
"""
SETTINGS = """configure lldp tx-interval 1
configure lldp tx-hold 120
configure lldp portidsubtype ifname
"""
# Becomes the command, which has the switch's end of the cable as the file {tap}, but is not in the switch's network.
PLUG = """
import ctypes, fcntl, os, struct, sys
process, port, *command = sys.argv[1:]
here, there = (os.open(f"/proc/{number}/ns/net", os.O_RDONLY) for number in ("self", process))
enter = ctypes.CDLL(None).setns
assert enter(there, 0) == 0
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", port.encode(), 0x1002))  # TUNSETIFF: IFF_TAP, IFF_NO_PI
assert enter(here, 0) == 0
os.set_inheritable(tap, True)
os.execvp(command[0], [word.replace("{tap}", str(tap)) for word in command])
"""


def available() -> tuple[bool, str]:
    """Tell whether there can be a switch, and else what to do."""
    missing = [name for name in ("lldpd", "unshare", "ip") if not shutil.which(name)]
    if os.geteuid() != 0:
        missing.append("root (for network namespaces)")
    return (not missing, f"missing {', '.join(missing)}: run scripts/install-test-deps")


@dataclass
class Switch(Running):
    """The running switch; a context manager."""

    workdir: Path

    def _start(self) -> None:
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.workdir.chmod(0o755)  # lldpd is another user
        (self.workdir / "lldpd.conf").write_text(SETTINGS)
        command = ["unshare", "--net", "--uts", "sh", "-c", SCRIPT]
        self._child = Child(command, log=self.workdir / "lldpd.log", cwd=self.workdir, name="lldpd").start()
        self._child.wait_for((self.workdir / "socket").exists, 60, "it listens")

    def plugged(self, command: list[str], mac: str) -> list[str]:
        """`command`, which is QEMU, with one network card more, of that address, in this switch."""
        card = ["-netdev", "tap,id=switch,fd={tap}", "-device", f"virtio-net-pci,netdev=switch,mac={mac}"]
        return [sys.executable, "-c", PLUG, str(self.pid), PORT, *command, *card]
