# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_account against virtual BMCs: never locked out."""

from __future__ import annotations

import json

import pytest

from fleetlab.farm import BmcSpec, Fault, running_farm
from fleetlab.ipmi import IpmiSim, available
from fleetlab.replies import error

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
    change = bmc._accounts.change

    def cut(resource, changes):
        change(resource, {**changes, "Password": changes["Password"][:12]} if "Password" in changes else changes)

    bmc._accounts.change = cut
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


def test_a_bmc_that_restarts_while_the_password_is_changed(module, login):
    """The change was made and its answer lost; when the BMC is back, the new password holds, and it is no failure."""
    with running_farm(BmcSpec(tree="server", password="the-old-one", bmc_reset_seconds=2)) as farm:
        bmc = farm.bmcs[0]
        change = bmc._accounts.change

        def change_and_restart(resource, changes):
            change(resource, changes)
            bmc._restart()

        bmc._accounts.change = change_and_restart
        done = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
        assert (done["changed"], done["password"]) == (True, {"changed": True, "verified": True}), done
        assert (bmc.access.password, bmc.access.failed) == (NEW, 0)


def test_a_bmc_that_ends_the_session_with_the_old_password(module, bmc, login):
    """What follows the change is read over a session of the new password: no refused login is left behind."""
    change = bmc._accounts.change

    def change_and_log_out(resource, changes):
        change(resource, changes)
        bmc.access.close_all()

    bmc._accounts.change = change_and_log_out
    done = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
    assert done["password"]["verified"], done
    assert (bmc.access.password, bmc.access.failed) == (NEW, 0)


def test_an_account_that_others_lock_meanwhile(module, bmc, login):
    """A monitoring system goes on with the old password and locks the account: it is unlocked, the new one holds."""
    want = {"name": "monitoring", "role": "ReadOnly"}
    module("bmc_account", **want, account_password=NEW, **login(bmc))
    path = next(item["@odata.id"] for item in bmc.get(ACCOUNTS)["Members"][1:])
    change = bmc._accounts.change

    def change_and_lock(resource, changes):
        if "Password" in changes:
            bmc.state.update(path, {"Locked": True})
        change(resource, changes)

    bmc._accounts.change = change_and_lock
    done = module("bmc_account", **want, account_password=NEW + "x", current_password=NEW, **login(bmc))
    assert (done["changed"], done["password"]["verified"]) == (True, True), done
    assert (done["account"]["locked"], bmc.access.others) == (False, {"monitoring": NEW + "x"})


@pytest.mark.parametrize("way", ["any", "strong", "bare", "star"])
def test_a_bmc_that_wants_an_etag(module, login, way):
    """Each vendor in its own form (Lenovo without quotes, AMI without W/); a form that is refused changes nothing."""
    with running_farm(BmcSpec(tree="server", if_match=way)) as farm:
        bmc = farm.bmcs[0]
        assert module("bmc_account", name="admin", account_password=NEW, **login(bmc))["password"]["verified"]
        assert (bmc.access.password, bmc.access.failed) == (NEW, 0)
        want = {"name": "monitoring", "role": "ReadOnly", "account_password": NEW}
        assert module("bmc_account", **want, **login(bmc))["changed"]
        assert module("bmc_account", name="monitoring", state="absent", **login(bmc))["changed"]
        assert names(bmc) == ["admin"]


def test_slots_that_are_all_taken(module, bmc, login):
    bmc.faults.add(f"status:method=POST,path={ACCOUNTS}*,status=405")
    result = module("bmc_account", name="new", account_password=NEW, role="ReadOnly", **login(bmc))
    assert (result["failure"]["code"], "no room for another account" in result["msg"]) == ("unsupported", True)


def test_an_account_that_may_not_be_removed(module, bmc, login):
    """What the BMC says of the removal counts, and nothing is emptied instead."""
    want = {"name": "monitoring", "role": "ReadOnly", "account_password": NEW}
    assert module("bmc_account", **want, **login(bmc))["changed"]
    bmc.faults.add(f"status:method=DELETE,path={ACCOUNTS}*,status=403")
    result = module("bmc_account", name="monitoring", state="absent", **login(bmc))
    assert result["failure"]["code"] == "permission_denied"
    assert names(bmc) == ["admin", "monitoring"]


def test_a_refused_password_leaves_the_old_one(module, bmc, login):
    """Its policy, say: one login with the old one shows that it holds, and none is tried with the new one."""
    bmc.faults.add("status:method=PATCH,status=400")
    result = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
    assert (result["failure"]["code"], result["failure"]["details"]["valid"]) == ("unsupported", "old"), result
    assert bmc.access.failed == 0


@pytest.mark.parametrize("status", [409, 503])
def test_a_change_that_is_refused_for_now_costs_no_login(module, bmc, login, status):
    bmc.faults.add(f"status:method=PATCH,status={status}")
    result = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
    assert (result["failure"]["code"], result["failure"]["details"]["valid"]) == ("busy", "old"), result
    assert bmc.counters.refused == 0


