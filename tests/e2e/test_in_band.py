# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest over SSH: the document says what QEMU was told, and replays; its BMC says the same over the network."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import inband_guest
import lldp_switch
import pytest
import yaml
from fleet import Fleet
from inband_guest import FACTS, MAC, MEMORY, SECOND_MAC, UUID, InbandGuest

from fleetlab import ipmi
from fleetlab.ipmi import Fru, IpmiSim
from fleetlab.process import wait_until

REPOSITORY = Path(__file__).parents[2]
IPMITOOL = "/usr/bin/ipmitool"
PASSWORD = "bmc-password"
BMC_MAC, BMC_ADDRESS = "02:00:5e:20:00:77", "192.0.2.77"
OTHER_MAC, OTHER_ADDRESS = "02:00:5e:30:00:99", "192.0.2.99"
SUPERMICRO = 10876
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # the guest is built once


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InbandGuest]:
    for usable, advice in (inband_guest.available(), ipmi.available()):
        if not usable:
            pytest.skip(advice)
    usable, _ = lldp_switch.available()
    with (
        bmc_of(tmp_path_factory.mktemp("bmc")) as bmc,
        lldp_switch.Switch(tmp_path_factory.mktemp("switch")) if usable else contextlib.nullcontext() as switch,
        InbandGuest(tmp_path_factory.mktemp("inband"), bmc, switch) as machine,
    ):
        assert machine.ssh(f"mv {IPMITOOL} {IPMITOOL}.away") == 0
        assert machine.ssh("mkdir -p /run/lldpd && lldpd") == 0
        if switch:
            heard = f"lldpctl -f keyvalue | grep -q {lldp_switch.NAME}"
            wait_until(lambda: machine.ssh(heard) == 0, 60, "the guest hears the switch", 0.5)
        yield machine


def bmc_of(workdir: Path) -> IpmiSim:
    """A BMC with the machine's identity, of a maker whom ipmitool calls otherwise than we do."""
    fru = Fru(
        manufacturer=FACTS["vendor"],
        product=FACTS["model"],
        serial=FACTS["serial"],
        board_product=FACTS["board"],
        board_serial=FACTS["board_serial"],
        chassis_serial=FACTS["chassis_serial"],
    )
    return IpmiSim(
        workdir,
        password=PASSWORD,
        host=True,
        mac=BMC_MAC,
        ip=BMC_ADDRESS,
        manufacturer=SUPERMICRO,
        fru=fru,
        uuid=uuid.UUID(UUID),
    )


WHAT_IS_KEPT = {
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "ansible.builtin.copy": {
                "content": "{{ collect_inband | to_json }}",
                "dest": "{{ kept_in }}/{{ inventory_hostname }}.json",
                "mode": "0600",
            },
            "changed_when": False,
        }
    ],
}


