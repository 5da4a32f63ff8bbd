# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One view from two sources: nothing lost, nothing doubled, and every value says where it came from."""

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.carry import keep_uncollected
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.components import components
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.diff import diff
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.findings import findings
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.merge import (
    merge,
    pairs_of,
    source_of,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Coverage,
    Device,
    Source,
    Verdict,
    device_from_dict,
    to_dict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import Bmc, Cpu, Drive
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.schema import json_schema
from hypothesis import given
from hypothesis import strategies as st

OOB = Device(
    source=Source.OOB,
    collected_at="2026-01-01T00:00:00Z",
    vendor="ACME",
    power_state="on",
    bmc=Bmc(model="iBMC"),
    cpus=(Cpu(cores=1),),
    coverage={
        "cpus": Coverage(),
        "drives": Coverage(Verdict.DENIED, "HTTP 403"),
        "memory": Coverage(Verdict.FAILED, "500"),
    },
)
INBAND = Device(
    source=Source.INBAND,
    collected_at="2026-01-02T00:00:00Z",
    power_state="unknown",
    cpus=(Cpu(cores=2),),
    drives=(Drive(serial="D1"),),
    coverage={"cpus": Coverage(), "drives": Coverage(), "memory": Coverage(Verdict.SKIPPED)},
)


def both(oob, inband):
    return merge({Source.OOB: oob, Source.INBAND: inband})


def test_one_source_is_itself_with_provenance():
    merged = merge({Source.OOB: OOB})
    provenance = merged.pop("provenance")
    assert merged == {**to_dict(OOB), "source": "merged"}
    assert provenance == {"vendor": "oob", "power_state": "oob", "bmc": "oob", "cpus": "oob"}


def test_in_band_overlays_but_the_bmc_knows_the_power():
    for order in ((Source.OOB, Source.INBAND), (Source.INBAND, Source.OOB)):
        documents = {Source.OOB: OOB, Source.INBAND: INBAND}
        merged = merge({source: documents[source] for source in order})
        assert merged["cpus"] == [{"cores": 2}]
        assert merged["drives"] == [{"serial": "D1"}]
        assert merged["power_state"] == "on"
        assert merged["vendor"] == "ACME"
        assert merged["collected_at"] == "2026-01-02T00:00:00Z"
        assert merged["provenance"]["cpus"] == merged["provenance"]["drives"] == "inband"
        assert merged["provenance"]["power_state"] == merged["provenance"]["vendor"] == "oob"
        assert merged["coverage"]["drives"] == {"verdict": "collected"}
        assert merged["coverage"]["memory"]["reason"] == "500"


def test_nothing():
    assert merge({}) == {"source": "merged"}


def test_fields_of_one_part_from_both_and_the_exceptions_by_name():
    oob = {
        "drives": [
            {"serial": "D1", "slot": "0", "id": "Disk.Bay.0", "status": {"Health": "OK"}, "smart_status": "unknown"},
            {"serial": "D2", "slot": "1", "id": "Disk.Bay.1", "status": {"Health": "OK"}},
            {"serial": "D9", "slot": "9", "capacity_bytes": 5},
        ]
    }
    inband = {
        "drives": [
            {"serial": "d2", "logical_name": "/dev/sdb", "smart_status": "ok", "model": "M"},
            {"serial": "D1", "logical_name": "/dev/sda", "smart_status": "ok", "model": "M", "slot": "4"},
        ]
    }
    merged = both(oob, inband)
    first, second, third = merged["drives"]
    assert first == {
        "serial": "D1",
        "slot": "0",
        "id": "Disk.Bay.0",
        "status": {"Health": "OK"},
        "smart_status": "ok",
        "logical_name": "/dev/sda",
        "model": "M",
    }
    assert (second["logical_name"], second["slot"]) == ("/dev/sdb", "1")
    assert third == oob["drives"][2]
    provenance = merged["provenance"]
    assert provenance == {
        "drives": "oob",
        "drives.logical_name": "inband",
        "drives.model": "inband",
        "drives.serial": "inband",
        "drives.smart_status": "inband",
        "drives[serial=D9]": "oob",
    }
    assert source_of(provenance, "drives", "serial=D1", "model") == "inband"
    assert source_of(provenance, "drives", "serial=D1", "slot") == "oob"
    assert source_of(provenance, "drives", "serial=D9", "serial") == "oob"


def test_versions_of_two_sources_are_not_mixed():
    oob = {"bios": {"firmware": {"installed": "1.0", "software_id": "x"}}}
    assert both(oob, {"bios": {"firmware": {"installed": "2.0"}}})["bios"] == {"firmware": {"installed": "2.0"}}
    same = both(oob, {"bios": {"firmware": {"installed": "1.0", "available": "3.0"}}})
    assert same["bios"]["firmware"] == {"installed": "1.0", "available": "3.0", "software_id": "x"}
    assert same["provenance"]["bios"] == "inband,oob"


def test_drives_name_their_controller_as_the_merged_list_does():
    oob = {"storage_controller": [{"id": "RAID.1", "serial": "C1"}], "drives": [{"serial": "D1"}]}
    inband = {
        "storage_controller": [{"id": "0000:01:00.0", "bus_info": "0000:01:00.0", "serial": "C1"}],
        "drives": [{"serial": "D1", "storage_controller": "0000:01:00.0"}],
    }
    merged = both(oob, inband)
    assert [item["id"] for item in merged["storage_controller"]] == ["RAID.1"]
    assert merged["drives"][0]["storage_controller"] == "RAID.1"


NEIGHBOR = {"chassis_id": "00:11:22:33:44:55", "system_name": "tor1", "port_id": "Eth1/7", "vlan": "42"}


def test_host_bmc_and_switch_ports_are_tied_together():
    oob = {
        "nics": [{"id": "NIC.1", "serial": "N1", "nic_ports": [{"id": "NIC.1-1", "macaddress": "aa:00:00:00:00:01"}]}],
        "bmc": {
            "nic": {
                "nic_ports": [
                    {"id": "eth0", "macaddress": "aa:00:00:00:00:99", "neighbor": {**NEIGHBOR, "port_id": "Eth1/8"}}
                ]
            }
        },
    }
    inband = {
        "nics": [
            {
                "bus_info": "0000:41:00",
                "nic_ports": [{"logical_name": "eno1", "macaddress": "AA:00:00:00:00:01", "neighbor": NEIGHBOR}],
            }
        ]
    }
    merged = both(oob, inband)
    assert merged["links"] == [
        {
            "part": "nics:serial=N1",
            "port": "eno1",
            "macaddress": "AA:00:00:00:00:01",
            "switch": "00:11:22:33:44:55",
            "switch_name": "tor1",
            "switch_port": "Eth1/7",
            "vlan": "42",
            "source": "inband",
        },
        {
            "part": "bmc",
            "port": "eth0",
            "macaddress": "aa:00:00:00:00:99",
            "switch": "00:11:22:33:44:55",
            "switch_name": "tor1",
            "switch_port": "Eth1/8",
            "vlan": "42",
            "source": "oob",
        },
    ]
    assert to_dict(device_from_dict(merged)) == merged
    assert source_of(merged["provenance"], "nic_ports", "macaddress=aa:00:00:00:00:01", "neighbor") == "inband"
    assert source_of(merged["provenance"], "nic_ports", "macaddress=aa:00:00:00:00:01", "id") == "oob"


# -- properties --------------------------------------------------------------------------------------------------------

SERIALS = st.sampled_from(["S1", "S2", "S3", "S4", "s1", "N/A", "0", None])
PLACES = st.sampled_from(["DIMM A1", "DIMM.Socket.A1", "A1", "P1_DIMMA1", "A2", "B1", "DIMM_B1", None])
MEMORY = st.fixed_dictionaries(
    {},
    optional={
        "serial": SERIALS.filter(bool),
        "slot": PLACES.filter(bool),
        "model": st.sampled_from(["X", "Y"]),
        "size_bytes": st.integers(1, 3),
        "status": st.fixed_dictionaries({}, optional={"Health": st.sampled_from(["OK", "Critical"])}),
        "capabilities": st.lists(st.sampled_from([{"name": "a"}, {"name": "b"}]), max_size=2),
    },
)
PORT = st.fixed_dictionaries(
    {},
    optional={
        "macaddress": st.sampled_from([f"aa:00:00:00:00:0{number}" for number in range(4)]),
        "id": st.sampled_from(["1", "2"]),
    },
)
NIC = st.fixed_dictionaries(
    {},
    optional={
        "serial": SERIALS.filter(bool),
        "id": st.sampled_from(["NIC.1", "2"]),
        "nic_ports": st.lists(PORT, max_size=3),
    },
)
DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "memory": st.lists(MEMORY, max_size=5),
        "drives": st.lists(MEMORY.map(lambda item: {k: v for k, v in item.items() if k != "size_bytes"}), max_size=4),
        "nics": st.lists(NIC, max_size=3),
        "vendor": st.sampled_from(["Dell", "Dell Inc."]),
        "bios": st.fixed_dictionaries({}, optional={"vendor": st.just("V"), "firmware": st.just({"installed": "1"})}),
    },
)


