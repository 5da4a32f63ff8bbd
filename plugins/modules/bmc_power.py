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
options:
  state:
    description:
      - V(on) and V(off) do nothing to a machine that is already on or off.
      - >-
        V(off) asks the operating system to shut down, and fails when it does not within O(graceful_timeout); with
        O(force=true) the power is then cut.
      - >-
        V(cycle) switches off (asks the operating system first, cuts the power after O(graceful_timeout)), waits
        O(off_seconds), and switches on. A machine that is off is switched on.
      - V(reset) restarts without asking the operating system and without cutting the power. V(nmi) sends a diagnostic
        interrupt.
    type: str
    choices: ["on", "off", cycle, reset, nmi]
    required: true
  graceful_timeout:
    description: Seconds that the operating system has to shut down. With V(0) it is not asked and the power is cut at
      once.
    type: float
    default: 60
  force:
    description: Whether O(state=off) cuts the power when the operating system did not shut down in time. A cycle always
      does.
    type: bool
    default: false
  off_seconds:
    description: Seconds that a power cycle leaves the machine without power.
    type: float
    default: 5
  verify_timeout:
    description:
      - Seconds that the BMC has, after an action, to report the state that was asked for.
      - A BMC that does not is told again before, and has all of them after the last time.
    type: float
    default: 60
  progress_file:
    description:
      - A file to which each step is appended as it happens, one JSON object per line, as in RV(power.steps). It is
        created when it is not there.
      - For a program that watches. What can't be written there is only in the result.
    type: path
  claim:
    description:
      - The claim of a power cycle request at the machine server, under which this is done. For a runner.
      - The server is asked, just before the power is taken away, whether the claim still holds, which renews it. If
        not, or if the server does not answer, nothing is done and the module fails. A power cycle that was verified is
        reported to the server.
      - Needs O(server_url), and a token of scope runner.
    type: dict
    suboptions:
      machine:
        description: Id of the machine.
        type: str
        required: true
      request:
        description: Id of the power cycle request.
        type: str
        required: true
      session:
        description: The session that holds the claim.
        type: str
        required: true
      fencing_token:
        description: The claim's fencing token.
        type: int
        required: true
      runner:
        description: Who reports it, for people to see.
        type: str
      event_timeout:
        description:
          - Seconds in which the machine server has to hear of the machine again, from the monitor on it, once it is on.
            A power cycle is verified only then.
          - With V(0) the power state is all that counts.
        type: float
        default: 0
  final:
    description:
      - Whether this task decides that the machine was power cycled. With V(false) the tasks that follow on the machine
        do, when none of them fails.
      - For a runner, which takes it from RV(power.final); nothing is reported to the machine server then.
    type: bool
    default: true
  server_url:
    description:
      - Address of the machine server, V(https://host[:port]). Needed with O(claim) only.
      - Without it, the environment variable E(FLEETD_URL) of the host that runs the module is used.
    type: str
    required: false
extends_documentation_fragment:
  - baremetal.fleet.power
  - baremetal.fleet.acting
  - baremetal.fleet.bmc
  - baremetal.fleet.server
attributes:
  action_group:
    description: >-
      Use C(group/baremetal.fleet.bmc) in C(module_defaults) to set the options of the BMC once,
      C(group/baremetal.fleet.acting) for the machine that is expected, C(group/baremetal.fleet.power) for the drivers
      that are no BMC, and C(group/baremetal.fleet.server) for the machine server.
    support: full
    membership:
      - baremetal.fleet.bmc
      - baremetal.fleet.acting
      - baremetal.fleet.power
      - baremetal.fleet.server
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

from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_options import BMC, EXPECTED, POWER
from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_power import CLAIM, power_plan
from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._server import SERVER_OPTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.base import STATES

SPEC = {
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "graceful_timeout": {"type": "float", "default": 60},
    "force": {"type": "bool", "default": False},
    "off_seconds": {"type": "float", "default": 5},
    "verify_timeout": {"type": "float", "default": 60},
    "progress_file": {"type": "path"},
    "claim": {"type": "dict", "options": CLAIM},
    "final": {"type": "bool", "default": True},
    **BMC,
    **EXPECTED,
    **POWER,
    **SERVER_OPTIONS,
}


def main() -> None:
    run(power_plan, SPEC)


if __name__ == "__main__":
    main()