class Operator:
    """Somebody with an inventory of the guest, and Ansible."""

    def __init__(self, workdir: Path, guest: InbandGuest) -> None:
        self.workdir = workdir
        link = workdir / "collections/ansible_collections/baremetal/fleet"
        link.parent.mkdir(parents=True)
        link.symlink_to(REPOSITORY)
        (workdir / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"guest": guest.variables}}}))

    def run(self, *argv: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_HOME": str(self.workdir / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.workdir / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
        }
        done = subprocess.run(
            [*argv, "-i", str(self.workdir / "inventory.yml")],
            cwd=self.workdir,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def operator(guest: InbandGuest, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(tmp_path_factory.mktemp("operator"), guest)


@pytest.fixture(scope="module")
def document(operator: Operator) -> dict:
    operator.run(
        *("ansible-playbook", "baremetal.fleet.collect_inband", "-e", "collect_become=false"),
        *("-e", f"collect_dir={operator.workdir}", "-e", "collect_timeout=120"),
    )
    return json.loads((operator.workdir / "guest.device.json").read_text())


def test_the_machine_is_what_qemu_was_told(document: dict) -> None:
    assert {key: document[key] for key in ("vendor", "model", "serial", "sku", "uuid", "chassis")} == {
        "vendor": FACTS["vendor"],
        "model": FACTS["model"],
        "serial": FACTS["serial"],
        "sku": FACTS["sku"],
        "uuid": UUID,
        "chassis": FACTS["chassis_serial"],
    }
    assert document["bios"]["firmware"]["installed"] == FACTS["bios_version"]
    assert (document["mainboard"]["model"], document["mainboard"]["serial"]) == (FACTS["board"], FACTS["board_serial"])
    assert document["hostname"] == "inband-guest"
    assert document["boot"]["mode"] == "BIOS"


def test_its_parts_are_what_qemu_was_told(document: dict) -> None:
    assert [(item["slot"], item["cores"]) for item in document["cpus"]] == [("SOCKET 0", 1), ("SOCKET 1", 1)]
    (module,) = document["memory"]
    assert (module["vendor"], module["serial"], module["part_number"], module["size_bytes"]) == (
        FACTS["dimm_vendor"],
        FACTS["dimm_serial"],
        FACTS["dimm_part"],
        MEMORY << 20,
    )
    assert {(item["serial"], item["protocol"]) for item in document["drives"]} == {
        (FACTS["nvme_serial"], "nvme"),
        (FACTS["second_serial"], "nvme"),
    }
    second = next(item for item in document["drives"] if item["serial"] == FACTS["second_serial"])
    assert (second["capacity_bytes"], second["smart_status"]) == (1 << 30, "ok")
    assert second["firmware"]["installed"]
    ports = {port["macaddress"]: port for card in document["nics"] for port in card["nic_ports"]}
    assert ports.keys() - {SECOND_MAC} == {MAC}
    assert ports[MAC]["link_status"] == "up"


def test_the_tools_of_the_guest_were_used(document: dict) -> None:
    verdicts = {name: item["verdict"] for name, item in document["coverage"].items()}
    used = (
        "smbios",
        "dmi_id",
        "kernel",
        "pci",
        "network",
        "block",
        "lshw",
        "lspci",
        "lsblk",
        "smartctl",
        "nvme",
        "ethtool",
        "ipmi",
    )
    assert {name: verdicts[name] for name in used} == dict.fromkeys(used, "collected")
    assert {verdicts[name] for name in ("ipmicfg", "storcli", "nvidia-smi")} == {"absent"}
    assert document["provenance"]["drives.smart_status"]


def test_a_capture_of_the_guest_replays_here(operator: Operator, guest: InbandGuest, tmp_path: Path) -> None:
    module = "baremetal.fleet.host_inventory"
    said = operator.run(
        "ansible", "guest", "-o", "-m", module, "-a", "capture=true capture_path=/root/capture.tar timeout=120"
    )
    taken = json.loads(said.split("=>", 1)[1])
    operator.run(
        "ansible", "guest", "-m", "ansible.builtin.fetch", "-a", f"src=/root/capture.tar dest={tmp_path}/ flat=true"
    )
    here = operator.run(
        *("ansible", "guest", "-o", "-c", "local", "-m", module, "-a", f"from_capture={tmp_path}/capture.tar"),
        *("-e", f"ansible_python_interpreter={sys.executable}"),
    )
    assert json.loads(here.split("=>", 1)[1])["device"] == taken["device"]


def test_an_ordinary_user_gets_verdicts(operator: Operator, guest: InbandGuest) -> None:
    said = operator.run(
        *("ansible", "guest", "-o", "-b", "--become-method", "su", "--become-user", "nobody"),
        *("-m", "baremetal.fleet.host_inventory", "-a", "timeout=120"),
        *("-e", "ansible_become_flags='-s /bin/sh'", "-e", "ansible_shell_allow_world_readable_temp=true"),
    )
    device = json.loads(said.split("=>", 1)[1])["device"]
    assert {device["coverage"][name]["verdict"] for name in ("smbios", "ipmi")} == {"denied"}
    assert device["model"] == FACTS["model"]  # of /sys/class/dmi/id
    assert "serial" not in device


def looked(operator: Operator, *words: str) -> dict:
    """What the module says of the guest."""
    said = operator.run("ansible", "guest", "-o", "-m", "baremetal.fleet.host_inventory", "-a", " ".join(words))
    device: dict = json.loads(said.split("=>", 1)[1])["device"]
    return device


def test_the_bmc_is_asked_through_the_kernel(document: dict) -> None:
    assert document["coverage"]["ipmi"] == {"verdict": "collected"}
    bmc = document["bmc"]
    assert (bmc["vendor"], bmc["firmware"]["installed"]) == ("Supermicro", "1.10")
    (port,) = bmc["nic"]["nic_ports"]
    assert (port["macaddress"], port["ip_addresses"]) == (BMC_MAC, [BMC_ADDRESS])
    assert port["metadata"] == {"source": "Static Address", "netmask": "255.0.0.0"}
    (fru,) = [item for item in document["enclosures"] if item["serial"] == FACTS["chassis_serial"]]
    assert fru["part_number"] == Fru().part_number  # which SMBIOS does not have


def test_ipmitool_says_the_same(operator: Operator, guest: InbandGuest, document: dict) -> None:
    assert guest.ssh(f"mv {IPMITOOL}.away {IPMITOOL}") == 0
    try:
        found = looked(operator, "timeout=120")
    finally:
        assert guest.ssh(f"mv {IPMITOOL} {IPMITOOL}.away") == 0
    assert found["coverage"]["ipmi"] == {"verdict": "collected"}
    for name in ("bmc", "enclosures", "mainboard", "vendor", "model", "serial", "chassis", "provenance"):
        assert found[name] == document[name], name


def test_a_bmc_that_does_not_answer(operator: Operator, guest: InbandGuest) -> None:
    os.kill(guest.bmc.pid, signal.SIGSTOP)
    try:
        found = looked(operator, "timeout=60")
    finally:
        os.kill(guest.bmc.pid, signal.SIGCONT)
    assert found["coverage"]["ipmi"]["verdict"] == "timeout"
    assert "does not answer" in found["coverage"]["ipmi"]["reason"]
    assert found["serial"] == FACTS["serial"]


def test_the_bmc_that_is_asked_over_the_network_is_the_hosts(
    guest: InbandGuest, document: dict, tmp_path: Path
) -> None:
    """By its MAC. Then somebody registers another machine's BMC: one without serial numbers, whose FRU nobody wrote."""
    blank = Fru(FACTS["vendor"], FACTS["model"], serial="", board_serial="", chassis_serial="")
    with (
        Fleet(tmp_path / "fleet", guest.bmc.username, PASSWORD) as fleet,
        IpmiSim(tmp_path / "other", password=PASSWORD, mac=OTHER_MAC, ip=OTHER_ADDRESS, fru=blank) as other,
    ):

        def asked(bmc: IpmiSim) -> dict:
            """What the server makes of both documents, by kind of finding."""
            where = {"address": bmc.address, "drivers": ["ipmi"], "ipmi_port": bmc.port}
            fleet.module("machine", name="guest", bmc=where)
            fleet.playbook("collect_oob.yml")
            found = fleet.get("/api/v1/machines/guest/device/findings")["items"]
            return {item["kind"]: item for item in found if item["severity"] != "info"}

        fleet.module("machine", name="guest", state="present")
        fleet.module("device_publish", machine="guest", device=document)
        assert asked(guest.bmc) == {}
        merged = fleet.get("/api/v1/machines/guest/device")
        if guest.switch:
            assert merged["links"] == [
                {
                    "part": f"nics:mac={SECOND_MAC}",
                    "port": "eth1",
                    "macaddress": SECOND_MAC,
                    "switch": lldp_switch.CHASSIS,
                    "switch_name": lldp_switch.NAME,
                    "switch_port": lldp_switch.PORT,
                    "source": "inband",
                }
            ]
        (port,) = merged["bmc"]["nic"]["nic_ports"]
        assert (port["macaddress"], merged["uuid"], merged["serial"]) == (BMC_MAC, UUID, FACTS["serial"])
        assert merged["power_state"] == "on"

        wrong = asked(other)["wrong_bmc"]
        assert (wrong["severity"], wrong["values"]) == ("critical", {"oob": [OTHER_MAC], "inband": [BMC_MAC]})


def test_many_hosts_are_published_and_the_second_time_nothing_changes(tmp_path: Path) -> None:
    """This machine, as several: through the playbook, to a real server, with `fleet_machine` where names differ."""
    with Fleet(tmp_path / "fleet", "", "") as fleet:
        names = ["one", "two", "three", "four"]
        for name in names:
            fleet.module("machine", name=name, state="present")
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {**dict.fromkeys(names[:3], local), "alias": {**local, "fleet_machine": "four"}}
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        play = tmp_path / "play.json"
        play.write_text(
            json.dumps([{"import_playbook": str(REPOSITORY / "playbooks/collect_inband.yml")}, WHAT_IS_KEPT])
        )
        argv = (
            "ansible-playbook",
            "-f",
            "1",
            "-i",
            inventory,
            play,
            "-e",
            "collect_become=false",
            "-e",
            f"kept_in={tmp_path}",
        )
        for changed in ("changed=1", "changed=0"):
            said = fleet.run(*argv, token=fleet._admin)
            recap = said.split("PLAY RECAP", 1)[1]
            assert recap.count(changed) == len(hosts), recap
            assert len(said) < 1000 * len(hosts)
            # As many documents at a time as there are forks: with one, a host's is published before the next is read.
            first_play = said.split("PLAY [", 2)[1]
            order = re.findall(r"^(?:ok|changed): \[(\w+)", first_play, re.MULTILINE)
            assert len(order) == 2 * len(hosts), first_play
            assert order[::2] == order[1::2], first_play
        # Ansible forgets a document that is published: the variable has it neither as a result nor as an option.
        for name in hosts:
            kept = (tmp_path / f"{name}.json").read_text()
            assert json.loads(kept)["changed"] is False
            assert len(kept) < 3000, kept
            assert "provenance" not in kept
        found = fleet.get("/api/v1/machines/four/device?source=inband")
        assert found["source"] == "inband"
        assert found["hostname"]
