# SPDX-License-Identifier: BSD-2-Clause
"""A virtual BMC that speaks IPMI: Debian's `ipmi_sim` with contents of our making, as an ordinary user on a high port.

It answers power, boot device, sensors (SDR), event log (SEL) and FRU. Its power switch is a small script in the working
directory that keeps the state, writes a power log and calls a hook, which may start and stop something real.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

from fleetlab.ipmi_records import MC, SENSORS, Fru, Sensor, octets
from fleetlab.process import Child, LabError, Missing, Running, free_port, json_lines, tail

ADVICE = "apt-get install openipmi (as root)"


def available() -> tuple[bool, str]:
    """Tell whether ipmi_sim is installed, and else what to do."""
    return (True, "") if shutil.which("ipmi_sim") else (False, ADVICE)


@dataclass
class IpmiSim(Running):
    """Run `ipmi_sim` on 127.0.0.1 (UDP); a context manager. `port` 0 takes a free one, valid once started.

    `mac` and `ip` are what it says of its LAN channel, wherever it listens, `manufacturer` the BMC's maker (an IANA
    enterprise number). With `host` it is the BMC of a QEMU machine, too, which reaches it on the TCP port `host_port`
    with the device arguments `qemu()`.

    `on_power` is a command that is called with one argument more: `on`, `off` (hard; it must wait until it is off),
    `soft` (press the power button) or `state` (exit status 0: it is on, 3: it is off, else: what was set last counts).
    Its output goes to hook.log in `workdir`; when `on` or `off` fails, so does the IPMI command. `initial` is the power
    state to start with; with a hook that is done by calling it, and it is called with `off` in the end. A second
    instance on the same `workdir` after the first keeps the power log.

    The simulator's limits: user name and password have at most 16 characters of printable ASCII without space and `"`.
    """

    workdir: Path
    port: int = 0
    username: str = "admin"
    password: str = "password"  # noqa: S105 (virtual)
    on_power: Sequence[str | os.PathLike[str]] | None = None
    initial: Literal["on", "off"] = "on"
    fru: Fru = field(default_factory=Fru)
    sensors: Sequence[Sensor] = SENSORS
    uuid: UUID | None = None
    mac: str = "02:00:5e:10:00:01"
    ip: str = "127.0.0.1"
    manufacturer: int = 0x1291
    host: bool = False
    host_port: int = field(default=0, init=False)
    start_timeout: float = 60.0

    def __post_init__(self) -> None:
        self.workdir = Path(self.workdir).absolute()
        for text in (self.username, self.password):
            if not 1 <= len(text) <= 16 or not all("!" <= letter <= "~" and letter != '"' for letter in text):
                raise ValueError('user name and password: 1 to 16 printable ASCII characters, no space, no "')
        if self.uuid is None:
            self.uuid = uuid5(NAMESPACE_DNS, f"{self.fru.serial}.fleetlab")

    @property
    def address(self) -> str:
        return "127.0.0.1"

    @property
    def log(self) -> Path:
        return self.workdir / "ipmi_sim.log"

    @property
    def power_log_path(self) -> Path:
        return self.workdir / "power.log"

    def power_log(self) -> list[dict[str, str]]:
        """Return what happened to the power, oldest first: {"at", "action": "on" | "off" | "reset" | "soft"}.

        `on` and `off` are changes of state; a reset is one entry; `soft` is the pressed button: without a hook `off`
        follows, with one the machine turns itself off, which is not logged.
        """
        return json_lines(self.power_log_path)

    def state(self) -> Literal["on", "off"]:
        """Return the power state as the simulator sees it, asked at the switch and not over IPMI."""
        return "on" if self._switch("get", "power").strip() == "power:1" else "off"

    def _switch(self, *words: str) -> str:
        command = ["./chassis-control", hex(MC), *words]
        answer = subprocess.run(command, cwd=self.workdir, capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode:
            raise LabError(f"the power switch failed; hook.log ends with:\n{tail(self.workdir / 'hook.log')}")
        return answer.stdout

    def qemu(self) -> list[str]:
        """Arguments of QEMU for a machine whose BMC this is: a KCS interface on the ISA bus."""
        where = f"socket,id=bmc,host={self.address},port={self.host_port},reconnect=1"
        return ["-chardev", where, "-device", "ipmi-bmc-extern,id=bmc0,chardev=bmc", "-device", "isa-ipmi-kcs,bmc=bmc0"]

    def _start(self) -> None:
        usable, advice = available()
        if not usable:
            raise Missing(f"ipmi_sim is not installed: {advice}")
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port(socket.SOCK_DGRAM)
        self.host_port = free_port() if self.host else 0
        self._write()
        # All paths are relative to the working directory: the simulator's files know no quoting.
        self._child = Child(
            ["ipmi_sim", "-c", "lan.conf", "-f", "sim.emu", "-s", "state", "-n"], log=self.log, cwd=self.workdir
        ).start()
        self._child.wait_for(self._answers, self.start_timeout, f"an answer on UDP port {self.port}")
        if self.on_power and self.initial == "on":
            self._switch("set", "power", "1")

    def _stop(self) -> None:
        started = self._child is not None
        super()._stop()
        if started and self.on_power:
            self._switch("set", "power", "0")

    def _answers(self) -> bool:
        # RMCP header, session-less IPMI 1.5 header, Get Channel Authentication Capabilities.
        question = bytes.fromhex("0600ff07 00 00000000 00000000 09 2018c88100388e04b5")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            try:
                client.connect((self.address, self.port))
                client.send(question)
                return len(client.recv(512)) > 20
            except OSError:
                return False

    def _write(self) -> None:
        assert self.uuid is not None  # noqa: S101 (set above)
        auths = "none md2 md5 straight"
        self._put("fru.bin", self.fru.encode())
        lan = f"""
            name "fleetlab"
            set_working_mc {MC:#x}
              startlan 1
                addr {self.address} {self.port}
                priv_limit admin
                allowed_auths_callback {auths}
                allowed_auths_user {auths}
                allowed_auths_operator {auths}
                allowed_auths_admin {auths}
                guid {self.uuid.bytes[::-1].hex()}
                lan_config_program "./lan-control"
              endlan
              {f"serial 15 {self.address} {self.host_port} codec VM" if self.host else ""}
              chassis_control "./chassis-control {MC:#x}"
              user 2 true "{self.username}" "{self.password}" admin 10 {auths}
        """
        self._put("lan.conf", lan.encode(), 0o600)
        self._put("lan-control", LAN.format(address=self.ip, mac=self.mac).encode(), 0o700)
        commands = [
            f"mc_setbmc {MC:#x}",
            f"mc_add {MC:#x} 0 no-device-sdrs 0x23 1 0x10 0x9f {self.manufacturer:#x} 0xf02",
            # IPMI sends the least significant byte first.
            f"mc_set_guid {MC:#x} {self.uuid.bytes[::-1].hex()}",
            f"sel_enable {MC:#x} 1000 0x0a",
            # Record type 2: time, generator, format, sensor type and number, event type, three bytes of data:
            # system event, OEM system boot.
            f"sel_add {MC:#x} 0x02 {octets(bytes.fromhex('00000000 2000 04 12 83 6f 01ffff'))}",
            f'mc_add_fru_data {MC:#x} 0 {len(self.fru.encode())} file 0 "fru.bin"',
        ]
        for number, sensor in enumerate(self.sensors, start=1):
            commands += sensor.commands(number)
        commands.append(f"mc_enable {MC:#x}")
        self._put("sim.emu", ("\n".join(commands) + "\n").encode())
        self._put("power", b"1\n" if self.initial == "on" and not self.on_power else b"0\n")
        hook = shlex.join(os.fspath(part) for part in self.on_power) if self.on_power else ""
        self._put("chassis-control", SWITCH.replace("@HOOK@", hook or "unhooked").encode(), 0o700)

    def _put(self, name: str, data: bytes, mode: int = 0o644) -> None:
        path = self.workdir / name
        path.touch(mode)
        path.chmod(mode)
        path.write_bytes(data)


# Called by the simulator in its working directory as `lan-control get <what>...`.
LAN = """#!/bin/sh
shift
for what; do
    case $what in
    ip_addr) echo "$what:{address}" ;;
    ip_addr_src) echo "$what:static" ;;
    mac_addr) echo "$what:{mac}" ;;
    subnet_mask) echo "$what:255.0.0.0" ;;
    *_mac_addr) echo "$what:00:00:00:00:00:00" ;;
    *) echo "$what:0.0.0.0" ;;
    esac
