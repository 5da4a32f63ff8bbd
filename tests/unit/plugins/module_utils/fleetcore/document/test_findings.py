# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A spelling is no disagreement; a contradiction is a finding."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.findings import (
    findings,
    same_vendor,
    same_version,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.match import same_uuid, same_words
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Source
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.sections import memory_bytes

GIB = 2**30
COVERED = {"memory": {"verdict": "collected"}, "storage": {"verdict": "collected"}}
OOB = {
    "vendor": "Dell Inc.",
    "model": "PowerEdge R750",
    "serial": "F54P1G3",
    "uuid": "4c4c4544-0035-3410-8050-c6c04f314733",
    "bios": {"firmware": {"installed": "1.8.2"}},
    "bmc": {
        "firmware": {"installed": "6.00.30.00"},
        "nic": {"nic_ports": [{"macaddress": "b0:7b:25:d6:51:82", "ip_addresses": ["10.0.0.7"]}]},
    },
    "cpus": [{"slot": "CPU.Socket.1", "model": "Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz", "cores": 18}],
    "memory": [
        {"slot": "DIMM A1", "serial": "M1", "size_bytes": 32 * GIB},
        {"slot": "DIMM A2", "serial": "M2", "size_bytes": 32 * GIB},
    ],
    "drives": [{"serial": "D1", "slot": "1", "capacity_bytes": 1920383410176}],
    "coverage": COVERED,
}
INBAND = {
    "vendor": "Dell",
    "model": "PowerEdge  R750",
    "serial": "f54p1g3",
    "uuid": "44454c4c-3500-1034-8050-c6c04f314733",
    "bios": {"firmware": {"installed": "1.08.02"}},
    "bmc": {"firmware": {"installed": "6.00"}, "nic": {"nic_ports": [{"macaddress": "B0-7B-25-D6-51-82"}]}},
    "cpus": [{"slot": "CPU1", "model": "Intel Xeon Gold 6354", "cores": 18}],
    "memory": [
        {"slot": "A1", "serial": "M1", "size_bytes": 32767 * 2**20},
        {"slot": "A2", "serial": "m2", "size_bytes": 32 * GIB},
    ],
    "drives": [{"serial": "D1", "logical_name": "/dev/sda", "capacity_bytes": 1920 * 10**9}],
    "coverage": {"smbios": {"verdict": "collected"}, "block": {"verdict": "collected"}},
    "provenance": {"memory": "smbios", "drives": "block", "cpus": "smbios"},
}


def found(oob=None, inband=None):
    return findings({Source.OOB: {**OOB, **(oob or {})}, Source.INBAND: {**INBAND, **(inband or {})}})


def short(items):
    return [(item["kind"], item["severity"], item["component"], item.get("field")) for item in items]


def test_spellings_are_no_findings():
    assert found() == []


def test_one_source_alone_has_none():
    assert findings({Source.OOB: OOB}) == findings({}) == []


def test_a_fact():
    (finding,) = found(inband={"bios": {"firmware": {"installed": "1.9.0"}}})
    assert finding == {
        "kind": "disagreement",
        "severity": "warning",
        "component": "bios",
        "field": "firmware.installed",
        "values": {"oob": "1.8.2", "inband": "1.9.0"},
        "message": "bios: firmware is 1.8.2 for the BMC and 1.9.0 for the OS",
    }
    half = [{**INBAND["memory"][0], "size_bytes": 16 * GIB}, INBAND["memory"][1]]
    assert short(found(inband={"memory": half})) == [("disagreement", "warning", "memory:serial=M1", "size_bytes")]


def test_a_module_that_the_os_does_not_see():
    items = found(inband={"memory": INBAND["memory"][:1]})
    assert short(items) == [("missing", "warning", "memory:serial=M2", None)]
    assert items[0]["message"] == "memory DIMM A2 (serial M2): the OS does not see it"
    assert items[0]["values"] == {"oob": "serial=M2"}


def summed(total, **inband):
    return found({"memory": [], "metadata": {"memory_bytes": str(total)}, "coverage": {}}, inband)


