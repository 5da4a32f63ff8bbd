# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_boot against virtual BMCs, and against Debian's ipmi_sim."""

from __future__ import annotations

import json

import pytest
from fleetcore.acting.boot import plan_ipmi
from fleetcore.errors import NotVerified
from fleetcore.host.clock import SystemClock

from fleetlab.farm import BmcSpec, running_farm
from fleetlab.replies import error, reply

SYSTEM = "/redfish/v1/Systems/1"


def boot_of(bmc):
    boot = bmc.get(SYSTEM)["Boot"]
    return boot["BootSourceOverrideTarget"], boot["BootSourceOverrideEnabled"], boot["BootSourceOverrideMode"]


def test_redfish(module, bmc, login):
    check = module("bmc_boot", check=True, device="pxe", mode="uefi", **login(bmc))
    assert (check["changed"], check["boot"]["verified"]) == (True, False)
    assert boot_of(bmc) == ("None", "Disabled", "UEFI")

    once = module("bmc_boot", device="pxe", mode="uefi", settle_seconds=0, **login(bmc))
    assert once["changed"]
    assert once["boot"]["after"] == {"device": "pxe", "duration": "once", "mode": "uefi", "http_boot_uri": None}
    assert once["diff"]["before"]["device"] == "none"
    assert boot_of(bmc) == ("Pxe", "Once", "UEFI")
    assert not module("bmc_boot", device="pxe", **login(bmc))["changed"]

    legacy = module("bmc_boot", device="disk", duration="persistent", mode="legacy", settle_seconds=0, **login(bmc))
    assert legacy["changed"]
    assert boot_of(bmc) == ("Hdd", "Continuous", "Legacy")

    uri = "http://boot.example.org/x.efi"
    assert module("bmc_boot", device="http", http_boot_uri=uri, settle_seconds=0, **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["Boot"]["HttpBootUri"] == uri

    assert module("bmc_boot", device="none", settle_seconds=0, **login(bmc))["changed"]
    assert not module("bmc_boot", device="none", **login(bmc))["changed"]
    assert bmc.counters.logins == bmc.counters.logouts


def test_only_what_differs_is_sent(module, bmc, login):
    """HP DL160 refuses the whole Boot object."""
    bmc.faults.add("status:method=PATCH,match=BootSourceOverrideMode,status=400")
    assert module("bmc_boot", device="cdrom", mode="uefi", settle_seconds=0, **login(bmc))["changed"]


@pytest.mark.parametrize(
    ("fault", "code", "reverted"),
    [
        ("ignore:method=PATCH", "not_verified", None),
        ("revert:method=PATCH", "not_verified", None),
        ("revert:method=PATCH,seconds=0.7", "not_verified", True),
        ("status:method=PATCH,status=400", "unsupported", None),
        ("status:method=PATCH,status=403", "permission_denied", None),
    ],
)
def test_a_bmc_that_says_yes_and_does_not(module, bmc, login, fault, code, reverted):
    """Supermicro answers 200 to a boot override and takes it back."""
    bmc.faults.add(fault)
    result = module("bmc_boot", device="pxe", verify_timeout=0.3, settle_seconds=1.2, **login(bmc))
    assert result["failed"] is True
    assert result["failure"]["code"] == code
    assert result["failure"]["details"].get("reverted") == reverted
    assert result["failure"]["details"]["wanted"]["device"] == "pxe"


def watched(bmc, change):
    """Let `change(request, boot)` answer a PATCH of Boot, or say None: the BMC answers it. Collects what is sent."""
    answer, sent = bmc.answer, []

    def answered(request, fault=None):
        boot = json.loads(request.body).get("Boot") if request.method == "PATCH" else None
        if boot is None:
            return answer(request, fault)
        sent.append(boot)
        return change(boot) or answer(request, fault)

    bmc.answer = answered
    return sent


@pytest.mark.parametrize("said", ["in its arguments", "by its property", "not at all", "what was sent"])
@pytest.mark.parametrize("options", [{"device": "disk"}, {"device": "disk", "mode": "uefi"}, {"device": "none"}])
def test_a_bmc_that_always_wants_the_mode(module, bmc, login, options, said):
    """It is told the present one, whether the options name it or not."""
    bmc.update(SYSTEM, {"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}})
    name = "BootSourceOverrideMode"

    def change(boot):
        if name in boot:
            return None
        if said == "in its arguments":
            return error(400, "PropertyMissing", "A property is missing.", f"Boot/{name}")
        refused = {"MessageId": "Base.1.8.GeneralError", "Message": "Refused."}
        related = {"by its property": name, "what was sent": "BootSourceOverrideEnabled"}.get(said)
        more = {"RelatedProperties": [f"#/Boot/{related}"]} if related else {}
        return reply(400, {"error": {"@Message.ExtendedInfo": [{**refused, **more}]}})

    sent = watched(bmc, change)
    result = module("bmc_boot", settle_seconds=0, **options, **login(bmc, drivers=["redfish"]))
    assert (result.get("changed"), result["boot"]["after"]["device"]) == (True, options["device"]), result
    assert [name in boot for boot in sent] == [False, True]
    assert boot_of(bmc)[2] == "UEFI"


@pytest.mark.parametrize("options", [{"device": "pxe"}, {"device": "pxe", "mode": "uefi"}, {"device": "http"}])
def test_a_bmc_that_changes_the_mode_when_it_is_not_named(module, bmc, login, options):
    def change(boot):
        if "BootSourceOverrideMode" not in boot:
            bmc.update(SYSTEM, {"Boot": {"BootSourceOverrideMode": "Legacy"}})

    sent = watched(bmc, change)
    result = module("bmc_boot", settle_seconds=0, **options, **login(bmc, drivers=["redfish"]))
    assert (result["boot"]["verified"], result["boot"]["after"]["mode"]) == (True, "uefi"), result
    assert result["boot"]["after"] == {**result["diff"]["after"]}
    assert (len(sent), boot_of(bmc)[2]) == (2, "UEFI")


def test_a_bmc_whose_mode_can_not_be_kept_is_not_verified(module, bmc, login):
    def change(boot):
        if "BootSourceOverrideMode" in boot:
            return error(400, "PropertyNotWritable", "The mode is read-only.", "BootSourceOverrideMode")
        bmc.update(SYSTEM, {"Boot": {"BootSourceOverrideMode": "Legacy"}})
        return None

    watched(bmc, change)
    options = {"device": "pxe", "settle_seconds": 0, "verify_timeout": 0.3}
    result = module("bmc_boot", **options, **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == "not_verified", result
    assert result["failure"]["details"]["found"]["mode"] == "legacy"


def test_what_the_bmc_does_not_offer_is_refused_before_writing(module, bmc, login):
    bmc.update(SYSTEM, {"Boot": {"BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Hdd"]}})
    result = module("bmc_boot", device="pxe", **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == "unsupported"
    assert "Hdd" in result["msg"]
    result = module("bmc_boot", device="pxe", http_boot_uri="http://x/", **login(bmc))
    assert result["failure"]["code"] == "invalid_input"


def test_values_in_another_spelling(module, bmc, login):
    words = {"BootSourceOverrideTarget@Redfish.AllowableValues": ["NONE", "PXE", "UEFIHTTP"]}
    bmc.update(SYSTEM, {"Boot": {**words, "BootSourceOverrideEnabled@Redfish.AllowableValues": ["disabled", "once"]}})
    done = module("bmc_boot", device="pxe", settle_seconds=0, **login(bmc))
    assert (done["boot"]["after"]["device"], boot_of(bmc)[:2]) == ("pxe", ("PXE", "once")), done
    assert not module("bmc_boot", device="pxe", **login(bmc))["changed"]
    none = module("bmc_boot", device="none", settle_seconds=0, **login(bmc))
    assert (none["changed"], boot_of(bmc)[1]) == (True, "disabled")


def test_http_boot_by_dhcp_forgets_the_uri(module, bmc, login):
    uri = "http://boot.example.org/x.efi"
    assert module("bmc_boot", device="http", http_boot_uri=uri, settle_seconds=0, **login(bmc))["changed"]
    assert module("bmc_boot", device="http", settle_seconds=0, **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["Boot"]["HttpBootUri"] is None
    assert not module("bmc_boot", device="http", **login(bmc))["changed"]


def test_a_virtual_cd_that_is_a_usb_cd(module, bmc, login):
    bmc.update(SYSTEM, {"Boot": {"BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Cd", "UsbCd"]}})
    assert module("bmc_boot", device="cdrom", settle_seconds=0, **login(bmc))["boot"]["after"]["device"] == "cdrom"
    assert boot_of(bmc)[0] == "Cd"
    assert module("bmc_boot", device="none", settle_seconds=0, **login(bmc))["changed"]
    bmc.update(SYSTEM, {"Manufacturer": "Supermicro"})
    assert module("bmc_boot", device="cdrom", settle_seconds=0, **login(bmc))["boot"]["after"]["device"] == "cdrom"
    assert boot_of(bmc)[0] == "UsbCd"


def test_a_boot_override_in_the_settings_of_the_system(module, login):
    """As of newer AMI firmware: the system itself refuses it, and its settings want an If-Match."""
    with running_farm(BmcSpec(tree="server", if_match="any")) as farm:
        bmc = farm.bmcs[0]
        boot = bmc.get(SYSTEM)["Boot"]
        staged = {name: value for name, value in boot.items() if "Mode" not in name}
        bmc.state.put(f"{SYSTEM}/SD", {"@odata.id": f"{SYSTEM}/SD", "Id": "SD", "Boot": staged})
        bmc.update(SYSTEM, {"@Redfish.Settings": {"SettingsObject": {"@odata.id": f"{SYSTEM}/SD"}}})
        bmc.faults.add(f"status:method=PATCH,path={SYSTEM},match=BootSourceOverrideTarget,status=400")
        done = module("bmc_boot", device="pxe", settle_seconds=0, **login(bmc))
        assert (done["boot"]["after"]["device"], boot_of(bmc)[0]) == ("pxe", "None"), done
        assert bmc.get(f"{SYSTEM}/SD")["Boot"]["BootSourceOverrideTarget"] == "Pxe"
        assert not module("bmc_boot", device="pxe", **login(bmc))["changed"]


def test_one_of_several_systems(module, chassis, login):
    result = module("bmc_boot", device="pxe", **login(chassis))
    assert result["failure"]["code"] == "invalid_input"
    one, other = result["failure"]["details"]["systems"]
    assert module("bmc_boot", device="pxe", system=other, settle_seconds=0, **login(chassis))["changed"]
    targets = {
        path.rsplit("/", 1)[1]: chassis.get(path)["Boot"]["BootSourceOverrideTarget"] for path in chassis.systems
    }
    assert targets == {one: "None", other: "Pxe"}


def test_ipmi(module, sim, login_ipmi):
    """This simulator keeps the device and forgets for how long: that is said, and it is set each time."""
    options = {**login_ipmi(sim), "settle_seconds": 0}
    chosen = sim.workdir / "boot"
    once = module("bmc_boot", device="pxe", mode="uefi", **options)
    assert (once["changed"], once["boot"]["driver"], once["boot"]["verified"]) == (True, "ipmi", False)
    assert chosen.read_text() == "pxe\n"
    assert module("bmc_boot", device="cdrom", duration="persistent", **options)["changed"]
    assert chosen.read_text() == "cdrom\n"
    assert module("bmc_boot", device="http", **options)["failure"]["code"] == "unsupported"
    assert not module("bmc_boot", device="none", **options)["changed"]


class Flags:
    """A BMC's boot flags (IPMI 2.0, table 28-14), scripted: the simulator does not keep them whole."""

    name, host, clock = "ipmi", "bmc", SystemClock()

    def __init__(self, forget=False):
        self.data, self.forget = [0, 0, 0, 0, 0], forget

    def raw(self, netfn, command, data):
        assert netfn == 0
        if command == 9:
            return [1, 5, *self.data]
        if data[0] == 5 and not self.forget:
            self.data = data[1:]
        return []


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        ({"device": "pxe", "mode": "uefi"}, [0xA0, 0x04, 0, 0, 0]),
        ({"device": "disk", "duration": "persistent", "mode": "legacy"}, [0xC0, 0x08, 0, 0, 0]),
        ({"device": "bios_setup"}, [0x80, 0x18, 0, 0, 0]),
    ],
)
def test_ipmi_flags(options, bits):
    params = {"duration": "once", "verify_timeout": 0, "settle_seconds": 0, **options}
    flags = Flags()
    change = plan_ipmi(flags, params)
    assert change.before != change.after
    assert change.apply()["boot"]["verified"] is True
    assert flags.data == bits
    again = plan_ipmi(flags, params)
    assert again.before == again.after
    with pytest.raises(NotVerified, match="nothing happened"):
        plan_ipmi(Flags(forget=True), params).apply()
