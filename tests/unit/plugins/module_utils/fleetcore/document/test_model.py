# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document import model, parts
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.schema import json_schema
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import ParseError

DOCUMENT = {
    "vendor": "Exemplar",
    "serial": "EX0001",
    "source": "oob",
    "coverage": {"cpus": {"verdict": "collected"}, "tpms": {"verdict": "failed", "reason": "HTTP 500"}},
    "stats": {"requests": 17, "logins": 1, "seconds": 0.5},
    "bios": {"firmware": {"installed": "1.2", "previous": [{"installed": "1.1"}]}, "status": {"Health": "OK"}},
    "cpus": [{"id": "CPU0", "cores": 16, "clock_speed_hz": 2_400_000_000}],
    "nics": [{"id": "NIC0", "nic_ports": [{"macaddress": "02:00:00:00:00:01", "auto_neg": False}]}],
    "drives": [{"serial": "D1", "smart_attributes": [{"id": 5, "raw": 0}], "storage_controller_drive_id": -1}],
    "bios_configuration": {"settings": {"smt": "enabled"}, "raw": {"LogicalProc": "Enabled", "Cores": 8}},
}


def test_document_survives_the_round_trip():
    assert model.to_dict(model.device_from_dict(DOCUMENT)) == DOCUMENT
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_absent_is_left_out_but_zero_and_false_are_values():
    device = model.Device(
        cpus=(parts.Cpu(cores=0),), memory=(), nics=(parts.Nic(nic_ports=(parts.NicPort(auto_neg=False),)),)
    )
    assert model.to_dict(device) == {"cpus": [{"cores": 0}], "nics": [{"nic_ports": [{"auto_neg": False}]}]}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"cpus": [{"cores": "16"}]}, "device.cpus[0].cores", "expected an integer, got str '16'"),
        ({"cpus": [{"cores": True}]}, "device.cpus[0].cores", "expected an integer, got bool"),
        ({"cpus": {"a": 1}}, "device.cpus", "expected a list"),
        ({"cpus": ["x"]}, "device.cpus[0]", "expected an object"),
        ({"source": "guess"}, "device.source", "one of oob, inband, merged"),
        ({"colour": "red"}, "device.colour", "unknown field 'colour'"),
        ({"fans": [{"reading": float("nan")}]}, "device.fans[0].reading", "a finite number"),
        ({"coverage": {"cpus": {"verdict": "maybe"}}}, "device.coverage.cpus.verdict", "one of collected"),
        ({"bios": {"metadata": {"a": 1}}}, "device.bios.metadata.a", "a string"),
    ],
)
def test_a_wrong_field_is_named(change, field, words):
    with pytest.raises(ParseError) as caught:
        model.device_from_dict(dict(DOCUMENT, **change))
    assert caught.value.details["field"] == field
    assert words in caught.value.message
    assert field.rsplit(".", 1)[0] in caught.value.message


def test_not_an_object():
    with pytest.raises(ParseError, match="device: expected an object"):
        model.device_from_dict([])


def test_schema_describes_every_field_and_refuses_others():
    schema = json_schema()
    device = schema["$defs"]["Device"]
    assert set(device["properties"]) == {field.name for field in dataclasses.fields(model.Device)}
    assert device["additionalProperties"] is False
    assert device["properties"]["cpus"] == {"type": "array", "items": {"$ref": "#/$defs/Cpu"}}
    assert schema["$defs"]["Drive"]["properties"]["capable_speed_gbps"] == {"type": "number"}
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("drives", [{"capacity_bytes": 2**63}], "device.drives[0].capacity_bytes"),
        ("drives", [{"smart_attributes": [{"raw": {"a": 10**30}}]}], "device.drives[0].smart_attributes[0].raw.a"),
        ("drives", [{"smart_attributes": [{"raw": [float("inf")]}]}], "device.drives[0].smart_attributes[0].raw[0]"),
        ("fans", [{"reading": 10**400}], "device.fans[0].reading"),
    ],
)
def test_a_number_that_others_can_not_hold_is_refused_with_its_place(field, value, path):
    with pytest.raises(ParseError) as caught:
        model.device_from_dict({field: value})
    assert caught.value.details["field"] == path


def test_what_is_nested_too_deeply_is_refused_with_its_place():
    deep = []
    for _depth in range(300):
        deep = [deep]
    with pytest.raises(ParseError, match="too deeply") as caught:
        model.device_from_dict({"bios_configuration": {"raw": {"x": deep}}})
    assert caught.value.details["field"].startswith("device.bios_configuration.raw.x[0]")
    with pytest.raises(ParseError):
        model.device_from_dict({"serial": deep})
