# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both views of one machine, made from a capture of one of them: there is none of which both were captured."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fixtures_dir import fixture_dir
from fleetcore.document.findings import findings
from fleetcore.document.match import label
from fleetcore.document.merge import merge, source_of
from fleetcore.document.model import Source, device_from_dict, to_dict
from fleetcore.inband.collect.archive import load as load_tools
from fleetcore.inband.collect.collector import replay
from fleetcore.redfish.capture import read
from fleetcore.redfish.replay import replay as replay_redfish

PARTS = ("cpus", "memory", "drives", "nics", "power_supplies", "gpus", "storage_controller", "tpms")


def swapped(uuid: str) -> str:
    first, second, third, rest = uuid.split("-", 3)
    return "-".join([*("".join(re.findall("..", part)[::-1]) for part in (first, second, third)), rest])


def as_the_os_says_it(oob: dict[str, Any]) -> dict[str, Any]:
    """A BMC's document in the words of SMBIOS, sysfs and smartctl: no ids, no health, other spellings, what only they
    know."""
    counter = iter(range(1, 1000))

    def part(item: dict[str, Any], **more: Any) -> dict[str, Any]:
        kept = {name: value for name, value in item.items() if name not in ("id", "slot", "status", "description")}
        return {**kept, **more}

    return {
        "source": "inband",
        "vendor": "Dell",
        "model": oob["model"],
        "serial": oob["serial"],
        "uuid": swapped(oob["uuid"]),
        "bios": oob["bios"],
        "bmc": {"firmware": {"installed": "6.00"}, "nic": {"nic_ports": [{"macaddress": "B0:7B:25:D6:51:82"}]}},
        "cpus": [
            part(item, slot=f"CPU{number}", id=f"0x040{number}", model="Intel Xeon Gold 6354")
            for number, item in enumerate(oob["cpus"], 1)
        ][::-1],
        "memory": [part(item, slot=item["slot"].split()[-1], serial=item["serial"].lower()) for item in oob["memory"]][
            ::-1
        ],
        "drives": [
            part(item, logical_name=f"/dev/nvme{next(counter)}", capacity_bytes=item["capacity_bytes"] // 10**9 * 10**9)
            for item in oob["drives"]
        ],
        "nics": [
            {
                "bus_info": f"0000:{next(counter):02x}:00",
                "vendor": item.get("vendor"),
                "nic_ports": [
                    {"logical_name": f"eth{next(counter)}", "macaddress": port["macaddress"].upper()}
                    for port in item["nic_ports"]
                    if port.get("macaddress")
                ],
            }
            for item in oob["nics"]
        ],
        "power_supplies": [part(item, id=f"0x270{number}") for number, item in enumerate(oob["power_supplies"])],
        "gpus": [part(item, bus_info="0000:17:00.0") for item in oob["gpus"]],
        "storage_controller": [
            part(item, id=f"0000:00:{next(counter):02x}.0", vendor="Intel Corporation")
            for item in oob["storage_controller"]
        ],
        "tpms": [{"interface_type": "TPM 2.0", "vendor": "STMicro"}],
        "coverage": {"smbios": {"verdict": "collected"}, "block": {"verdict": "collected"}},
        "provenance": dict.fromkeys(PARTS, "smbios"),
    }


@pytest.fixture(scope="module")
def r750() -> dict[str, Any]:
    document: dict[str, Any] = to_dict(replay_redfish(read(str(fixture_dir("redfish", "dell-r750.tar.gz")))))
    return document


def test_r750_as_bmc_and_os_see_it_is_one_machine(r750: dict[str, Any]) -> None:
    inband = to_dict(device_from_dict(as_the_os_says_it(r750)))
    merged = merge({Source.OOB: r750, Source.INBAND: inband})
    assert {name: len(merged[name]) for name in PARTS} == {name: len(r750[name]) for name in PARTS}
    assert {item["slot"] for item in merged["memory"]} == {item["slot"] for item in r750["memory"]}
    assert all(item["logical_name"] and item["id"] for item in merged["drives"])
    for name, field, source in (
        ("memory", "slot", "oob"),
        ("drives", "logical_name", "inband"),
        ("drives", "id", "oob"),
    ):
        title = label(merged[name][0])
        assert source_of(merged["provenance"], name, title, field) == source
    assert findings({Source.OOB: r750, Source.INBAND: inband}) == []


def test_r750_with_a_module_that_the_os_misses(r750: dict[str, Any]) -> None:
    inband = as_the_os_says_it(r750)
    lost = inband["memory"].pop(3)
    (finding,) = findings({Source.OOB: r750, Source.INBAND: to_dict(device_from_dict(inband))})
    assert (finding["kind"], finding["component"].lower()) == ("missing", f"memory:serial={lost['serial']}")


def test_r6515_as_its_bmc_would_say_it() -> None:
    inband = to_dict(replay(load_tools(str(fixture_dir("inband", "dell", "r6515")))))
    oob = {
        "vendor": "Dell Inc.",
        "serial": inband["serial"],
        "uuid": inband["uuid"].upper(),
        "cpus": [
            {"id": "CPU.Socket.1", "slot": "CPU.Socket.1", "model": "AMD EPYC 7502P 32-Core Processor", "cores": 32}
        ],
        "memory": [
            {
                "id": f"DIMM.Socket.{item['slot']}",
                "slot": f"DIMM {item['slot']}",
                "serial": item["serial"],
                "size_bytes": item["size_bytes"],
            }
            for item in inband["memory"]
        ],
        "drives": [{"id": f"Disk.{item['serial']}", "serial": item["serial"]} for item in inband["drives"]],
        "power_supplies": [
            {"id": f"PSU.Slot.{number}", "serial": item["serial"]}
            for number, item in enumerate(inband["power_supplies"], 1)
        ],
        "coverage": {name: {"verdict": "collected"} for name in ("processors", "memory", "storage", "network")},
    }
    merged = merge({Source.OOB: oob, Source.INBAND: inband})
    for name in ("cpus", "memory", "drives", "power_supplies", "nics", "storage_controller"):
        assert len(merged[name]) == len(inband[name]), name
    assert [item["id"] for item in merged["power_supplies"]] == ["PSU.Slot.1", "PSU.Slot.2"]
    assert findings({Source.OOB: oob, Source.INBAND: inband}) == []