def normal(document):
    """As a document on the wire is: without what is empty."""
    return to_dict(device_from_dict(document))


def content(document):
    """Without what the merge says of itself, and without order."""
    return {
        name: sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value
        for name, value in document.items()
        if name not in ("source", "provenance", "links")
    }


@given(DOCUMENT)
def test_merged_with_itself_it_is_itself(document):
    document = normal(document)
    assert content(both(document, document)) == content(document)


@given(DOCUMENT, DOCUMENT)
def test_no_component_is_lost_or_doubled(oob, inband):
    oob, inband = normal(oob), normal(inband)
    merged = both(oob, inband)
    assert to_dict(device_from_dict(merged)) == merged
    for name in ("memory", "drives", "nics"):
        pairs, left, right = pairs_of(name, oob, inband)
        mine, theirs, made = oob.get(name, []), inband.get(name, []), merged.get(name, [])
        assert len(made) == len(pairs) + len(left) + len(right) == len(mine) + len(theirs) - len(pairs)
        serials = {item["serial"].lower() for item in made if "serial" in item}
        assert serials >= {
            item["serial"].lower() for item in [*mine, *theirs] if item.get("serial", "N/A") not in ("N/A", "0")
        }
    ports = {
        port["macaddress"]
        for nic in merged.get("nics", [])
        for port in nic.get("nic_ports", [])
        if "macaddress" in port
    }
    for document in (oob, inband):
        for nic in document.get("nics", []):
            assert ports >= {port["macaddress"] for port in nic.get("nic_ports", []) if "macaddress" in port}


