# SPDX-License-Identifier: BSD-2-Clause
"""Tiny virtual machines for power tests: a new boot can be told from a power state that only says so.

The guest is a Linux kernel and an initramfs of one busybox. At boot it writes `FLEET-BOOT <boot id>` to its serial
console, which is a log file; the kernel makes a new boot id every time. Then it idles until somebody presses the power
button. QEMU emulates in software (TCG): no KVM, no root.
"""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleetlab.process import LabError, tail, wait_until

ADVICE = "scripts/install-test-deps"
QEMU = "qemu-system-x86_64"
BUSYBOX = Path("/bin/busybox")
KERNEL_ARGUMENTS = "console=ttyS0 no_timer_check quiet panic=-1"
MODULES = ("button.ko", "evdev.ko")

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox insmod /button.ko
/bin/busybox insmod /evdev.ko
for device in /dev/input/event*; do
    { /bin/busybox head -c 1 "$device" >/dev/null && echo FLEET-BUTTON && /bin/busybox poweroff -f; } &
done
echo "FLEET-BOOT $(/bin/busybox cat /proc/sys/kernel/random/boot_id)"
while :; do /bin/busybox sleep 1000; done
"""


def cache_dir() -> Path:
    """The folder of the kernel from scripts/fetch-guest-kernel: it is of use to every checkout."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FLEET_CACHE") or Path(home) / "baremetal-fleet") / "guest"


def available() -> tuple[bool, str]:
    """Tell whether QEMU, busybox and the guest's kernel are there, and else what to do."""
    missing = [name for name in (QEMU, BUSYBOX) if not shutil.which(name)]
    missing += [cache_dir() / name for name in ("vmlinuz", *MODULES) if not (cache_dir() / name).exists()]
    return (not missing, f"missing {', '.join(map(str, missing))}: run {ADVICE}" if missing else "")


@dataclass(frozen=True)
class Guest:
    """The kernel and files that a machine boots."""

    kernel: Path
    initramfs: Path
    arguments: str = KERNEL_ARGUMENTS


def build_guest(workdir: Path) -> Guest:
    """Write the initramfs to `workdir` and return the guest; LabError when a part is missing."""
    usable, advice = available()
    if not usable:
        raise LabError(advice)
    files = {"init": INIT.encode(), "bin/busybox": BUSYBOX.read_bytes()}
    files |= {name: (cache_dir() / name).read_bytes() for name in MODULES}
    initramfs = workdir / "initramfs.gz"
    initramfs.write_bytes(pack(files))
    return Guest(cache_dir() / "vmlinuz", initramfs)


def pack(files: Mapping[str, bytes]) -> bytes:
    """An initramfs of these files, all of them executable; only `bin` and `dev` are folders."""
    return gzip.compress(b"".join(_cpio(files)), 1)


def _cpio(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield a newc archive (kernel documentation, initramfs-buffer-format).

    It holds directories, /dev/console and executable files.
    """

    def entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
        path = name.encode() + b"\0"
        numbers = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + path
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    yield entry("bin", stat.S_IFDIR | 0o755)
    yield entry("dev", stat.S_IFDIR | 0o755)
    yield entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for name, data in files.items():
        yield entry(name, stat.S_IFREG | 0o755, data)
    yield entry("TRAILER!!!", 0)


@dataclass
class Console:
    """The log of a guest's serial console, over all its boots."""

    path: Path

    def boots(self) -> list[str]:
        """Return the boot ids seen so far, oldest first."""
        text = self.path.read_text(errors="replace") if self.path.exists() else ""
        return re.findall(r"FLEET-BOOT ([0-9a-f-]{36})", text)

    def wait_for_boot(self, after: int = 0, timeout: float = 120.0) -> str:
        """Wait until there are more than `after` boots and return the newest's id; LabError with the console's end."""
        try:
            wait_until(lambda: len(self.boots()) > after, timeout, f"boot number {after + 1}", 0.2)
        except LabError as error:
            raise LabError(f"{error}\n--- {self.path} ends with:\n{tail(self.path)}") from None
        return self.boots()[-1]


@dataclass
class QemuMachine:
    """A QEMU process of its own, without libvirt; `switch` is the power switch, an `on_power` hook of IpmiSim.

    Everything is in `workdir`: the switch, the console's log, the process id. Nothing runs before the switch is called
    with `on`; call it with `off` in the end (IpmiSim does both).
    """

    workdir: Path
    guest: Guest
    memory: int = 256
    console: Console = field(init=False)

    def __post_init__(self) -> None:
        self.workdir = Path(self.workdir).absolute()
        self.console = Console(self.workdir / "console.log")
        # QEMU's own option syntax doubles commas.
        if "," in str(self.workdir):
            raise ValueError("QEMU takes no comma in a path")
        command = [
            QEMU,
            *("-name", "fleetlab", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-machine", "pc", "-accel", "tcg,thread=multi", "-m", str(self.memory)),
            *("-kernel", str(self.guest.kernel), "-initrd", str(self.guest.initramfs)),
            *("-append", self.guest.arguments),
            *("-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console"),
            *("-monitor", "pipe:monitor", "-pidfile", "pid", "-daemonize"),
        ]
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.switch.write_text(
            SWITCH.replace("@WORKDIR@", shlex.quote(str(self.workdir))).replace("@COMMAND@", shlex.join(command))
        )
        self.switch.chmod(0o700)

    @property
    def switch(self) -> Path:
        return self.workdir / "switch"

    @property
    def pid(self) -> int | None:
        """The process that is the machine, None when it is off."""
        try:
            return int((self.workdir / "pid").read_text())
        except FileNotFoundError:
            return None


# QEMU removes the file with its process id when it ends. Its daemon keeps no file descriptor of ours.
SWITCH = r"""#!/bin/sh
cd @WORKDIR@ || exit 1

running() { [ -s pid ] && kill -0 "$(cat pid)" 2>/dev/null; }

case $1 in
state)
    if running; then exit 0; else exit 3; fi
    ;;
on)
    if running; then exit 0; fi
    rm -f monitor.in monitor.out pid
    mkfifo -m 600 monitor.in monitor.out
    @COMMAND@
    ;;
soft)
    running && echo system_powerdown >monitor.in
    ;;
off)
    tries=0
    while running; do
        tries=$((tries + 1))
        case $tries in
        1) kill -TERM "$(cat pid)" ;;
        50) kill -KILL "$(cat pid)" && rm -f pid ;;
        esac
        sleep 0.1
    done
    ;;
*)
    echo "what is $1?" >&2
    exit 64
    ;;
esac
"""
