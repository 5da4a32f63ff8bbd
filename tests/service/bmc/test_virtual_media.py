# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_virtual_media against virtual BMCs."""

from __future__ import annotations

import pytest

from fleetlab.replies import Refused

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


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("The parameter TransferProtocolType is missing.", {"TransferProtocolType": "HTTPS"}),
        ("The parameter TransferMethod is required.", {"TransferMethod": "Stream"}),
        ("The property MediaType is a required property.", {"MediaType": "CD"}),
        ("The property WriteProtected is not in the list of valid properties.", {}),
        ("Bad request.", {}),
    ],
)
def test_a_bmc_that_wants_to_be_asked_in_another_way(module, bmc, login, message, asked):
    """Each maker lets other parameters of InsertMedia be left out, or given."""
    insert = bmc.actions._known["#VirtualMedia.InsertMedia"]

    def choosy(path, media, parameters):
        given = {name: value for name, value in parameters.items() if name != "Image"}
        least = {name: value for name, value in given.items() if name not in ("Inserted", "WriteProtected")}
        if (least if asked else given) != asked:
            raise Refused(400, "GeneralError", message)
        return insert(path, media, parameters)

    bmc.actions._known["#VirtualMedia.InsertMedia"] = choosy
    assert module("bmc_virtual_media", image=ISO, **login(bmc))["virtual_media"]["CD1"]["image"] == ISO
    assert bmc.get(CD)["Inserted"] is True


def test_what_a_bmc_refuses_for_good_is_said(module, bmc, login):
    bmc.faults.add("status:method=POST,path=*InsertMedia,status=400")
    result = module("bmc_virtual_media", image=ISO, write_protected=False, **login(bmc))
    assert result["failure"]["code"] == "unsupported"
    assert len(bmc.counters.writes) == 2, "with all parameters, and with the least"


def test_slots_that_do_not_say_what_they_take(module, bmc, login):
    """AMI: the name tells."""
    for path in (CD, CD.replace("CD1", "USB1")):
        bmc.update(path, {"MediaTypes": None, "Image": "None"})
    assert list(module("bmc_virtual_media", image=ISO, **login(bmc))["virtual_media"]) == ["CD1"]
    assert list(module("bmc_virtual_media", image=ISO, media="usb", **login(bmc))["virtual_media"]) == ["USB1"]


def test_a_bmc_that_shows_the_name_of_the_file(module, bmc, login):
    assert module("bmc_virtual_media", image=ISO, **login(bmc))["changed"]
    bmc.update(CD, {"Image": None})
    assert not module("bmc_virtual_media", image=ISO, **login(bmc))["changed"]
    assert module("bmc_virtual_media", image=OTHER, **login(bmc))["changed"]


def test_ipmi_can_not(module, bmc, login):
    result = module("bmc_virtual_media", image=ISO, **login(bmc, drivers=["ipmi"]))
    assert result["failure"]["code"] == "unsupported"
