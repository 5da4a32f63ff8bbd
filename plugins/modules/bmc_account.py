#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_account
short_description: Manage an account of a BMC and change its password without locking anybody out
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Makes, changes or removes an account of the BMC.
  - >-
    A password is changed in three steps. It is written, then tried with a new login while the present session stays
    open, and if that login
    fails twice the old password is put back and tried too. A BMC that restarts meanwhile is waited for, ten times
    O(verify_timeout).
    The failure says which password holds.
  - The account that is logged in is never removed, disabled, or given another role.
  - An account that is locked after wrong passwords is unlocked.
  - >-
    Over IPMI a name has up to 16 and a password up to 20 bytes (16 on some BMCs), the roles are V(ReadOnly),
    V(Operator) and V(Administrator) on the
    channel that is used, and nobody can tell whether an account is locked.
  - On a new BMC that lets nobody in before the password is changed, give O(name) as O(username), and
    O(account_password).
extends_documentation_fragment:
  - baremetal.fleet.acting.account
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads the account and writes nothing. Whether a password differs is found out by one login with it.
    support: full
  diff_mode:
    description: Shows the account before and after, never a password.
    support: full
  idempotent:
    description: Does nothing when the account is so already.
    support: full
"""

EXAMPLES = r"""
- name: Make an account for monitoring
  baremetal.fleet.bmc_account:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    name: monitoring
    account_password: "{{ monitoring_password }}"
    role: ReadOnly

- name: Change the password of the account that is used here
  baremetal.fleet.bmc_account:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    name: "{{ bmc_username }}"
    account_password: "{{ bmc_new_password }}"
"""

RETURN = r"""
account:
  description: The account, read back, without its password. Null when it was removed. In check mode as it would be.
  type: dict
  returned: success
  sample: {"name": "monitoring", "role": "ReadOnly", "enabled": true, "locked": false}
password:
  description: What became of the password.
  type: dict
  returned: success
  contains:
    changed:
      description: Whether it was written. In check mode whether it would be.
      type: bool
      sample: true
    verified:
      description: Whether a new login with it worked.
      type: bool
      sample: true
attempts:
  description: The drivers that were tried, in order. The one without C(error) was used.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unsupported), V(unreachable), V(authentication_failed), V(wrong_machine), or
      V(not_verified) when the BMC accepted the change and it did not happen.
    - In C(details), C(restored) is true when the old password was put back and works, false when that failed, and null
      when it is not known. C(valid) says the same in words, V(old) or V(unknown).
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.account import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
