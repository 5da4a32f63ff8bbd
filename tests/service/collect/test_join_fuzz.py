# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any pieces make one document: of plausible rows in which sources agree, contradict each other and repeat themselves.

``FLEET_FUZZ=N`` gives N examples for each promise (default 50).
"""

from __future__ import annotations

import json
import os
from typing import Any

from fleetcore.document.model import Device, device_from_dict, to_dict
from fleetcore.document.parts import (
    Capability,
    Cpu,
    Drive,
    Firmware,
    FirmwareEntry,
    Gpu,
    Memory,
    Nic,
    NicPort,
    PowerSupply,
    StorageController,
    Volume,
)
from fleetcore.inband.collect.join import join
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FLEET_FUZZ", "50"))
# Not made smaller: that takes minutes for documents of this size.
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)

SOURCES = (
    "smbios",
    "lshw",
    "block",
    "smartctl",
    "nvme",
    "storcli",
    "ssacli",
    "network",
    "ethtool",
    "lspci",
    "pci",
    "dsu",
)


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


# Few values, so that they meet. No serial is the beginning or end of another: tools that cut them short are join's
# own tests'.
SERIALS = some("AAAA00000001", "BBBB00000002", "CCCC00000003", "DDDD00000004")
ADDRESSES = some("0000:01:00.0", "0000:01:00.1", "0000:41:00.0", "0000:c1:00.0")
MODELS = some("EX 1", "EX-1", "EX 2", "88SE9230 SATA", "SAS3008 Fusion")
VERSIONS = st.builds(Firmware, installed=st.sampled_from(["1.0", "2.0"]), available=some("3.0"))
FIRMWARE = st.none() | VERSIONS
NUMBERS = some("1000", "1af4")

DRIVES = st.builds(
    Drive,
    serial=SERIALS,
    wwn=some("5000c50000000001", "5000c50000000002"),
    logical_name=some("/dev/sda", "/dev/sdb", "/dev/nvme0"),
    id=some("c0/e1/s0", "c0/e1/s1"),
    slot=some("e1/s0", "e1/s1"),
    model=MODELS,
    bus_info=some("0:0:0:0", "0:0:1:0"),
    storage_controller=some("c0", "slot 1", "nobody"),
    firmware=FIRMWARE,
    smart_status=some("ok", "failed", "unknown"),
    capabilities=st.tuples() | st.tuples(st.builds(Capability, name=st.just("trim"), enabled=st.booleans())),
)
CONTROLLERS = st.builds(
    StorageController,
    serial=SERIALS,
    bus_info=ADDRESSES,
    id=some("c0", "slot 1"),
    model=MODELS,
    pci_vendor_id=NUMBERS,
    pci_product_id=NUMBERS,
    firmware=FIRMWARE,
    metadata=st.sampled_from([{}, {"controller": "c0"}, {"slot": "1"}]),
)
PORTS = st.builds(
    NicPort,
    bus_info=ADDRESSES,
    logical_name=some("eno1", "eno2"),
    macaddress=some("02:00:00:00:00:01", "02:00:00:00:00:02"),
    firmware=FIRMWARE,
)
NICS = st.builds(
    Nic, bus_info=some("0000:01:00", "0000:41:00"), serial=SERIALS, nic_ports=st.lists(PORTS, max_size=3).map(tuple)
)


def several(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=4).map(tuple)


DEVICES = st.builds(
    Device,
    serial=SERIALS,
    model=MODELS,
    drives=several(DRIVES),
    storage_controller=several(CONTROLLERS),
    nics=several(NICS),
    gpus=several(st.builds(Gpu, bus_info=ADDRESSES, serial=SERIALS, uuid=some("u1", "u2"), model=MODELS)),
    memory=several(st.builds(Memory, serial=SERIALS, slot=some("A1", "A2"), size_bytes=some(1 << 30))),
    cpus=several(st.builds(Cpu, id=some("CPU0"), cores=some(1, 64))),
    power_supplies=several(st.builds(PowerSupply, serial=SERIALS, slot=some("PSU1", "PSU2"), firmware=FIRMWARE)),
    volumes=several(
        st.builds(
            Volume,
            id=some("c0/v0", "md0"),
            logical_name=some("/dev/sda", "/dev/md0"),
            storage_controller=some("c0"),
            physical_drives=st.lists(st.sampled_from(["/dev/sda1", "/dev/nvme0n1p2", "e1/s0"]), max_size=3).map(tuple),
        )
    ),
    firmware_inventory=several(
        st.builds(
            FirmwareEntry, name=some("Power Supply.Slot.1", "BOSS-S1", "HBA330 Mini", "PERC H330"), firmware=FIRMWARE
        )
    ),
)
PIECES = st.lists(st.tuples(st.sampled_from(SOURCES), DEVICES), max_size=6)


def rows(pieces: list[tuple[str, Device]], section: str) -> list[Any]:
    return [item for _source, device in pieces for item in getattr(device, section)]


@FUZZED
@given(PIECES)
def test_any_pieces_make_a_document(pieces: list[tuple[str, Device]]) -> None:
    found = join(pieces)
    document = to_dict(found)
    json.dumps(document, allow_nan=False)
    assert device_from_dict(document) == found
    sources = {source for source, _device in pieces} | {"dsu"}
    assert {name for names in found.provenance.values() for name in names.split(",")} <= sources


@FUZZED
@given(PIECES)
def test_no_part_with_an_identity_is_lost_nor_two_made_one(pieces: list[tuple[str, Device]]) -> None:
    found = join(pieces)
    for section in ("drives", "storage_controller", "gpus"):
        wanted = {item.serial for item in rows(pieces, section) if item.serial}
        assert {item.serial for item in getattr(found, section) if item.serial} == wanted, section
    for section in ("storage_controller", "gpus"):
        wanted = {item.bus_info for item in rows(pieces, section) if item.bus_info}
        assert {item.bus_info for item in getattr(found, section) if item.bus_info} == wanted, section
    ports = [port for nic in rows(pieces, "nics") for port in nic.nic_ports]
    assert {port.bus_info for nic in found.nics for port in nic.nic_ports} >= {p.bus_info for p in ports if p.bus_info}