@given(DOCUMENT, DOCUMENT, st.randoms(use_true_random=False))
def test_the_order_of_a_list_is_nothing(oob, inband, chance):
    oob, inband = normal(oob), normal(inband)

    def shuffled(document):
        return {
            name: chance.sample(value, len(value)) if isinstance(value, list) else value
            for name, value in document.items()
        }

    assert content(both(shuffled(oob), shuffled(inband))) == content(both(oob, inband))


@given(DOCUMENT, DOCUMENT)
def test_every_value_is_its_sources(oob, inband):
    documents = {"oob": normal(oob), "inband": normal(inband)}
    merged = both(documents["oob"], documents["inband"])
    provenance = merged.get("provenance", {})
    for name in ("memory", "drives"):
        for item in merged.get(name, []):
            title = f"serial={item['serial']}" if "serial" in item else None
            if title is None or sum(1 for other in merged[name] if other.get("serial") == item["serial"]) > 1:
                continue
            for field in ("slot", "model", "size_bytes"):
                if field not in item:
                    continue
                source = source_of(provenance, name, title, field)
                assert any(part.get(field) == item[field] for part in documents[source].get(name, [])), (name, field)


@pytest.mark.parametrize("seed", range(3))
def test_two_views_of_one_machine_are_one(seed):
    """What a Redfish BMC and SMBIOS say of the same parts, each in its own words."""
    chance = random.Random(seed)
    oob = {
        "cpus": [
            {"slot": f"CPU.Socket.{n}", "id": f"CPU.Socket.{n}", "model": "Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz"}
            for n in (1, 2)
        ],
        "memory": [
            {"slot": f"DIMM {bank}{n}", "id": f"DIMM.Socket.{bank}{n}", "serial": f"{bank}{n}AAAA"}
            for bank in "AB"
            for n in range(1, 5)
        ],
        "power_supplies": [{"id": f"PSU.Slot.{n}", "serial": f"CNDED0009S4FF{n}"} for n in (1, 2)],
        "gpus": [{"id": "Video.Slot.2-1", "model": "NVIDIA H100 PCIe", "serial": "1654422007043"}],
        "tpms": [{"interface_type": "TPM2_0", "firmware": {"installed": "7.2.2.0"}}],
        "storage_controller": [
            {
                "id": "AHCI.Embedded.2-1",
                "vendor": "DELL",
                "model": "C620 Series Chipset Family SATA Controller [AHCI mode]",
            }
        ],
    }
    inband = {
        "cpus": [{"slot": f"CPU{n}", "id": f"0x040{n}", "model": "Intel Xeon Gold 6354"} for n in (0, 1)],
        "memory": [
            {"slot": f"{bank}{n}", "serial": f"{bank}{n}aaaa" if n < 4 else "N/A"} for bank in "AB" for n in range(1, 5)
        ],
        "power_supplies": [{"id": f"0x270{n}", "model": "06V43GA00"} for n in (0, 1)],
        "gpus": [
            {"bus_info": "0000:17:00.0", "id": "0000:17:00.0", "model": "NVIDIA H100 PCIe", "uuid": "GPU-1"},
            {
                "bus_info": "0000:03:00.0",
                "id": "0000:03:00.0",
                "model": "Integrated Matrox G200eW3 Graphics Controller",
            },
        ],
        "tpms": [{"interface_type": "TPM 2.0", "description": "INFINEON"}],
        "storage_controller": [
            {
                "id": "0000:00:17.0",
                "bus_info": "0000:00:17.0",
                "model": "C620 Series Chipset Family SATA Controller [AHCI mode]",
            }
        ],
    }
    for document in (oob, inband):
        for items in document.values():
            chance.shuffle(items)
    merged = both(oob, inband)
    assert {name: len(merged[name]) for name in oob} == {
        "cpus": 2,
        "memory": 8,
        "power_supplies": 2,
        "gpus": 2,
        "tpms": 1,
        "storage_controller": 1,
    }
    assert {(cpu["slot"], cpu["id"]) for cpu in merged["cpus"]} == {(f"CPU.Socket.{n}",) * 2 for n in (1, 2)}


