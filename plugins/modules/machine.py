#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine
short_description: Register, change or remove a machine in the machine server
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Makes a machine's entry in the machine server (C(fleetd)) what the task says it is. The machine itself is not
    touched.
  - Fields that the task does not mention stay as they are. An empty string clears a field.
extends_documentation_fragment:
  - baremetal.fleet.machine
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows the fields before and after.
    support: full
  idempotent:
    description: Run twice, the second time changes nothing.
    support: full
seealso:
  - module: baremetal.fleet.credential
  - module: baremetal.fleet.device_publish
  - module: baremetal.fleet.machine_info
  - plugin: baremetal.fleet.machines
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Register a machine with its BMC
  baremetal.fleet.machine:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    name: node-1
    site: ber1
    rack: a1
    position: u12
    labels:
      role: compute
      owner: physics
    bmc:
      address: 192.0.2.11
      mac: 00:25:90:ab:cd:ef
      drivers: [redfish, ipmi]

- name: Register every host of a static inventory
  hosts: all
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    group/baremetal.fleet.server:
      server_url: "{{ fleet_server_url | default(omit) }}"
      server_token: "{{ fleet_server_token | default(omit) }}"
  tasks:
    - name: Register
      baremetal.fleet.machine:
        name: "{{ inventory_hostname }}"
        bmc:
          address: "{{ bmc_address }}"
          drivers: "{{ bmc_drivers | default(omit) }}"

- name: Remove a machine
  baremetal.fleet.machine:
    name: node-1
    state: absent
"""

RETURN = r"""
machine:
  description: The machine as the server has it, or would have it in check mode.
  type: dict
  returned: success and O(state=present)
  contains:
    id:
      description: The machine's id.
      type: str
    labels:
      description: Its labels.
      type: dict
    site:
      description: Where it stands.
      type: str
    rack:
      description: The rack that it is in.
      type: str
    position:
      description: Its position in the rack.
      type: str
    lifecycle:
      description: State of the machine's life.
      type: str
    bmc:
      description: How to reach its BMC.
      type: dict
    device:
      description: Summary of what was last published about its hardware.
      type: dict
    version:
      description: Counts the changes of this entry.
      type: int
  sample:
    id: node-1
    labels: {role: compute}
    site: ber1
    rack: a1
    position: u12
    bmc: {address: 192.0.2.11, mac: "00:25:90:ab:cd:ef", drivers: [redfish, ipmi]}
    version: 3
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(invalid_input), V(authentication_failed), V(permission_denied), V(unreachable),
        V(timeout), V(conflict).
      type: str
    details:
      description: For example the C(field) that is wrong, or the server's C(url).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._machine import OPTIONS, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.machines import Machines


def main() -> None:
    run_on_server(plan, Machines, OPTIONS)


if __name__ == "__main__":
    main()