def test_a_bmc_that_knows_only_the_sum_of_the_modules():
    assert summed(64 * GIB) == []
    (finding,) = summed(128 * GIB)
    assert finding == {
        "kind": "disagreement",
        "severity": "warning",
        "component": "memory",
        "field": "size_bytes",
        "values": {"oob": 128 * GIB, "inband": 65535 * 2**20},
        "message": "memory: 128 GiB in all for the BMC and 64 GiB for the OS",
    }
    large = [{"slot": str(number), "size_bytes": 64 * GIB} for number in range(32)]
    assert summed(2030 * GIB, memory=large) == []
    assert short(summed(1984 * GIB, memory=large)) == [("disagreement", "warning", "memory", "size_bytes")]
    small = [{"slot": "A1", "size_bytes": 3 * GIB // 2}]
    assert summed(1 * GIB, memory=small) == []  # a BMC that says whole GiB only
    for said in ("much", "-1", "", "9" * 30):
        assert summed(said) == []
    assert summed(128 * GIB, memory=[]) == []
    assert summed(128 * GIB, coverage={"smbios": {"verdict": "timeout"}}) == []


@pytest.mark.parametrize(
    "verdict", [{"verdict": "failed"}, {"verdict": "collected", "last_seen": "2026-01-01T00:00:00Z"}]
)
def test_who_did_not_look_misses_nothing(verdict):
    assert found(inband={"memory": INBAND["memory"][:1], "coverage": {**INBAND["coverage"], "smbios": verdict}}) == []
    assert found(oob={"memory": OOB["memory"][:1], "coverage": {**COVERED, "memory": verdict}}) == []


def test_a_drive_that_did_not_answer_its_tool_is_not_missing():
    drives = [*OOB["drives"], {"serial": "D2", "slot": "2"}]
    assert [item["kind"] for item in found({"drives": drives})] == ["missing"]
    silent = {"verdict": "collected", "parts": {"/dev/sdb": {"verdict": "timeout"}}}
    assert found({"drives": drives}, {"coverage": {**INBAND["coverage"], "block": silent}}) == []


def test_modules_of_which_some_do_not_say_their_size():
    modules = [{"slot": "A1", "serial": "M1", "size_bytes": 32 * GIB}, {"slot": "A2", "serial": "M2"}]
    total = {"metadata": {"memory_bytes": str(64 * GIB)}}
    assert memory_bytes({"memory": modules, **total}) == 64 * GIB
    assert memory_bytes({"memory": modules}) == 32 * GIB
    assert memory_bytes({"memory": modules[:1], **total}) == 32 * GIB


def test_two_parts_in_one_slot():
    other = [INBAND["memory"][0], {"slot": "A2", "serial": "M9"}]
    assert short(found(inband={"memory": other})) == [("other_part", "warning", "memory:serial=M2", "serial")]


def test_the_document_of_another_machine():
    other = {"serial": "OTHER01", "uuid": "4c4c4544-0031-5710-804c-b1c04f4b3933", "memory": []}
    assert short(found(inband=other)) == [("other_machine", "critical", "device", "serial")]


@pytest.mark.parametrize(
    "inband",
    [
        {"serial": "CNIVC0014M0388", "uuid": None},  # of the board
        {"serial": "To Be Filled By O.E.M."},
        {"serial": "CNIVC0014M0388", "uuid": None, "mainboard": {"serial": ".F54P1G3.CNIVC0014M0388."}},
    ],
)
def test_another_of_its_serial_numbers_is_the_same_machine(inband):
    assert found({"mainboard": {"serial": "CNIVC0014M0388"}}, inband) == []


@pytest.mark.parametrize(
    ("inband", "component"),
    [
        ({"serial": "OTHER01"}, "device"),  # one UUID
        ({"serial": "OTHER01", "uuid": None, "mainboard": {"serial": "CNIVC0014M0388"}}, "device"),
        ({"mainboard": {"serial": "CNIVC00200000"}}, "mainboard"),
    ],
)
def test_serial_numbers_that_differ_in_one_machine(inband, component):
    items = found({"mainboard": {"serial": "CNIVC0014M0388"}}, inband)
    assert short(items) == [("disagreement", "warning", component, "serial")]


def test_the_bmc_of_another_machine():
    def bmc(mac, *addresses):
        return {"bmc": {"nic": {"nic_ports": [{"macaddress": mac, "ip_addresses": list(addresses)}]}}}

    assert short(found(inband=bmc("00:00:00:00:00:07"))) == [("wrong_bmc", "critical", "bmc", "macaddress")]
    assert found(inband=bmc("00:00:00:00:00:07", "10.0.0.7")) == []
    assert short(found(inband=bmc("b0:7b:25:d6:51:83"))) == [
        ("wrong_bmc", "info", "bmc", "macaddress")
    ]  # its shared port
    for make in ("169.254.3.1", "fe80::1", "16.1.15.1", "192.168.0.120", "127.0.0.1", "no address"):
        oob = bmc("b0:7b:25:d6:51:82", "10.0.0.7", make)
        assert short(found(oob, bmc("00:00:00:00:00:07", "10.0.0.8", make))) == [
            ("wrong_bmc", "critical", "bmc", "macaddress")
        ]


def test_worst_first():
    items = found(
        inband={"bmc": {"nic": {"nic_ports": [{"macaddress": "00:00:00:00:00:07"}]}}, "model": "X", "vendor": "HPE"}
    )
    assert [item["severity"] for item in items] == ["critical", "warning", "info"]


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ("1.8.2", "v1.08.02", True),
        ("4.40", "4.40.10.00", True),
        ("20.31.1014", "20.31.10.14", True),
        ("8.15 0x800096ca 20.0.17", "20.0.17", True),
        ("2.07B", "L2.07B", True),
        ("1.8.2", "1.8.3", False),
        ("1.8.2", "11.8.2", False),
    ],
)
def test_versions(mine, theirs, same):
    assert same_version(mine, theirs) is same
    assert same_version(*reversed((mine, theirs))) is same


