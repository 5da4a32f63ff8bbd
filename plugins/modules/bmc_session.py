#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_session
short_description: Show the sessions of a BMC, and end those that nobody uses any more
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads who is logged in to the BMC over Redfish, and on request ends sessions.
  - A BMC has few sessions. When programs leave theirs open it lets nobody in until they expire, and modules fail with
    the code V(session_limit). This module then does without a session, by Basic authentication, where the BMC takes
    that.
  - Needs Redfish.
extends_documentation_fragment:
  - baremetal.fleet.acting.session
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads the sessions and ends none.
    support: full
  diff_mode:
    description: Shows the ids of the sessions before and after, without the module's own.
    support: full
  idempotent:
    description: Does nothing when there is none that is meant.
    support: full
"""

EXAMPLES = r"""
- name: Show who is logged in
  baremetal.fleet.bmc_session:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
  register: logged_in

- name: End the sessions that were left behind by programs with this login
  baremetal.fleet.bmc_session:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: cleared

- name: End all sessions of a BMC that lets nobody in
  baremetal.fleet.bmc_session:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: cleared
    whose: all
"""

RETURN = r"""
sessions:
  description: The sessions as they were found. What the BMC does not tell is null.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: Id of the session.
      type: str
      sample: "27"
    username:
      description: Whose it is.
      type: str
      sample: monitoring
    type:
      description: How it was begun, for example V(Redfish), V(WebUI) or V(KVMIP).
      type: str
      sample: Redfish
    created_at:
      description: When it was begun.
      type: str
      sample: "2026-01-31T12:00:00Z"
    address:
      description: Address from which it was begun.
      type: str
      sample: 192.0.2.17
    used_here:
      description: Whether it is the one in which the module worked.
      type: bool
      sample: false
ended:
  description: Ids of the sessions that were ended. In check mode of those that would be.
  type: list
  elements: str
  returned: success
  sample: ["27"]
attempts:
  description: The drivers that were tried, in order. The one without C(error) was used.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unsupported), V(unreachable), V(authentication_failed), V(session_limit) when the BMC has
      no session left and takes no Basic authentication, or V(not_verified) when sessions are still there.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.session import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
