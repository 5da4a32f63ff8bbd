# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian guest to collect in-band: hardware that QEMU was told to show, SSH on the loopback interface only.

The disk image is built once (debootstrap, one to two minutes, root) and kept in the cache; a machine boots a snapshot
of it. QEMU emulates in software, without a display; it is stopped by its own process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lldp_switch import Switch

from fleetlab import vm
from fleetlab.ipmi import IpmiSim
from fleetlab.process import Child, LabError, Running, free_port, tail, wait_until

TOOLS = ("debootstrap", "unshare", "mkfs.ext4", "ssh", "ssh-keygen", vm.QEMU, str(vm.BUSYBOX))
ADVICE = "scripts/install-test-deps"
PACKAGES = (
    *("openssh-server", "python3", "iproute2", "kmod", "udev", "linux-image-amd64"),
    *("dmidecode", "lshw", "smartmontools", "nvme-cli", "ethtool", "pciutils", "ipmitool", "lldpd"),
)
SUITE = "bookworm"
UNSHARED = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -o remount,rw /
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /run/sshd
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
hostname inband-guest
modprobe -a virtio_pci virtio_net ipmi_devintf ipmi_si
ip link set lo up
for path in /sys/class/net/e*; do ip link set "${path##*/}" up; done
ip address add 10.0.2.15/24 dev eth0
/usr/sbin/sshd
echo FLEET-READY
while :; do sleep 1000; done
"""

# The kernel that has drivers for a BMC has none for disks and ext4 in itself.
DRIVERS = ("nvme", "ext4")
INITRAMFS = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /new
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read module; do /bin/busybox insmod "/$module"; done </modules
while :; do
    for disk in /dev/nvme?n1; do /bin/busybox mount -t ext4 -o ro "$disk" /new && break 2; done
    /bin/busybox sleep 0.1
done 2>/dev/null
/bin/busybox umount /dev /proc
exec /bin/busybox switch_root /new /fleet-init
"""
# What the disk needs no more. Other packages stay in the cache: test_install_tools makes a repository of them.
DONE_WITH = ("boot/*", "var/cache/apt/archives/linux-*.deb")

UUID = "6e1d9bd4-5d3c-4c1e-9d5b-0123456789ab"
MAC = "52:54:00:f1:ee:44"
SECOND_MAC = "52:54:00:f1:ee:45"
MEMORY = 1024
# What the machine is told to be; the test compares with these.
FACTS = {
    "bios_vendor": "Exemplar BIOS",
    "bios_version": "9.8.7",
    "vendor": "Exemplar",
    "model": "EX-2000",
    "serial": "EXSYS000044",
    "sku": "EX-SKU",
    "board": "EX-BOARD",
    "board_serial": "EXBOARD0044",
    "chassis_serial": "EXCHASSIS44",
    "dimm_vendor": "Exemplar Memory",
    "dimm_serial": "EXDIMM0044",
    "dimm_part": "EX-DDR4",
    "nvme_serial": "EXNVME000044",
    "second_serial": "EXNVME000045",
}


def _mirror() -> list[str]:
    """Where this machine's own apt gets the suite from; nothing (debootstrap's default) when it is another suite."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    sites = [line.split() for line in targets.stdout.splitlines()]
    return next(([site[0]] for site in sites if len(site) == 2 and site[1] == SUITE), [])


def available() -> tuple[bool, str]:
    """Tell whether the guest can be built or is built already, and else what to do."""
    missing = [name for name in TOOLS if not shutil.which(name)]
    if not image().exists() and os.geteuid() != 0:
        missing.append("root (to build the guest's disk once)")
    return (not missing, f"missing {', '.join(missing)}: run {ADVICE}" if missing else "")


def image() -> Path:
    """Where the disk is kept; another recipe is another file."""
    recipe = hashlib.sha256("\n".join([INIT, INITRAMFS, SUITE, *DRIVERS, *PACKAGES, *DONE_WITH]).encode()).hexdigest()[
        :12
    ]
    return vm.cache_dir() / f"inband-{recipe}.img"


def build() -> Path:
    """Return the guest's disk, with its kernel, initramfs and key beside it; made if it is not there."""
    target = image()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:  # another checkout may be making it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _build(target)
    return target


def _build(target: Path) -> None:
    root = target.with_suffix(".rootfs")
    shutil.rmtree(root, ignore_errors=True)
    try:
        log = target.with_suffix(".log")
        with log.open("wb") as out:
            done = subprocess.run(
                # What it mounts, and starts, ends with it.
                [
                    *UNSHARED,
                    "debootstrap",
                    "--variant=minbase",
                    f"--include={','.join(PACKAGES)}",
                    SUITE,
                    str(root),
                    *_mirror(),
                ],
                # Nobody needs Debian's own initramfs, nor each file on the disk before the next.
                env={**os.environ, "INITRD": "No", "DPKG_FORCE": "unsafe-io"},
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise LabError(f"debootstrap failed:\n{tail(log)}")
        key = target.with_suffix(".key")
        key.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        (root / "root/.ssh/authorized_keys").write_text(key.with_suffix(".key.pub").read_text())
        (root / "fleet-init").write_text(INIT)
        (root / "fleet-init").chmod(0o755)
        kernel = next((root / "boot").glob("vmlinuz-*"))
        shutil.copyfile(kernel, target.with_suffix(".kernel"))
        target.with_suffix(".initramfs").write_bytes(vm.pack(_early(root, kernel.name.partition("-")[2])))
        for pattern in DONE_WITH:
            for path in root.glob(pattern):
                path.unlink()
        fresh = target.with_suffix(".new")
        subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(root), str(fresh), "1500M"], check=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def root(folder: Path) -> None:
    """The guest's whole file system, in an empty folder: a Debian to change as one likes. Needs root."""
    done = subprocess.run(
        ["debugfs", "-R", f"rdump / {folder}", str(build())], capture_output=True, text=True, check=False
    )
    if done.returncode or not (folder / "usr/bin/python3").is_symlink():
        raise LabError(f"debugfs could not unpack {image()}: {done.stderr[-500:]}")


