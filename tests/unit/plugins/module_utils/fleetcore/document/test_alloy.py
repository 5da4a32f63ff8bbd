# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of bmc-toolbox/common, to the letter."""

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.alloy import to_alloy
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Device
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import (
    Bmc,
    Capability,
    Cpu,
    Drive,
    Firmware,
    Nic,
    NicPort,
    Sensor,
    Status,
    StorageController,
)


def test_an_empty_machine():
    assert to_alloy(Device()) == {"oem": False, "cplds": []}


def test_the_shape():
    device = Device(
        vendor="V",
        serial="S",
        uuid="not theirs",
        capabilities=(Capability(name="n", enabled=True),),
        status=Status(Health="OK", State="Enabled", post_code=3),
        bmc=Bmc(
            id="1",
            hostname="not theirs",
            nic=Nic(nic_ports=(NicPort(macaddress="aa:00:00:00:00:01", wwn="not theirs"),)),
        ),
        cpus=(Cpu(id="0", clock_speed_hz=5, cores=2, microcode="0x1"),),
        drives=(
            Drive(id="d", oem=True, capable_speed_gbps=15.75, firmware=Firmware(installed="1", software_id="2")),
            Drive(
                id="e",
                model="M",
                protocol="sata",
                drive_type="ssd",
                smart_attributes=({"id": 5, "name": "A", "value": 100, "worst": 99, "threshold": 10, "raw": 7},),
            ),
        ),
        nics=(Nic(nic_ports=(NicPort(id="p", speed_bits=10, metadata={"max_speed_bits": "25"}),)),),
        storage_controller=(StorageController(id="c", speed_gbps=12.0),),
        sensors=(Sensor(id="not theirs"),),
    )
    assert to_alloy(device) == {
        "oem": False,
        "vendor": "V",
        "serial": "S",
        "capabilities": [{"Name": "n", "Description": "", "Enabled": True}],
        "status": {"Health": "OK", "State": "Enabled", "post_code": 3},
        "bmc": {
            "oem": False,
            "id": "1",
            "nic": {"oem": False, "nic_ports": [{"oem": False, "id": "", "macaddress": "aa:00:00:00:00:01"}]},
        },
        "cplds": [],
        "cpus": [{"oem": False, "id": "0", "clock_speeed_hz": 5, "cores": 2, "firmware": {"installed": "0x1"}}],
        "drives": [
            {
                "oem": True,
                "id": "d",
                "capable_speed_gbps": 15,
                "storage_controller_drive_id": -1,
                "firmware": {"installed": "1", "software_id": "2"},
            },
            {
                "oem": False,
                "id": "e",
                "model": "M",
                "product_name": "M",
                "protocol": "sata",
                "drive_type": "Sata-SSD",
                "smart_attributes": [{"name": "A", "normalized_value": 100, "worst": 99, "threshold": 10}],
                "storage_controller_drive_id": -1,
            },
        ],
        "nics": [
            {
                "oem": False,
                "nic_ports": [{"oem": False, "id": "p", "speed_bits": 25, "metadata": {"max_speed_bits": "25"}}],
            }
        ],
        "storage_controller": [{"oem": False, "id": "c", "speed_gbps": 12}],
    }