def test_an_account_that_is_not_made(module, bmc, login):
    bmc.faults.add("ignore:method=POST,path=*Accounts")
    want = {"name": "monitoring", "role": "ReadOnly", "account_password": NEW, "verify_timeout": 0.2}
    assert module("bmc_account", **want, **login(bmc))["failure"]["code"] == "not_verified"


def test_a_new_bmc_that_wants_its_password_changed_first(module, bmc, login):
    """DSP0266, 13.3.6.2: all but the account itself is forbidden."""
    account = next(item["@odata.id"] for item in bmc.get(ACCOUNTS)["Members"])
    words = (
        "The password provided for this account must be changed before access is granted. PATCH the 'Password' "
        f"property for this account located at the target URI '{account}' to complete this process."
    )
    info = {"MessageId": "Base.1.18.PasswordChangeRequired", "MessageArgs": [account], "Message": words}
    refusal = json.dumps({"error": {"code": info["MessageId"], "@Message.ExtendedInfo": [info]}})
    bmc.faults.add(Fault("reply", path="/redfish/v1/AccountService", status=403, body=refusal))
    for wrong in ({"name": "monitoring", "role": "ReadOnly", "account_password": NEW}, {"name": "admin"}):
        result = module("bmc_account", **wrong, **login(bmc))
        assert "before its password is changed" in result["msg"], result
    assert module("bmc_account", check=True, name="admin", account_password=NEW, **login(bmc))["changed"]
    done = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
    assert (done["changed"], done["password"]["verified"]) == (True, True), done
    assert bmc.access.password == NEW


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bmc_info", {}),
        ("bmc_power", {"state": "on"}),
        ("bmc_boot", {"device": "pxe"}),
        ("bmc_led", {"state": "on"}),
        ("bmc_session", {}),
    ],
)
def test_every_module_has_one_code_for_a_password_that_has_to_be_changed_first(module, bmc, login, name, options):
    """The account is in the arguments of the message only."""
    account = next(item["@odata.id"] for item in bmc.get(ACCOUNTS)["Members"])
    answer = bmc.answer

    def shut(request, fault=None):
        free = request.path.rstrip("/") in ("/redfish/v1", account) or "/Sessions/" in request.path
        if free or request.method == "POST" or bmc.access.password == NEW:
            return answer(request, fault)
        return error(403, "PasswordChangeRequired", "The password must be changed.", account)

    bmc.answer = shut
    refused = module(name, **options, **login(bmc))
    assert refused["failure"]["code"] == "password_change_required", refused
    assert refused["failure"]["details"]["account"] == account
    done = module("bmc_account", name="admin", account_password=NEW, **login(bmc))
    assert (done.get("changed"), bmc.access.password) == (True, NEW), done
    assert "failure" not in module(name, **options, **login(bmc, password=NEW))
    assert bmc.access.sessions() == []


# -- IPMI -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path):
    """An ipmi_sim of its own, whose accounts are changed."""
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    with IpmiSim(tmp_path / "ipmi") as running:
        yield running


def test_over_ipmi(module, fresh, login_ipmi):
    admin = login_ipmi(fresh)
    want = {"name": "monitoring", "account_password": "Passw0rd-1", "role": "ReadOnly"}
    made = module("bmc_account", **want, **admin)
    assert made["account"] == {"name": "monitoring", "role": "ReadOnly", "enabled": True, "locked": None}, made
    assert made["password"] == {"changed": True, "verified": True}
    monitoring = {**admin, "username": "monitoring"}
    assert module("bmc_led", check=True, state="on", **{**monitoring, "password": "Passw0rd-1"})["changed"]

    changed = module("bmc_account", **{**want, "role": "Operator", "account_password": "Passw0rd-2"}, **admin)
    assert (changed["account"]["role"], changed["password"]["verified"]) == ("Operator", True)
    assert not module("bmc_account", **{**want, "role": "Operator", "account_password": "Passw0rd-2"}, **admin)[
        "changed"
    ]
    disabled = module("bmc_account", name="monitoring", enabled=False, **admin)
    assert (disabled["changed"], disabled["account"]["enabled"]) == (True, False)
    refused = module("bmc_led", check=True, state="on", **{**monitoring, "password": "Passw0rd-2"})
    assert refused["failure"]["code"] == "authentication_failed"
    assert module("bmc_account", name="monitoring", state="absent", **admin)["changed"]


def test_rotation_over_ipmi(module, fresh, login_ipmi):
    """ipmi_sim takes 20 bytes and keeps 16, as some BMCs do: nobody could log in, were the old one not put back."""
    admin = login_ipmi(fresh)
    result = module("bmc_account", name="admin", account_password="0123456789abcdefgh", verify_timeout=1, **admin)
    assert result["failure"]["code"] == "not_verified", result
    assert (result["failure"]["details"]["restored"], result["failure"]["details"]["valid"]) == (True, "old")
    done = module("bmc_account", name="admin", account_password="0123456789abcdef", **admin)
    assert (done["changed"], done["password"]["verified"]) == (True, True), done
