# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From services to BMCs, as bmc_scan returns them."""

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils import _scan
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan.model import Service
from ansible_collections.baremetal.fleet.plugins.modules import machine

SAID = {"vendor": "Contoso", "product": "BMC", "uuid": "92384634-2938-2342-8820-489239905423", "server": "x"}


def redfish(address, port=443, **facts):
    return Service(address, port, "redfish", {**SAID, **facts}, "https")


def test_one_machine_with_both_protocols():
    (found,) = _scan.bmcs([Service("192.0.2.1", 623, "ipmi", {}), redfish("192.0.2.1", fingerprint="aa:bb")])
    assert found["name"] == "bmc-192-0-2-1"
    assert found["bmc"] == {
        "address": "192.0.2.1",
        "drivers": ["redfish", "ipmi"],
        "redfish_scheme": "https",
        "redfish_port": 443,
        "fingerprint": "aa:bb",
        "ipmi_port": 623,
    }
    assert (found["vendor"], found["product"], found["uuid"]) == (SAID["vendor"], SAID["product"], SAID["uuid"])
    assert set(found["bmc"]) <= set(machine.OPTIONS["bmc"]["options"]), "the module machine takes it"


def test_several_redfish_services_at_one_address_are_several_bmcs():
    services = [redfish("192.0.2.1", 443), redfish("192.0.2.1", 8443), Service("192.0.2.1", 623, "ipmi", {})]
    found = _scan.bmcs(services)
    assert [item["name"] for item in found] == ["bmc-192-0-2-1-443", "bmc-192-0-2-1-8443"]
    assert [item["bmc"]["drivers"] for item in found] == [["redfish"], ["redfish"]], (
        "nobody knows whose the IPMI service is"
    )


def test_ipmi_only_and_ipv6():
    found = _scan.bmcs([Service("2001:db8::1", 623, "ipmi", {}), redfish("2001:db8::2")])
    assert [item["name"] for item in found] == ["bmc-2001-db8--2", "bmc-2001-db8--1"]
    assert found[1]["bmc"] == {"address": "2001:db8::1", "drivers": ["ipmi"], "ipmi_port": 623}
