#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_sweep
short_description: Read the hardware inventory of a whole fleet from its BMCs, in one task
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Does for many BMCs at once, in one process, what M(baremetal.fleet.bmc_info) does for one. It needs a small
    fraction of the CPU time that one task per host needs, and no more memory for ten thousand machines than for a
    hundred.
  - Publishes each document to the machine server as soon as it is there. While the server is down, documents are kept
    in files and sent later, by this sweep or the next one.
  - A BMC that fails, hangs or is slow costs nothing to the others. What failed is in RV(failures).
  - Stopped by C(SIGINT) or C(SIGTERM) it begins no more, logs out of all BMCs, and delivers what it has. With
    O(state_file) the next run goes on from there.
options:
  server_url:
    description:
      - Address of the machine server, V(https://host[:port]). Without one nothing is published.
      - Without it, the environment variable E(FLEETD_URL) of the host that runs the module is used.
    type: str
    required: false
extends_documentation_fragment:
  - baremetal.fleet.sweep
  - baremetal.fleet.reading
  - baremetal.fleet.server
attributes:
  action_group:
    description: >-
      Belongs to both groups. In C(module_defaults) of C(group/baremetal.fleet.bmc) don't set C(address) for this
      module, it has one per machine.
    support: full
    membership:
      - baremetal.fleet.bmc
      - baremetal.fleet.server
  check_mode:
    description: Returns RV(plan), the machines and drivers. No BMC is asked.
    support: full
  diff_mode:
    description: What changed is the machine server's to say.
    support: none
  idempotent:
    description: Reads only. Publishing the same document again changes nothing.
    support: full
  platform:
    description: Runs anywhere with a network path to the BMCs, usually the controller. Needs Python 3.9 and nothing
      else, but for IPMI.
    support: full
    platforms: posix
requirements:
  - pyghmi (for IPMI)
notes:
  - "Run it once and not per host: C(hosts: localhost), or C(run_once)."
  - An IPMI read that is under way when the sweep is stopped is finished first.
seealso:
  - module: baremetal.fleet.bmc_info
  - module: baremetal.fleet.device_publish
"""

EXAMPLES = r"""
- name: Read every machine that the machine server knows, and publish what is found
  baremetal.fleet.bmc_sweep:
    server_url: https://fleet.example.net
    select:
      all: true
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state_file: /var/lib/fleet/sweep.state
  register: sweep

- name: The same with the logins that the machine server keeps
  baremetal.fleet.bmc_sweep:
    server_url: https://fleet.example.net
    server_token: "{{ runner_token }}"
    select:
      all: true

- name: Who failed?
  ansible.builtin.debug:
    msg: "{{ sweep.failures | map(attribute='machine') }}"

- name: Two racks, without a server, as files
  baremetal.fleet.bmc_sweep:
    bmcs:
      - machine: r1-n1
        address: 192.0.2.11
      - machine: r1-n2
        address: 192.0.2.12
        drivers: [ipmi]
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    ca_path: /etc/ssl/bmc-ca.pem
    directory: /tmp/inventory

- name: Do all BMCs of a rack answer, and do the logins work?
  baremetal.fleet.bmc_sweep:
    server_url: https://fleet.example.net
    select:
      rack: r17
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    sections: [power]
    deadline: 60
    failure_budget: 0
"""

RETURN = r"""
summary:
  description: Counts of machines, and what it cost.
  type: dict
  returned: always
  contains:
    total:
      description: Machines selected.
      type: int
    skipped:
      description: Done already, according to O(state_file).
      type: int
    collected:
      description: Documents read.
      type: int
    incomplete:
      description: Documents of which a section is V(denied), V(failed) or V(timeout).
      type: int
    failed:
      description: Machines whose BMC gave no document.
      type: int
    published:
      description: Documents that the machine server took, those of an earlier sweep's spool included.
      type: int
    changed:
      description: Documents that changed something on the machine server.
      type: int
    refused:
      description: Documents that the machine server did not take, for example because it does not know the machine.
      type: int
    spooled:
      description: Documents that wait in O(spool) for the machine server.
      type: int
    interrupted:
      description: Whether it was stopped before its end.
      type: bool
    requests:
      description: Requests to BMCs. Likewise C(logins) and C(bytes). Of the machines that gave a document.
      type: int
    seconds:
      description: How long it took.
      type: float
    by_driver:
      description: Documents by driver.
      type: dict
    by_error:
      description: Failures by code.
      type: dict
failures:
  description: The machines that failed, the first 1000 of them. All of them are in O(progress_file).
  type: list
  elements: dict
  returned: always
  contains:
    machine:
      description: Name of the machine.
      type: str
    stage:
      description: V(collect) when the BMC failed, V(publish) when the machine server refused the document.
      type: str
    code:
      description: As RV(failure.code) of M(baremetal.fleet.bmc_info).
      type: str
    message:
      description: What is wrong, for a person.
      type: str
plan:
  description: >-
    In check mode, every machine with C(address), C(drivers) and C(credential), or C(capture), whether it is
    C(skipped), and C(error) if it can't be read.
  type: list
  elements: dict
  returned: check mode
documents:
  description: The device documents by machine.
  type: dict
  returned: success and O(return_documents=true)
failure:
  description: Why the task failed, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(interrupted), V(invalid_input), V(not_found), or the most frequent code of
        RV(failures).
      type: str
    details:
      description: More facts.
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server
from ansible_collections.baremetal.fleet.plugins.module_utils._sweep import SPEC, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._sweep_run import Client


def main() -> None:
    sources = ("bmcs", "select", "from_captures")
    run_on_server(plan, Client, SPEC, required=False, mutually_exclusive=[sources], required_one_of=[sources])


if __name__ == "__main__":
    main()
