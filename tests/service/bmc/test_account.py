# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_account against virtual BMCs: never locked out."""

from __future__ import annotations

import pytest

from fleetlab.farm import BmcSpec, running_farm

ACCOUNTS = "/redfish/v1/AccountService/Accounts"
NEW = "N3w-Passw0rd-1"


def names(bmc):
    return [bmc.get(member["@odata.id"])["UserName"] for member in bmc.get(ACCOUNTS)["Members"]]


def test_an_account_comes_and_goes(module, bmc, login):
    want = {"name": "monitoring", "account_password": NEW, "role": "ReadOnly"}
    assert module("bmc_account", check=True, **want, **login(bmc))["changed"]
    assert names(bmc) == ["admin"]
    made = module("bmc_account", **want, **login(bmc))
    assert made["account"] == {"name": "monitoring", "role": "ReadOnly", "enabled": True, "locked": False}
    assert (made["changed"], made["password"]) == (True, {"changed": True, "verified": True})
    assert NEW not in str(made)
    again = module("bmc_account", **want, **login(bmc))
    assert (again["changed"], again["password"]["changed"]) == (False, False)

    changed = module("bmc_account", **{**want, "role": "Administrator", "account_password": NEW + "x"}, **login(bmc))
    assert (changed["account"]["role"], changed["password"]["verified"]) == ("Administrator", True)
    assert bmc.access.others == {"monitoring": NEW + "x"}
    kept = module("bmc_account", **want, update_password="on_create", check=True, **login(bmc))
    assert (kept["changed"], kept["password"]["changed"]) == (True, False)

    assert module("bmc_account", name="monitoring", state="absent", **login(bmc))["changed"]
    assert names(bmc) == ["admin"]
    assert not module("bmc_account", name="monitoring", state="absent", **login(bmc))["changed"]
    assert bmc.counters.logins == bmc.counters.logouts


def test_rotation_of_the_own_password(module, bmc, login):
    old = login(bmc)
    done = module("bmc_account", name="admin", account_password=NEW, **old)
    assert (done["changed"], done["password"]) == (True, {"changed": True, "verified": True})
    assert bmc.access.password == NEW
    assert not module("bmc_account", name="admin", account_password=NEW, **login(bmc))["changed"]
    assert bmc.access.failed == 0, "no login was tried that had to fail"


@pytest.mark.parametrize("fault", ["ignore:method=PATCH", "status:method=PATCH,times=1,status=500"])
def test_a_password_that_does_not_take(module, login, fault):
    """The change is accepted and does nothing, or fails halfway: the old password holds, and that was tried."""
    with running_farm(BmcSpec(tree="server", password="the-old-one", lockout_after=5)) as farm:
        bmc = farm.bmcs[0]
        bmc.faults.add(fault)
        result = module("bmc_account", name="admin", account_password=NEW, verify_timeout=1, **login(bmc))
        assert result["failed"]
        assert result["failure"]["details"]["restored"] is True
        assert NEW not in str(result)
        assert bmc.access.password == "the-old-one"
        assert not bmc.access.locked


def test_a_bmc_that_stores_another_password(module, bmc, login):
    """It cuts the password off, say: nobody could log in again, were the old one not put back."""
    old = bmc.password
    change = bmc._change_account

    def cut(resource, changes):
        change(resource, {**changes, "Password": changes["Password"][:12]} if "Password" in changes else changes)

    bmc._change_account = cut
    result = module("bmc_account", name="admin", account_password="0123456789abcdef", verify_timeout=1, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert "was put back and works" in result["msg"]
    assert bmc.access.password == old


def test_fixed_slots(module, bmc, login):
    """Accounts that are not made but filled in."""
    slots = [f"{ACCOUNTS}/{number}" for number in (2, 3)]
    for path in slots:
        empty = {"@odata.id": path, "@odata.type": "#ManagerAccount.v1_12_1.ManagerAccount", "Id": path[-1]}
        fields = {"UserName": "", "Password": None, "RoleId": None, "Enabled": False, "Locked": False}
        bmc.state.add_member(ACCOUNTS, {**empty, **fields})
    for method in ("POST", "DELETE"):
        bmc.faults.add(f"status:method={method},path={ACCOUNTS}*,status=405")
    made = module("bmc_account", name="monitoring", account_password=NEW, role="ReadOnly", **login(bmc))
    assert made["password"]["verified"]
    assert bmc.get(slots[0])["UserName"] == "monitoring"
    assert module("bmc_account", name="monitoring", state="absent", **login(bmc))["changed"]
    assert bmc.get(slots[0])["UserName"] == ""
    assert bmc.access.others == {}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "admin", "state": "absent"}, "name"),
        ({"name": "admin", "enabled": False}, "name"),
        ({"name": "admin", "role": "ReadOnly"}, "name"),
        ({"name": "new", "role": "ReadOnly"}, "account_password"),
        ({"name": "new", "role": "King", "account_password": NEW}, "role"),
        ({"name": "admin", "account_password": "short"}, "account_password"),
        ({"name": " "}, "name"),
    ],
)
def test_refused_before_writing(module, bmc, login, options, field):
    result = module("bmc_account", **options, **login(bmc))
    assert result["failure"]["code"] == "invalid_input"
    assert result["failure"]["details"]["field"] == field
    assert names(bmc) == ["admin"]
    assert bmc.access.password == bmc.password