# -- any document ------------------------------------------------------------------------------------------------------

DEFINITIONS = json_schema()["$defs"]
TEXTS = [
    "A1",
    "DIMM A1",
    "P1_DIMMA1",
    "N/A",
    "0",
    "x\x00y",
    "aa:bb:cc:dd:ee:ff",
    "0000:41:00.0",
    "smbios",
    "storage",
    "S123456789",
]


def anything(schema, chance, share=0.25):
    """A value that the schema of the document allows."""
    if "$ref" in schema:
        fields = DEFINITIONS[schema["$ref"].rpartition("/")[2]]["properties"]
        return {name: anything(item, chance) for name, item in fields.items() if chance.random() < share}
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return [anything(schema["items"], chance) for _number in range(chance.randrange(4))]
    if kind == "object":
        names = [chance.choice([*TEXTS, "memory", "manager"]) for _number in range(chance.randrange(3))]
        return {name: anything(schema["additionalProperties"], chance) for name in names}
    values = {"string": TEXTS, "integer": [0, -5, 2**40], "number": [0, 1.5], "boolean": [True, False]}
    return chance.choice(values.get(kind, [*TEXTS, 1, None, [1], {"a": 1}]))


@pytest.mark.parametrize("seed", range(40))
def test_whatever_two_sources_say_there_is_one_document(seed):
    chance = random.Random(seed)
    before, oob, inband = (normal(anything({"$ref": "/Device"}, chance, 0.5)) for _number in range(3))
    known = keep_uncollected(before, oob)
    merged = both(known, inband)
    assert normal(merged) == merged
    json.dumps(findings({Source.OOB: known, Source.INBAND: inband}))
    diff(known, merged)
    assert diff(merged, merged) == []
    names = [item["component"] for item in components(merged)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("bmc", "system"),
    [
        ({"serial": "001122334455", "slot": "1"}, {"serial": "MT2016X00001", "slot": "1"}),  # the MAC as a number
        ({"bus_info": "0000:3b:00.0"}, {"bus_info": "0000:3b:00.0", "mac": "02:00:00:00:00:01"}),  # of a bond
    ],
)
def test_one_network_card_that_is_told_in_two_ways(bmc, system):
    def card(values):
        values = dict(values)
        port = {"macaddress": values.pop("mac", "00:11:22:33:44:55"), "bus_info": values.get("bus_info")}
        return {**values, "model": "CX5", "nic_ports": [{name: value for name, value in port.items() if value}]}

    merged = merge({Source.OOB: {"nics": [card(bmc)]}, Source.INBAND: {"nics": [card(system)]}})
    (nic,) = merged["nics"]
    assert len(nic["nic_ports"]) == 1
    first, second = card({"serial": "MT2016X00001"}), {**card({"serial": "MT2016X00002"}), "model": "of another maker"}
    assert len(merge({Source.OOB: {"nics": [first]}, Source.INBAND: {"nics": [second]}})["nics"]) == 2


def test_the_newer_view_says_where_a_part_is():
    def module(slot, serial):
        return {"slot": slot, "serial": serial, "id": f"DIMM.{slot}"}

    coverage = {"memory": {"verdict": "collected"}}
    oob = {"collected_at": "2026-03-01T10:00:00Z", "memory": [module("A1", "M0000001"), module("A2", "M0000002")]}
    inband = {"collected_at": "2026-03-01T11:00:00Z", "memory": [module("A1", "M0000001"), module("F1", "M0000002")]}
    documents = [{**document, "coverage": coverage} for document in (oob, inband)]

    def merged(*views):
        found = merge(dict(zip((Source.OOB, Source.INBAND), views)))
        return [part["slot"] for part in found["memory"]], found["provenance"]

    slots, provenance = merged(*documents)
    assert slots == ["A1", "F1"]
    assert source_of(provenance, "memory", "serial=M0000002", "slot") == "inband"
    assert merged({**documents[0], "collected_at": "2026-03-01T12:00:00Z"}, documents[1])[0] == ["A1", "A2"]
    # What was kept from before is as old as it was then.
    kept = {"memory": {"verdict": "timeout", "last_seen": "2026-03-01T09:00:00Z"}}
    assert merged(documents[0], {**documents[1], "coverage": kept})[0] == ["A1", "A2"]
    assert merged({**documents[0], "collected_at": "yesterday"}, documents[1])[0] == ["A1", "A2"]