done
"""

# Called by the simulator in its working directory as `chassis-control 0x20 get <what>...` and `... set <what> <value>`.
# A power cycle arrives as `set power 0`, `get power` every second until it is off, `set power 1`.
SWITCH = r"""#!/bin/sh
unhooked() {
    case $1 in
    state) return 2 ;;
    soft) echo soft >soft ;;
    esac
}

hook() { @HOOK@ "$1" </dev/null >>hook.log 2>&1; }

power() {
    hook state
    case $? in
    0) echo 1 ;;
    3) echo 0 ;;
    *) cat power ;;
    esac
}

note() { printf '{"at":"%s","action":"%s"}\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" "$1" >>power.log; }

switch() { # on|off
    case $1 in on) want=1 ;; off) want=0 ;; esac
    had=$(power)
    if [ "$had" = "$want" ]; then return 0; fi
    hook "$1" || exit 1
    echo "$want" >power.new && mv power.new power
    note "$1"
}

operation=$2
shift 2
if [ "$operation" = get ]; then
    for what; do
        case $what in
        power) echo "power:$(power)" ;;
        boot) echo "boot:$(cat boot 2>/dev/null || echo default)" ;;
        *) echo "$what:0" ;;
        esac
    done
    exit 0
fi
while [ $# -ge 2 ]; do
    case $1 in
    power) if [ "$2" = 1 ]; then switch on; else switch off; fi ;;
    boot) echo "$2" >boot ;;
    reset)
        if [ "$(power)" = 1 ]; then
            { hook off && hook on; } || exit 1
            note reset
        fi
        ;;
    shutdown)
        if [ "$(power)" = 1 ]; then
            note soft
            hook soft || exit 1
            if [ -e soft ]; then rm soft; switch off; fi
        fi
        ;;
    esac
    shift 2
done
"""