def test_vendors_and_uuids():
    assert same_vendor("SK Hynix", "Hynix Semiconductor (Hyundai Electronics)")
    assert not same_vendor("Samsung", "Micron Technology")
    assert same_uuid("4C4C4544-0035-3410-8050-C6C04F314733", "44454c4c-3500-1034-8050-c6c04f314733")
    assert not same_uuid("4c4c4544-0035-3410-8050-c6c04f314733", "4c4c4544-0035-3410-8050-c6c04f314734")


SUPPLIES = {"power_supplies": {"verdict": "collected"}}


def supply(slot, serial):
    return {"slot": slot, "serial": serial, "model": "PWS-1K23A-1R"}


@pytest.mark.parametrize("kind", ["power_supplies", "drives", "memory", "gpus", "nics", "storage_controller"])
def test_two_serial_numbers_in_one_slot_of_any_kind(kind):
    section = {"power_supplies": "power_supplies", "nics": "network", "gpus": "processors", "memory": "memory"}
    coverage = {section.get(kind, "storage"): {"verdict": "collected"}}
    oob = {"coverage": coverage, "cpus": [], kind: [supply("1", "AAAAAAAA1"), supply("2", "AAAAAAAA2")]}
    inband = {**oob, "provenance": {}, kind: [supply("1", "BBBBBBBB1"), supply("2", "AAAAAAAA2")]}
    for name in ("memory", "drives"):
        for document in (oob, inband):
            document.setdefault(name, [])
    (finding,) = found(oob, inband)
    assert (finding["kind"], finding["component"]) == ("other_part", f"{kind}:serial=AAAAAAAA1")
    assert finding["values"] == {"oob": "serial=AAAAAAAA1", "inband": "serial=BBBBBBBB1"}
    doubled = [*oob[kind], supply("1", "AAAAAAAA3")]  # two bays that are called alike: no one knows which
    assert "other_part" not in {item["kind"] for item in found({**oob, kind: doubled}, inband)}


def modules(*slots):
    return [{"slot": slot, "serial": f"M000000{number}", "size_bytes": GIB} for number, slot in enumerate(slots)]


