# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""secure_boot against virtual BMCs."""

from __future__ import annotations

import json

from fleetlab.replies import Reply

PATH = "/redfish/v1/Systems/1/SecureBoot"
NOW = {"reboot": True, "graceful_timeout": 0, "apply_timeout": 5}


def test_enable(module, bmc, login):
    assert module("secure_boot", check=True, enabled=True, **login(bmc))["changed"]
    assert bmc.get(PATH)["SecureBootEnable"] is False
    staged = module("secure_boot", enabled=True, **login(bmc))
    assert (staged["changed"], staged["secure_boot"]["enabled"], staged["secure_boot"]["pending"]) == (True, True, True)
    again = module("secure_boot", enabled=True, **login(bmc))
    assert (again["changed"], again["secure_boot"]["pending"]) == (False, True)
    assert bmc.power_log == []
    now = module("secure_boot", enabled=True, **NOW, **login(bmc))
    assert (now["changed"], now["secure_boot"]["rebooted"], now["secure_boot"]["current_boot"]) == (
        True,
        True,
        "Enabled",
    )
    assert not module("secure_boot", enabled=True, **NOW, **login(bmc))["changed"]


def test_keys(module, bmc, login):
    assert module("secure_boot", keys="deleted", **login(bmc))["secure_boot"]["mode"] == "SetupMode"
    assert not module("secure_boot", keys="deleted", **login(bmc))["changed"]
    refused = module("secure_boot", enabled=True, **login(bmc))
    assert refused["failure"]["code"] == "invalid_input"
    assert bmc.get(PATH)["SecureBootEnable"] is False
    done = module("secure_boot", enabled=True, keys="default", **login(bmc))
    assert (done["secure_boot"]["mode"], done["secure_boot"]["enabled"]) == ("UserMode", True)


def test_keys_that_change_at_the_next_boot(module, bmc, login):
    """Nothing is claimed before it, and a reboot on request brings them, and shows it."""
    boot = bmc.state._boot

    def boots(system):
        bmc.update(PATH, {"SecureBootMode": "SetupMode"})
        return boot(system)

    bmc.state._boot = boots
    bmc.actions._known["#SecureBoot.ResetKeys"] = lambda *_: Reply(204)
    hidden = module("secure_boot", keys="deleted", verify_timeout=0.2, **login(bmc))
    assert (hidden["changed"], hidden["secure_boot"]["pending"], hidden["secure_boot"]["mode"]) == (
        True,
        True,
        "UserMode",
    )
    assert "only the next boot tells" in str(hidden["warnings"])
    plan = module("secure_boot", check=True, keys="deleted", **NOW, **login(bmc))
    assert (plan["diff"]["after"]["reboot"], bmc.power_log) == (True, [])
    now = module("secure_boot", keys="deleted", **NOW, **login(bmc))
    assert (now["secure_boot"]["rebooted"], now["secure_boot"]["mode"]) == (True, "SetupMode"), now
    assert not module("secure_boot", keys="deleted", **NOW, **login(bmc))["changed"]


def test_keys_that_never_change(module, bmc, login):
    bmc.faults.add("ignore:method=POST,path=*ResetKeys")
    result = module("secure_boot", keys="deleted", **{**NOW, "apply_timeout": 0.5}, **login(bmc))
    assert result["failure"]["code"] == "not_verified"


def test_a_bmc_that_does_nothing(module, bmc, login):
    bmc.faults.add("ignore:method=PATCH")
    assert module("secure_boot", enabled=True, verify_timeout=0.2, **login(bmc))["failure"]["code"] == "not_verified"


def test_a_bmc_without_it(module, bmc, login):
    bmc.update("/redfish/v1/Systems/1", {"SecureBoot": None})
    assert module("secure_boot", enabled=True, **login(bmc, drivers=["redfish"]))["failure"]["code"] == "unsupported"


def test_a_switch_that_shows_after_the_restart_only(module, bmc, login):
    """Some show what is staged neither in SecureBootEnable, nor in what state the machine was started."""
    boot, wanted = bmc.state._boot, {}
    bmc.state.put(PATH, {name: value for name, value in bmc.get(PATH).items() if name != "SecureBootCurrentBoot"})
    answer = bmc.answer

    def later(request, fault=None):
        if request.method == "PATCH" and request.path == PATH:
            wanted.update(json.loads(request.body))
            return Reply(204)
        return answer(request, fault)

    def boots(system):
        bmc.update(PATH, wanted)
        return boot(system)

    bmc.answer, bmc.state._boot = later, boots
    short = {"enabled": True, "verify_timeout": 0.2}
    assert module("secure_boot", **short, **login(bmc))["failure"]["code"] == "not_verified"
    now = module("secure_boot", **short, **NOW, **login(bmc))
    assert (now["secure_boot"]["enabled"], now["secure_boot"]["rebooted"]) == (True, True), now
    assert not module("secure_boot", **short, **NOW, **login(bmc))["changed"]
