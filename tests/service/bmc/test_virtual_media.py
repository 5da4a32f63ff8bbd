# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_virtual_media against virtual BMCs."""

from __future__ import annotations

CD = "/redfish/v1/Managers/BMC/VirtualMedia/CD1"
ISO = "https://images.example.org/install.iso"
OTHER = "https://images.example.org/rescue.iso"


def test_insert_and_eject(module, bmc, login):
    assert module("bmc_virtual_media", check=True, image=ISO, **login(bmc))["changed"]
    assert bmc.get(CD)["Inserted"] is False

    inserted = module("bmc_virtual_media", image=ISO, image_username="u", image_password="verysecret", **login(bmc))
    assert inserted["changed"]
    assert inserted["virtual_media"] == {"CD1": {"inserted": True, "image": ISO, "write_protected": True}}
    assert "verysecret" not in str(inserted)
    assert bmc.get(CD)["Image"] == ISO
    assert not module("bmc_virtual_media", image=ISO, **login(bmc))["changed"]

    assert module("bmc_virtual_media", image=OTHER, **login(bmc))["changed"], "the other one is ejected first"
    assert bmc.get(CD)["Image"] == OTHER
    assert not module("bmc_virtual_media", state="ejected", image=ISO, **login(bmc))["changed"]
    assert module("bmc_virtual_media", state="ejected", **login(bmc))["changed"]
    assert bmc.get(CD)["Inserted"] is False
    assert not module("bmc_virtual_media", state="ejected", **login(bmc))["changed"]


def test_slot_and_kind(module, bmc, login):
    result = module("bmc_virtual_media", image=ISO, slot="CD9", **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == "not_found"
    assert "CD1, USB1" in result["msg"]
    result = module("bmc_virtual_media", image=ISO, media="floppy", **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == "not_found"
    assert list(module("bmc_virtual_media", image=ISO, media="usb", **login(bmc))["virtual_media"]) == ["USB1"]
    assert module("bmc_virtual_media", **login(bmc))["failure"]["code"] == "invalid_input"


def test_an_insert_that_does_nothing(module, bmc, login):
    bmc.faults.add("ignore:method=POST,path=*InsertMedia")
    result = module("bmc_virtual_media", image=ISO, verify_timeout=0.2, **login(bmc))
    assert result["failure"]["code"] == "not_verified"


def test_ipmi_can_not(module, bmc, login):
    result = module("bmc_virtual_media", image=ISO, **login(bmc, drivers=["ipmi"]))
    assert result["failure"]["code"] == "unsupported"
