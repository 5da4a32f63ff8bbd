#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Read what the machine server knows of machines
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads machines from the machine server (C(fleetd)), by name or by filters, with as much of what it remembers as
    O(include) asks for.
  - Without O(name) and filters it reads all machines. Many machines with documents make a large result; the inventory
    plugin P(baremetal.fleet.machines#inventory) is what plays over machines should use.
options:
  name:
    description:
      - Ids of the machines. One that does not exist is an error, as is an empty list.
    type: list
    elements: str
    aliases: [id]
  site:
    description: Only machines at this site.
    type: str
  rack:
    description: Only machines in this rack.
    type: str
  labels:
    description: Only machines that have all these labels.
    type: dict
  q:
    description: Only machines with this text in their id, serial number, model, MAC and BMC addresses, labels and the
      like.
    type: str
    aliases: [search]
  include:
    description:
      - What to read beside the entry of a machine, one more request each.
      - V(document) is the device document, V(history) what has changed in it, V(findings) what contradicts it,
        V(powercycles) the requests, V(work) who holds the machine for what now, V(work_history) what was begun,
        finished, failed and cancelled.
    type: list
    elements: str
    choices: [document, history, findings, powercycles, work, work_history]
    default: []
  source:
    description: Which device document, what the BMC said (V(oob)), what the operating system said (V(inband)), or both
      merged.
    type: str
    choices: [merged, oob, inband]
    default: merged
  limit:
    description: At most so many lines of V(history), V(powercycles) and V(work_history), the newest ones.
    type: int
    default: 20
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Reads, and changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Reads, and changes nothing.
    support: full
seealso:
  - module: baremetal.fleet.machine
  - plugin: baremetal.fleet.machines
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Read one machine with its hardware
  baremetal.fleet.machine_info:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    name: node-1
    include: [document, history]
  register: found

- name: Show its memory modules
  ansible.builtin.debug:
    msg: "{{ found.machines[0].document.memory | map(attribute='slot') }}"

- name: Find the machine with a serial number, or with a MAC address
  baremetal.fleet.machine_info:
    q: 3c:ec:ef:12:34:56
"""

RETURN = r"""
machines:
  description: The machines, in the order of O(name), else by id.
  type: list
  elements: dict
  returned: success
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
      description: How to reach its BMC; null if that is not known.
      type: dict
    description:
      description: What its monitor, its runner and people said about it, among others the holds.
      type: dict
    device:
      description: Summary of its hardware; null if nothing was published.
      type: dict
    powercycle:
      description: The newest power cycle request; null if there was none.
      type: dict
    version:
      description: Counts the changes of this entry.
      type: int
    document:
      description: The device document; null if nothing was published.
      type: dict
      returned: with V(document) in O(include)
    history:
      description: What changed in the hardware, newest first.
      type: list
      elements: dict
      returned: with V(history) in O(include)
    findings:
      description: Contradictions about the machine, as M(baremetal.fleet.machine_finding) returns them.
      type: list
      elements: dict
      returned: with V(findings) in O(include)
    powercycles:
      description: The power cycle requests, newest first.
      type: list
      elements: dict
      returned: with V(powercycles) in O(include)
    work:
      description: Who holds the machine for what.
      type: list
      elements: dict
      returned: with V(work) in O(include)
    work_history:
      description: What was begun, finished, failed and cancelled, newest first.
      type: list
      elements: dict
      returned: with V(work_history) in O(include)
  sample:
    - id: node-1
      labels: {role: compute}
      site: ber1
      rack: a1
      position: u12
      lifecycle: active
      bmc: {address: 192.0.2.11, drivers: [redfish, ipmi]}
      version: 3
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(not_found), V(invalid_input), V(authentication_failed), V(unreachable).
      type: str
    details:
      description: For example the C(field) that is wrong, or the server's C(url).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._machine_info import Client, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server

SPEC = {
    "name": {"type": "list", "elements": "str", "aliases": ["id"]},
    "site": {"type": "str"},
    "rack": {"type": "str"},
    "labels": {"type": "dict"},
    "q": {"type": "str", "aliases": ["search"]},
    "include": {
        "type": "list",
        "elements": "str",
        "choices": ["document", "history", "findings", "powercycles", "work", "work_history"],
        "default": [],
    },
    "source": {"type": "str", "choices": ["merged", "oob", "inband"], "default": "merged"},
    "limit": {"type": "int", "default": 20},
}


def main() -> None:
    run_on_server(plan, Client, SPEC, mutually_exclusive=[("name", item) for item in ("site", "rack", "labels", "q")])


if __name__ == "__main__":
    main()
