#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: credential
short_description: Store or remove a login in the machine server
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Keeps user name and password, for example of BMCs, under a name in the machine server (C(fleetd)), which encrypts
    them.
  - A machine's entry refers to it by O(baremetal.fleet.machine#module:bmc.credential). Playbooks read it with the
    lookup P(baremetal.fleet.credential#lookup), for which a token of scope C(runner) is needed.
  - Nothing is changed on a BMC. M(baremetal.fleet.bmc_account) sets passwords there.
options:
  name:
    description: Name of the login.
    type: str
    required: true
  state:
    description:
      - V(present) stores it.
      - V(absent) removes it. One that does not exist is fine.
    type: str
    choices: [present, absent]
    default: present
  username:
    description: The user name. Needed with O(state=present).
    type: str
  password:
    description: The password. Needed with O(state=present).
    type: str
  update_password:
    description:
      - V(always) stores the password if it differs.
      - V(on_create) stores it only if the login is not there yet.
    type: str
    choices: [always, on_create]
    default: always
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Says what would change.
    details: A password that differs is not told of, because only the server can see that.
    support: partial
  diff_mode:
    description: Shows name and user name. Passwords are never shown.
    support: full
  idempotent:
    description: Run twice, the second time changes nothing. The server writes each call into its audit log.
    support: full
seealso:
  - module: baremetal.fleet.machine
  - plugin: baremetal.fleet.credential
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Store the login of a rack's BMCs
  baremetal.fleet.credential:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    name: rack-a1
    username: admin
    password: "{{ vault_bmc_password }}"

- name: Say that a machine's BMC takes it
  baremetal.fleet.machine:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    name: node-1
    bmc:
      address: 192.0.2.11
      credential: rack-a1

- name: Remove a login
  baremetal.fleet.credential:
    name: rack-a0
    state: absent
"""

RETURN = r"""
credential:
  description: The login, without its password.
  type: dict
  returned: success and O(state=present)
  contains:
    name:
      description: Its name.
      type: str
    username:
      description: The user name.
      type: str
    created_at:
      description: When it was stored first, in UTC.
      type: str
    updated_at:
      description: When it was last changed, in UTC.
      type: str
  sample:
    name: rack-a1
    username: admin
    created_at: "2026-11-20T22:14:03.120000Z"
    updated_at: "2026-11-20T22:14:03.120000Z"
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(invalid_input), V(permission_denied), V(unreachable).
      type: str
    details:
      description: For example the C(field) that is wrong, or the server's C(url).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._credential import plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.credentials import Credentials

SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
}


def main() -> None:
    run_on_server(plan, Credentials, SPEC)


if __name__ == "__main__":
    main()
