# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A libvirt of our own, without systemd: private directories, network and processes, all gone when it stops.

libvirtd runs in new mount, network and process-id namespaces, so it neither sees nor changes the host's libvirt, and
whatever it started ends with it, even if this process is killed. Only its socket is reachable from outside. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from fleetlab.process import Child, LabError, Running
from fleetlab.vm import Console, Guest

if TYPE_CHECKING:
    libvirt: Any
else:
    try:
        import libvirt
    except ImportError:
        libvirt = None

ADVICE = "scripts/install-test-deps, then pip install libvirt-python==9.0.0"

# The first process of the namespaces. It stays, to reap what libvirtd leaves.
INSIDE = r"""
set -eu
cd "$1"
mount --make-rprivate /
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt run:/run/libvirt; do
    mkdir -p "${pair%%:*}" "${pair#*:}"
    mount --bind "${pair%%:*}" "${pair#*:}"
done
# A KVM that does not work costs two minutes of probing; software emulation is all we want.
if [ -e /dev/kvm ]; then
    : >no-kvm
    chmod 600 no-kvm
    mount --bind no-kvm /dev/kvm
fi
# libvirt's QEMU driver wants its user to exist, though qemu.conf names root; libvirt-daemon-system would make it.
for file in passwd group; do cp "/etc/$file" "$file"; done
echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>passwd
printf 'libvirt-qemu:x:64055:\nkvm:x:64056:\n' >>group
for file in passwd group; do mount --bind "$file" "/etc/$file"; done
ip link set lo up
# As a service manager would: one that died is started again.
while :; do
    libvirtd --config "$1/libvirtd.conf" --pid-file "$1/libvirtd.pid" &
    wait $! || sleep 3
done
"""


def available() -> tuple[bool, str]:
    """Tell whether this machine and user can run it, and else what to do."""
    if os.geteuid() != 0:
        return False, "needs root (namespaces, mounts)"
    missing = [name for name in ("libvirtd", "virsh", "unshare", "nsenter", "ip") if not shutil.which(name)]
    if libvirt is None:
        missing.append("libvirt-python")
    return (not missing, f"missing {', '.join(missing)}: {ADVICE}" if missing else "")


@dataclass
class Domain:
    """A defined virtual machine."""

    uuid: UUID
    name: str
    mac: str
    console: Console


