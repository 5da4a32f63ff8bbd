# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations

import textwrap

from ansible_collections.baremetal.fleet.plugins.doc_fragments.reach import OPTIONS as REACH


class ModuleDocFragment:
    DOCUMENTATION: str = (
        r"""
options:
"""
        + textwrap.indent(REACH, "")
        + r"""  address:
    description:
      - Host name or IP address of the BMC.
      - A URL V(https://host[:port]) sets O(redfish_scheme) and O(redfish_port) too.
    type: str
    required: true
attributes:
  action_group:
    description: 'Set options once in C(module_defaults): use C(group/baremetal.fleet.bmc) for the options of the BMC.'
    support: full
    membership:
      - baremetal.fleet.bmc
  platform:
    description: Runs anywhere with a network path to the BMC, usually the controller.
    support: full
    platforms: posix
requirements:
  - sushy (for power over Redfish)
  - pyghmi (for IPMI)
notes:
  - 'The module talks to the BMC and not to the machine''s operating system. In a play over the machines themselves use
    C(connection: local) and C(gather_facts: false), and set C(ansible_python_interpreter) to C({{ ansible_playbook_python
    }}).'
"""
    )
