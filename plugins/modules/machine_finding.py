#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_finding
short_description: Accept findings about a machine, or open them again
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - A finding is a contradiction about a machine that the machine server (C(fleetd)) has found, for example between its
    BMC and its operating system. One that may stay is accepted with a reason. It is still listed then, and counts no
    more in the machine's summary and in lists.
  - A finding stays accepted as long as it says the same. Other values are another finding.
  - The findings are chosen by O(id), O(kind), O(component) and O(field). Those for which all that is given holds are
    meant.
options:
  machine:
    description: Name of the machine.
    type: str
    required: true
  id:
    description: Id of the finding.
    type: str
  kind:
    description: Kind of the findings, for example V(missing). C(docs/merge.md) lists them.
    type: str
  component:
    description: What the findings are about, for example V(memory:serial=ABC123).
    type: str
  field:
    description: Field of the component that the findings are about, for example V(size_bytes).
    type: str
  state:
    description:
      - V(accepted) accepts the findings. It fails if there is none.
      - V(open) takes back that they were accepted. That there is none is fine.
    type: str
    choices: [accepted, open]
    default: accepted
  reason:
    description: Why the findings may stay. Needed with O(state=accepted).
    type: str
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the reasons by the ids of the findings.
    support: full
  idempotent:
    description: Run twice, the second time changes nothing.
    support: full
seealso:
  - module: baremetal.fleet.machine_info
"""

EXAMPLES = r"""
- name: The OS does not see a module because the memory is mirrored
  baremetal.fleet.machine_finding:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    machine: node-1
    kind: disagreement
    component: memory
    reason: mirrored memory

- name: Count it again
  baremetal.fleet.machine_finding:
    machine: node-1
    id: 93aefbca32fa40c5
    state: open
"""

RETURN = r"""
findings:
  description: The findings that were chosen, as they are now; in check mode as they were.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: Id of the finding.
      type: str
    kind:
      description: Its kind.
      type: str
    severity:
      description: V(critical), V(warning) or V(info).
      type: str
    component:
      description: What it is about.
      type: str
    field:
      description: Field of the component, if it is about one.
      type: str
    values:
      description: Who says what.
      type: dict
    message:
      description: The finding in words.
      type: str
    since:
      description: When it was first seen, in UTC.
      type: str
    accepted:
      description: Who accepted it (C(by)), when (C(at)) and why (C(reason)).
      type: dict
  sample:
    - id: 93aefbca32fa40c5
      kind: disagreement
      severity: warning
      component: memory
      field: size_bytes
      values: {oob: 137438953472, inband: 68719476736}
      message: "memory: 128 GiB in all for the BMC and 64 GiB for the OS"
      since: "2026-11-20T22:14:03Z"
      accepted: {by: alice, at: "2026-11-21T08:00:00Z", reason: mirrored memory}
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(invalid_input), V(not_found), V(permission_denied).
      type: str
    details:
      description: For example the C(field) that is wrong, or the server's C(url).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._machine_finding import plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.devices import Devices

SPEC = {
    "machine": {"type": "str", "required": True},
    "id": {"type": "str"},
    "kind": {"type": "str"},
    "component": {"type": "str"},
    "field": {"type": "str"},
    "state": {"type": "str", "choices": ["accepted", "open"], "default": "accepted"},
    "reason": {"type": "str"},
}


def main() -> None:
    run_on_server(plan, Devices, SPEC)


if __name__ == "__main__":
    main()