@dataclass
class LibvirtLab(Running):
    """Run the private libvirtd; a context manager."""

    # A path of ours: a Unix socket's may not be longer than 108 bytes.
    workdir: Path = field(init=False)

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.workdir}/run/libvirt-sock"

    def _start(self) -> None:
        self.workdir = Path(tempfile.mkdtemp(prefix="fleet-libvirt-"))
        # The directories and the sockets must be reachable for QEMU only, which runs as root here.
        etc = self.workdir / "etc"
        etc.mkdir()
        (etc / "qemu.conf").write_text(
            'user = "root"\ngroup = "root"\nnamespaces = []\nsecurity_driver = "none"\n'
            'cgroup_controllers = []\nstdio_handler = "file"\n'
        )
        (self.workdir / "libvirtd.conf").write_text(
            'unix_sock_dir = "/run/libvirt"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
            'unix_sock_group = "root"\nunix_sock_rw_perms = "0700"\nlog_outputs = "2:stderr"\n'
        )
        socket = self.workdir / "run" / "libvirt-sock"
        self._child = Child(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", "-c", INSIDE, "sh", self.workdir),
            ],
            log=self.workdir / "libvirtd.log",
            name="libvirtd",
        ).start()
        self._child.wait_for(socket.is_socket, 60, f"the socket {socket}")
        libvirt.open(self.uri).close()

    def _stop(self) -> None:
        super()._stop()
        shutil.rmtree(self.workdir, ignore_errors=True)

    def define(self, name: str, guest: Guest, mac: str = "52:54:00:f1:ee:01", memory: int = 256) -> Domain:
        """Define a machine that is off. Its serial console's log is one file for all boots."""
        uuid = uuid4()
        console = Console(self.workdir / f"{uuid}.console")
        self.define_xml(DOMAIN.format(name=name, uuid=uuid, guest=guest, mac=mac, memory=memory, console=console.path))
        return Domain(uuid, name, mac, console)

    def define_xml(self, xml: str) -> None:
        """Define a machine of libvirt's own description."""
        with contextlib.closing(libvirt.open(self.uri)) as connection:
            connection.defineXML(xml)

    def pool(self, path: Path) -> None:
        """Make a folder a storage pool. Redfish shows disks that are volumes of a pool, no others."""
        with contextlib.closing(libvirt.open(self.uri)) as connection:
            connection.storagePoolCreateXML(
                f"<pool type='dir'><name>{path.name}</name><target><path>{path}</path></target></pool>"
            )

    def forward(self, domain: Domain, port: int, to: int) -> str:
        """Open `port` inside the lab's network for a machine's port; return a command that connects to it."""
        subprocess.run(
            [
                *("virsh", "--connect", self.uri, "qemu-monitor-command", "--hmp", domain.name),
                f"hostfwd_add hostnet0 tcp:127.0.0.1:{port}-:{to}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        if self._child is None:
            raise LabError("libvirtd does not run")
        command = self.workdir / f"connect-{port}"
        command.write_text(CONNECT.format(python=sys.executable, port=port, pid=self._child.pid))
        command.chmod(0o700)
        return str(command)

    def start(self, domain: Domain) -> None:
        """Switch a machine on."""
        with contextlib.closing(libvirt.open(self.uri)) as connection:
            connection.lookupByUUIDString(str(domain.uuid)).create()

    def suspend(self, domain: Domain) -> None:
        """Let a running machine hang: it is on, and does nothing any more."""
        with contextlib.closing(libvirt.open(self.uri)) as connection:
            connection.lookupByUUIDString(str(domain.uuid)).suspend()

    def kill_libvirtd(self) -> None:
        """Kill it; it is started again after three seconds. Machines that are on stay on."""
        if self._child is None:
            raise LabError("libvirtd does not run")
        (init,) = _children(self._child.pid)
        (daemon,) = [pid for pid in _children(init) if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd"]
        os.kill(daemon, signal.SIGKILL)

    def switched(self, domain: Domain) -> list[str]:
        """Tell what libvirt wrote of a machine's power: ``on``, ``shutdown`` (by itself), ``destroyed`` (the plug)."""
        text = (self.workdir / "log" / "qemu" / f"{domain.name}.log").read_text(errors="replace")
        found = re.findall(r"(starting up) libvirt|shutting down, reason=(\w+)", text)
        return ["on" if started else reason for started, reason in found]

    def remove(self, domain: Domain) -> None:
        """Pull the plug of a machine and forget it; no error when it is not there."""
        with contextlib.closing(libvirt.open(self.uri)) as connection:
            for known in connection.listAllDomains():
                if known.UUIDString() == str(domain.uuid):
                    if known.isActive():
                        known.destroy()
                    known.undefine()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# Standard input and output as a connection, from inside the network namespace.
CONNECT = """#!/bin/sh
exec nsenter --target {pid} --net {python} -c '
import os, socket, threading
link = socket.create_connection(("127.0.0.1", {port}))
def upload():
    while data := os.read(0, 65536):
        link.sendall(data)
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=upload, daemon=True).start()
while data := link.recv(65536):
    while data:
        data = data[os.write(1, data):]
'
"""

DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <boot dev='hd'/>
    <kernel>{guest.kernel}</kernel>
    <initrd>{guest.initramfs}</initrd>
    <cmdline>{guest.arguments}</cmdline>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='user'><mac address='{mac}'/><model type='virtio'/><rom enabled='no'/></interface>
    <serial type='file'><source path='{console}' append='on'/><target port='0'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""
