# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_led against virtual BMCs, and against Debian's ipmi_sim."""

from __future__ import annotations

SYSTEM = "/redfish/v1/Systems/1"


def test_redfish(module, bmc, login):
    assert module("bmc_led", check=True, state="on", **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["LocationIndicatorActive"] is False
    on = module("bmc_led", state="on", **login(bmc))
    assert on["led"] == {"driver": "redfish", "before": "off", "after": "on", "verified": True}
    assert bmc.get(SYSTEM)["LocationIndicatorActive"] is True
    assert not module("bmc_led", state="on", **login(bmc))["changed"]
    assert module("bmc_led", state="off", **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["LocationIndicatorActive"] is False


def test_the_older_property(module, bmc, login):
    bmc.update(SYSTEM, {"LocationIndicatorActive": None})
    assert module("bmc_led", state="on", **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["IndicatorLED"] == "Lit"
    bmc.update(SYSTEM, {"IndicatorLED": "Blinking"})
    assert not module("bmc_led", state="on", **login(bmc))["changed"]


def test_a_light_that_can_only_blink_and_does_not_say_so(module, bmc, login):
    bmc.update(SYSTEM, {"LocationIndicatorActive": None, "IndicatorLED": "Off"})
    bmc.faults.add("status:method=PATCH,match=Lit,status=400")
    assert module("bmc_led", state="on", **login(bmc))["changed"]
    assert bmc.get(SYSTEM)["IndicatorLED"] == "Blinking"


def test_the_light_of_the_chassis(module, bmc, login):
    bmc.update(SYSTEM, {"LocationIndicatorActive": None, "IndicatorLED": None})
    assert module("bmc_led", state="on", **login(bmc))["changed"]
    assert bmc.get("/redfish/v1/Chassis/1")["LocationIndicatorActive"] is True


def test_a_bmc_that_does_nothing(module, bmc, login):
    bmc.faults.add("ignore:method=PATCH")
    assert module("bmc_led", state="on", verify_timeout=0.2, **login(bmc))["failure"]["code"] == "not_verified"


def test_ipmi(module, sim, login_ipmi):
    """This simulator takes the command and can't tell the light's state."""
    on = module("bmc_led", state="on", **login_ipmi(sim))
    assert (on["changed"], on["led"]["before"], on["led"]["verified"]) == (True, None, False)
