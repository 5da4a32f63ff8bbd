# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts over IPMI: what is sent, and what is refused before."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.account import plan_ipmi
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput, Unsupported

ADMIN = {"address": "bmc1", "username": "admin", "password": "old"}
DEFAULTS = {"state": "present", "update_password": "always", "verify_timeout": 1.0}


class Bmc:
    """A BMC of 4 slots; remembers what was written."""

    host, clock, name = "bmc1", None, "ipmi"

    def __init__(self, names=("", "admin", "", ""), refuse=()):
        self.names = dict(enumerate(names, 1))
        self.refuse = refuse
        self.written = []

    def raw(self, netfn, command, data):
        if command in self.refuse:
            raise Unsupported("no")
        if command == 0x44:
            return [len(self.names), 0x41, 0, 0x34 if self.names[data[1]] else 0]
        if command == 0x46:
            return list(self.names[data[0]].encode().ljust(16, b"\0"))
        self.written.append((command, bytes(data)))
        if command == 0x45:
            self.names[data[0]] = bytes(data[1:]).rstrip(b"\0").decode()
        return []


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"name": "admin", "account_password": "x" * 21}, "account_password", "1 to 20 bytes"),
        ({"name": "new", "account_password": "ü" * 11, "role": "Operator"}, "account_password", "this one has 22"),
        ({"name": "new", "account_password": "a\0b", "role": "Operator"}, "account_password", "1 to 20 bytes"),
        ({"name": "n" * 17, "account_password": "x", "role": "Operator"}, "name", "at most 16"),
        ({"name": "new", "account_password": "x", "role": "King"}, "role", "ReadOnly, Operator, Administrator"),
        ({"name": "admin", "state": "absent"}, "name", "logged in"),
        ({"name": "admin", "enabled": False}, "name", "logged in"),
        ({"name": "", "state": "absent"}, "name", "empty"),
    ],
)
def test_refused_before_writing(options, field, words):
    bmc = Bmc()
    with pytest.raises(InvalidInput, match=words) as caught:
        plan_ipmi(bmc, {**DEFAULTS, **ADMIN, **options})
    assert caught.value.details["field"] == field
    assert bmc.written == []


def test_an_account_that_can_not_be_made_whole_is_not_left_half_made():
    bmc = Bmc(refuse=(0x47,))
    change = plan_ipmi(bmc, {**DEFAULTS, **ADMIN, "name": "new", "account_password": "x" * 17, "role": "Operator"})
    with pytest.raises(Unsupported, match="not more than 16 bytes, and the password has 17"):
        change.apply()
    assert bmc.names == {1: "", 2: "admin", 3: "", 4: ""}, (
        "the anonymous account is not used, and the slot is empty again"
    )


def test_a_bmc_that_is_full():
    change = plan_ipmi(
        Bmc(names=("", "admin", "a", "b")),
        {**DEFAULTS, **ADMIN, "name": "new", "account_password": "x", "role": "Operator"},
    )
    with pytest.raises(Unsupported, match="no room"):
        change.apply()