@pytest.mark.parametrize(
    ("bmc", "system", "moved"),
    [
        (("A1", "A2", "A3", "A4"), ("A1", "A2", "A4", "A3"), ["M0000002", "M0000003"]),  # exchanged
        (("DIMM A1", "DIMM A2", "DIMM A3"), ("A1", "A2", "F1"), ["M0000002"]),  # into an empty slot
        (("A1", "F1"), ("F1", "A1"), ["M0000000", "M0000001"]),
        (("A1",), ("F1",), ["M0000000"]),
        (("P1_DIMMA1", "P2_DIMMA1"), ("CPU1_DIMM_A1", "CPU2_DIMM_A1"), []),
        (("0", "1", "2", "3"), ("1", "2", "3", "4"), []),  # counted from 1
        (("A1", "A2", "B1", "B2"), ("1", "2", "3", "4"), []),  # other names
        (("DIMM 0",), ("DIMM 1",), []),
    ],
)
def test_a_part_that_two_views_see_in_two_slots(bmc, system, moved):
    items = found({"memory": modules(*bmc)}, {"memory": modules(*system)})
    assert [item["component"] for item in items] == [f"memory:serial={serial}" for serial in moved]
    assert {(item["kind"], item["field"]) for item in items} <= {("disagreement", "slot")}


def card(*ports, **values):
    made = [{"bus_info": f"0000:1a:00.{place}", "macaddress": mac} for place, mac in enumerate(ports)]
    return {"id": "0000:1a:00", "model": "X722", "nic_ports": made, **values}


LOOKED = {**COVERED, "network": {"verdict": "collected"}}
ONE, TWO, THREE = "00:00:00:11:11:01", "00:00:00:22:22:02", "00:00:00:33:33:03"


def cards(oob, inband):
    return found(
        {"nics": oob, "coverage": LOOKED},
        {"nics": inband, "coverage": {**INBAND["coverage"], "network": {"verdict": "collected"}}},
    )


def test_the_mac_of_one_function_differs():
    """A bond gives its members one address; that is no card that is missing."""
    (finding,) = cards([card(ONE)], [card(TWO)])
    assert (finding["kind"], finding["severity"]) == ("disagreement", "info")
    assert finding["values"] == {"oob": ONE, "inband": TWO}
    assert short(cards([card(ONE, TWO)], [card(ONE, ONE)])) == [
        ("disagreement", "info", f"nics:mac={ONE}", "nic_ports.macaddress")
    ]
    # A BMC that has an entry for each function.
    functions = [
        {"id": str(number), "bus_info": f"0000:1a:00.{number}", "macaddress": mac}
        for number, mac in enumerate((ONE, TWO))
    ]
    assert [item for item in cards(functions, [card(ONE, ONE)]) if item["kind"] == "missing"] == []
    serials = cards([card(ONE, serial="CARD00001")], [card(ONE, serial="OTHER0001")])
    assert [item for item in serials if item["kind"] == "missing"] == []
    away = cards([card(ONE), card(THREE, id="x", bus_info="0000:5e:00.0", nic_ports=[])], [card(ONE)])
    assert [item["kind"] for item in away] == ["missing"]


def test_ports_of_one_card_with_different_firmware():
    def ports(*versions):
        made = card(ONE, TWO)
        for port, version in zip(made["nic_ports"], versions):
            port["firmware"] = {"installed": version}
        return {"nics": [made]}

    (finding,) = findings({Source.OOB: {**OOB, **ports("20.31.10.14", "20.28.20.06")}})
    assert (finding["kind"], finding["severity"], finding["field"]) == (
        "mixed_firmware",
        "warning",
        "nic_ports.firmware",
    )
    assert set(finding["values"]["oob"].values()) == {"20.31.10.14", "20.28.20.06"}
    assert findings({Source.OOB: {**OOB, **ports("20.31.10.14", "20.31.1014")}}) == []


