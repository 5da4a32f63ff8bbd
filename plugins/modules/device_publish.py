#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_publish
short_description: Publish what was found out about a machine's hardware
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Sends a device document, as M(baremetal.fleet.bmc_info) returns it, to the machine server (C(fleetd)), which keeps
    the documents of each source apart, merges them and writes down what has changed.
  - Publishing what the server already knows changes nothing. Readings and times are no change.
options:
  machine:
    description: Id of the machine. It must exist; M(baremetal.fleet.machine) creates it.
    type: str
    required: true
  device:
    description: The device document.
    type: dict
    required: true
  source:
    description:
      - Who looked, V(oob) for the BMC or V(inband) for the machine's own operating system.
      - Default is what the document says.
    type: str
    choices: [oob, inband]
  dump_dir:
    description:
      - Folder for a dump of what is compared, to find out why something is a change. It is made, with mode V(0700), if
        it does not exist.
      - >-
        The files are C(<machine>.device.json) (the document), C(<machine>.current.components.json) (the components
        that the server has of this source), C(<machine>.new.components.json) and C(<machine>.changes.json). They have
        mode V(0600) and replace those of before.
      - Without it, the environment variables E(DEBUG_DUMP_FIXTURES) and E(DEBUG_DUMP_DIFFERS) of the host that runs
        the module, set to V(true), dump to its working directory. With E(DEBUG_DUMP_DIFFERS) alone, files are only
        written if something has changed.
      - The raw answers of a BMC are written by O(baremetal.fleet.bmc_info#module:capture).
    type: path
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Checks the document and compares it with the one that the server has. Dumps nothing.
    support: full
  diff_mode:
    description: The server keeps the differences; it has them under C(device/history).
    support: none
  idempotent:
    description: Run twice with the same document, the second time changes nothing.
    support: full
seealso:
  - module: baremetal.fleet.bmc_info
  - module: baremetal.fleet.host_inventory
  - module: baremetal.fleet.machine
"""

EXAMPLES = r"""
- name: Ask the BMC
  baremetal.fleet.bmc_info:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
  register: found

- name: Tell the machine server
  baremetal.fleet.device_publish:
    machine: "{{ inventory_hostname }}"
    device: "{{ found.device }}"

- name: Tell the machine server, and keep what was compared
  baremetal.fleet.device_publish:
    machine: "{{ inventory_hostname }}"
    device: "{{ found.device }}"
    dump_dir: /var/tmp/fleet-dump
"""

RETURN = r"""
changes:
  description: Number of differences to the document that the server had before. In check mode V(1) stands for any
    number.
  type: int
  returned: success
  sample: 3
dumped:
  description: The files that were written.
  type: list
  elements: str
  returned: success, with O(dump_dir) or one of the environment variables, not in check mode
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(parse_error) for a document that is none, V(not_found), V(authentication_failed),
        V(unreachable).
      type: str
    details:
      description: For example the C(field) of the document that is wrong, or the server's C(url).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._publish import Client, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server

SPEC = {
    "machine": {"type": "str", "required": True},
    "device": {"type": "dict", "required": True},
    "source": {"type": "str", "choices": ["oob", "inband"]},
    "dump_dir": {"type": "path"},
}


def main() -> None:
    run_on_server(plan, Client, SPEC)


if __name__ == "__main__":
    main()
