# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1/inventory."""

from __future__ import annotations

import httpx
from v1 import DEVICE, make


def test_inventory(admin: httpx.Client) -> None:
    make(
        admin,
        "m1",
        site="AMS 1",
        rack="r1",
        labels={"role/x": "DB-1", "empty": ""},
        bmc={"address": "h", "drivers": ["ipmi"]},
    )
    make(admin, "m2")
    admin.put("/api/v1/machines/m1/device/oob", json=DEVICE)
    answer = admin.get("/api/v1/inventory")
    assert answer.json() == {
        "hosts": {
            "m1": {
                "fleet_site": "AMS 1",
                "fleet_rack": "r1",
                "fleet_labels": {"role/x": "DB-1", "empty": ""},
                "fleet_lifecycle": "active",
                "fleet_vendor": "ACME",
                "fleet_model": "X1",
                "fleet_serial": "S1",
                "fleet_powercycle_state": "not_available",
                "fleet_maintenance": False,
                "fleet_quarantined": False,
                "bmc_address": "h",
                "bmc_drivers": ["ipmi"],
                "bmc_redfish_scheme": "https",
                "bmc_validate_certs": True,
            },
            "m2": {
                "fleet_labels": {},
                "fleet_lifecycle": "active",
                "fleet_powercycle_state": "not_available",
                "fleet_maintenance": False,
                "fleet_quarantined": False,
            },
        },
        "groups": {
            "label_role_x_db_1": {"hosts": ["m1"]},
            "lifecycle_active": {"hosts": ["m1", "m2"]},
            "model_x1": {"hosts": ["m1"]},
            "rack_r1": {"hosts": ["m1"]},
            "site_ams_1": {"hosts": ["m1"]},
            "vendor_acme": {"hosts": ["m1"]},
        },
    }
    etag = answer.headers["etag"]
    again = admin.get("/api/v1/inventory", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    admin.patch("/api/v1/machines/m2", json={"site": "x"})
    assert admin.get("/api/v1/inventory", headers={"If-None-Match": etag}).status_code == 200
    assert list(admin.get("/api/v1/inventory", params={"label": "role/x=DB-1"}).json()["hosts"]) == ["m1"]