@pytest.mark.parametrize(
    ("kind", "bmc", "system"),
    [
        ("memory", {"slot": "CPU1_{}0", "serial": "M000000{}"}, {"slot": "P0_Node0_Channel{}_Dimm0"}),
        ("drives", {"slot": "{}", "model": "MZ7L3960"}, {"logical_name": "/dev/sd{}", "serial": "D000000{}"}),
        ("nics", {"id": "NIC.{}", "serial": "N000000{}"}, {"id": "0000:{}a:00", "bus_info": "0000:{}a:00.0"}),
        (
            "gpus",
            {"slot": "GPU {}", "serial": "G000000{}", "model": "NVIDIA A100-SXM4-80GB"},
            {"id": "0000:{}a:00.0", "bus_info": "0000:{}a:00.0", "model": "GA100 [A100 SXM4 80GB]"},
        ),
    ],
)
def test_parts_that_nothing_tells_apart_are_not_missing(kind, bmc, system):
    """One view has no serial numbers, and they name places in their own ways; but there are as many."""

    def named(values):
        return [{name: text.format(number) for name, text in values.items()} for number in range(1, 5)]

    coverage = {name: {"verdict": "collected"} for name in ("memory", "storage", "network", "processors", "pci")}
    oob = {"memory": [], "drives": [], "coverage": coverage, kind: named(bmc)}
    inband = {**oob, "provenance": {kind: "pci"}, kind: named(system)}
    assert found(oob, inband) == []
    fewer = {**inband, kind: named(system)[:3]}
    assert {item["kind"] for item in found(oob, fewer)} == {"missing"}


def test_parts_in_slots_that_are_named_alike_are_missing():
    """The slots tell them apart, though one view has no serial numbers."""
    bmc = [{"slot": slot, "size_bytes": GIB} for slot in ("A1", "B1", "B2")]
    system = [{"slot": slot, "serial": f"X123456{slot}"} for slot in ("A1", "C1", "C2")]
    assert [item["kind"] for item in found({"memory": bmc}, {"memory": system})] == ["missing"] * 4


def behind_raid(**inband):
    bays = [{"id": f"Bay.{number}", "slot": str(number), "serial": f"R000000{number}"} for number in range(3)]
    oob = {
        "storage_controller": [{"id": "RAID.1", "bus_info": "0000:65:00.0"}],
        "drives": [*OOB["drives"], *({**bay, "storage_controller": "RAID.1"} for bay in bays)],
        "volumes": [{"id": "v0", "storage_controller": "RAID.1", "physical_drives": ["R0000000", "R0000001"]}],
    }
    return oob, {"volumes": [{"logical_name": "/dev/sdb"}], **inband}


def test_drives_that_the_os_sees_as_a_volume_only_are_not_missing():
    """The maker's tool is not installed: no drive of the RAID controller is seen, and another drive is."""
    assert found(*behind_raid()) == []
    some = [*INBAND["drives"], {"serial": "R0000000"}, {"serial": "R0000001"}]  # with the tool
    assert [item["component"] for item in found(*behind_raid(drives=some))] == ["drives:serial=R0000002"]


def test_the_interface_between_host_and_bmc_is_no_card_that_is_missing():
    between = {"id": "ToManager", "nic_ports": [{"macaddress": "7e:d3:0a:dd:ad:15"}]}
    assert cards([card(ONE), between], [card(ONE)]) == []
    assert [item["kind"] for item in cards([card(ONE), {**between, "serial": "N0000001"}], [card(ONE)])] == ["missing"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("HPE", "Hewlett Packard Enterprise"),
        ("HPE", "HP"),
        ("Supermicro", "Super Micro Computer, Inc."),
        ("ASUSTeK COMPUTER INC.", "ASUS"),
        ("Quanta Cloud Technology Inc.", "QCT"),
        ("GIGABYTE", "Giga Computing"),
    ],
)
def test_names_of_one_vendor(mine, theirs):
    assert same_vendor(mine, theirs)
    assert not same_vendor(mine, "Dell Inc.")


def test_the_product_in_brackets_behind_its_chip():
    assert same_words("GA100 [A100 SXM4 80GB]", "NVIDIA A100-SXM4-80GB")
    assert same_words("NVIDIA A100-SXM4-80GB", "GA100 [A100 SXM4 80GB]")
    for other in ("NVIDIA A100-PCIE-40GB", "GA100 [A100 PCIe 40GB]", "GA100 []"):
        assert same_words("GA100 [A100 SXM4 80GB]", other) is (other == "GA100 []")  # fewer words
    assert not same_words("SR650 [Lenovo]", "Lenovo SR630")