def _early(root: Path, release: str) -> dict[str, bytes]:
    """What finds the disk: `DRIVERS` with the modules that they need, in the order of loading."""
    said = subprocess.run(
        ["chroot", str(root), "modprobe", "-S", release, "--show-depends", "--all", *DRIVERS],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    paths = list(dict.fromkeys(line.split()[1] for line in said.stdout.splitlines()))
    names = [Path(path).name for path in paths]
    files = {name: (root / path.lstrip("/")).read_bytes() for name, path in zip(names, paths, strict=True)}
    listed = "".join(f"{name}\n" for name in names).encode()
    return {"init": INITRAMFS.encode(), "bin/busybox": vm.BUSYBOX.read_bytes(), "modules": listed, **files}


def hardware() -> list[str]:
    """QEMU's arguments for what `FACTS` say, the disk with the guest's system (`KERNEL_ARGUMENTS` name it) included."""
    facts = FACTS
    system = f"manufacturer={facts['vendor']},product={facts['model']},serial={facts['serial']},sku={facts['sku']}"
    module = f"manufacturer={facts['dimm_vendor']},serial={facts['dimm_serial']},part={facts['dimm_part']}"
    return [
        *("-drive", f"file={image()},if=none,id=d0,format=raw,snapshot=on"),
        *("-device", f"nvme,drive=d0,serial={facts['nvme_serial']},addr=0x10"),
        *("-drive", "driver=null-co,if=none,id=d1,size=1073741824,read-zeroes=on"),
        *("-device", f"nvme,drive=d1,serial={facts['second_serial']},addr=0x11"),
        *("-smbios", f"type=0,vendor={facts['bios_vendor']},version={facts['bios_version']},date=01/31/2024"),
        *("-smbios", f"type=1,{system},uuid={UUID}"),
        *("-smbios", f"type=2,manufacturer={facts['vendor']},product={facts['board']},serial={facts['board_serial']}"),
        *("-smbios", f"type=3,manufacturer={facts['vendor']},serial={facts['chassis_serial']},asset=rack-7"),
        *("-smbios", "type=4,sock_pfx=SOCKET,manufacturer=Exemplar,version=Exemplar CPU"),
        *("-smbios", f"type=17,loc_pfx=DIMM,{module},speed=3200"),
    ]


KERNEL_ARGUMENTS = "console=ttyS0 no_timer_check quiet panic=-1"


@dataclass(kw_only=True)
class Login:
    """The way into a guest, as root: a port of this machine, or what the command `proxy` reaches."""

    port: int = field(default_factory=free_port)
    proxy: str = ""

    @property
    def options(self) -> str:
        key = image().with_suffix(".key")
        proxy = f" -o ProxyCommand={self.proxy}" if self.proxy else ""
        trust = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        return f"-i {key} {trust} -o ConnectTimeout=20 -o LogLevel=ERROR{proxy}"

    @property
    def variables(self) -> dict[str, object]:
        """The inventory's variables of the guest."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_common_args": self.options,
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def ssh(self, command: str) -> int:
        """Run a command in the guest; its exit code, 255 if there is no connection."""
        argv = ["ssh", "-p", str(self.port), *self.options.split(), "root@127.0.0.1", command]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode

    def wait(self, console: Path, timeout: float = 600.0) -> None:
        """Wait for the guest to answer; LabError with the end of its console if it does not."""
        try:
            wait_until(lambda: self.ssh("true") == 0, timeout, "the guest to answer", 0.5)
        except LabError as error:
            raise LabError(f"{error}\n{tail(console)}") from None


@dataclass
class InbandGuest(Login, Running):
    """The running machine with its BMC, and a port in a switch if there is one; a context manager."""

    workdir: Path
    bmc: IpmiSim
    switch: Switch | None = None

    def _start(self) -> None:
        disk = build()
        command = [
            *(vm.QEMU, "-nodefaults", "-no-user-config", "-display", "none"),
            *("-serial", f"file:{self.workdir}/console.log"),
            *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(MEMORY)),
            *("-smp", "2,sockets=2,cores=1,threads=1", "-uuid", UUID),
            *("-kernel", str(disk.with_suffix(".kernel")), "-initrd", str(disk.with_suffix(".initramfs"))),
            *("-append", KERNEL_ARGUMENTS),
            *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
            *("-device", f"virtio-net-pci,netdev=n0,mac={MAC}"),
            *hardware(),
            *self.bmc.qemu(),
        ]
        if self.switch:
            command = self.switch.plugged(command, SECOND_MAC)
        self._child = Child(command, log=self.workdir / "qemu.log", name="qemu").start()
        self.wait(self.workdir / "console.log")
