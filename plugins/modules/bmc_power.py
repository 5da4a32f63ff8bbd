#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_power
short_description: Switch a machine on or off, or power cycle it, and verify that it happened
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Brings a machine to a power state through its BMC, a PDU or PoE port, Wake-on-LAN, commands or tasks of the
    operator, and reads the state back. A controller that accepts an action and does nothing is a failure.
  - A driver that can't do what O(state) asks is passed over. One that can't read the state does each action once, and
    the result is not verified.
  - A power cycle guarantees power-on. Once the machine may be off, switching on is tried again and again, and if that
    fails the message says that the machine may be off.
extends_documentation_fragment:
  - baremetal.fleet.power
  - baremetal.fleet.bmc
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Reads the power state and returns the actions that would be taken.
    support: full
  diff_mode:
    description: Shows the power state, and the actions.
    support: full
  idempotent:
    description: V(on) and V(off) are. V(cycle), V(reset) and V(nmi) act each time.
    support: partial
seealso:
  - module: baremetal.fleet.bmc_info
"""

EXAMPLES = r"""
- name: Switch on
  baremetal.fleet.bmc_power:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: "on"

- name: Power cycle a machine that hangs
  baremetal.fleet.bmc_power:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: cycle
    graceful_timeout: 0

- name: Shut down over IPMI, cut the power after five minutes
  baremetal.fleet.bmc_power:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    drivers: [ipmi]
    state: "off"
    graceful_timeout: 300
    force: true

- name: Power cycle by the outlets of both supplies where the BMC does not answer
  baremetal.fleet.bmc_power:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    drivers: [redfish, ipmi, pdu]
    pdu:
      - address: pdu-a.example.org
        community: "{{ pdu_community }}"
        outlet: 7
      - address: pdu-b.example.org
        community: "{{ pdu_community }}"
        outlet: 7
    state: cycle

- name: Switch off by a tool of the site
  baremetal.fleet.bmc_power:
    drivers: [command]
    command:
      machine: "{{ inventory_hostname }}"
      "on": [relay, --port, "{machine}", "on"]
      "off": [relay, --port, "{machine}", "off"]
      state: [relay, --port, "{machine}", status]
      state_on: "^on"
      state_off: "^off"
    state: "off"
"""

RETURN = r"""
power:
  description: What was done. In check mode what would be done.
  type: dict
  returned: success
  contains:
    driver:
      description: The driver that did it.
      type: str
      sample: redfish
    before:
      description: Power state before, V(on), V(off) or V(unknown).
      type: str
    after:
      description: Power state after, read back.
      type: str
    verified:
      description: Whether the state after was read back and is the one that was asked for. V(false) only where the
        driver can't read it.
      type: bool
    soft:
      description: Whether the operating system shut down by itself.
      type: bool
    steps:
      description: Each action and each wait, with the time it began (UTC), the seconds it took, and its result.
      type: list
      elements: dict
      sample:
        - action: "off"
          at: "2026-01-31T12:00:00Z"
          seconds: 0.21
          result: accepted
    reported:
      description: Whether the machine server was told.
      type: bool
      returned: with O(claim)
    heard:
      description: Whether the machine server has heard of the machine again.
      type: bool
      returned: with O(claim.event_timeout)
    final:
      description: V(false) if the tasks that follow decide.
      type: bool
      returned: with O(final=false)
attempts:
  description: The drivers that were tried, in order. The one without C(error) was used.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unreachable), V(authentication_failed), V(certificate_invalid), V(wrong_machine),
      V(unsupported), V(interrupted) when the module was told to stop and has switched the machine on again,
      V(not_verified) when the BMC accepted the action and nothing happened.
    - In C(details), C(power) is what was done until then. C(may_be_off) is true when a machine that was to be on may be
      off.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_options import BMC_OPTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_power import OPTIONS, power_plan
from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._server import SERVER_OPTIONS


def main() -> None:
    run(power_plan, {**SERVER_OPTIONS, **BMC_OPTIONS, **OPTIONS})


if __name__ == "__main__":
    main()
