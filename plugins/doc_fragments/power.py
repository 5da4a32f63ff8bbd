# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations

import textwrap

from ansible_collections.baremetal.fleet.plugins.doc_fragments.outlet import OPTIONS as OUTLET
from ansible_collections.baremetal.fleet.plugins.doc_fragments.wake import OPTIONS as WAKE


class ModuleDocFragment:
    DOCUMENTATION: str = (
        r"""
options:
  address:
    description:
      - Host name or IP address of the BMC.
      - A URL V(https://host[:port]) sets O(redfish_scheme) and O(redfish_port) too.
      - Needed only by the drivers that talk to a BMC (V(redfish), V(ipmi)).
    type: str
    required: false
  pdu:
    description:
      - For the driver V(pdu), the outlets that feed the machine, one entry for each power supply, maybe of several PDUs.
      - The machine is on when all of them are on, and off when all are off. If one can't be switched off, those before
        it are switched on again.
    type: list
    elements: dict
    suboptions:
"""
        + textwrap.indent(OUTLET, "    ")
        + r"""      outlet:
        description:
          - Number of the outlet, as printed on the PDU, or its name.
          - A name has to be that of exactly one outlet. V(poe) has no names, and V(generic) has them with C(name_oid).
        type: str
        required: true
  outlet_delay:
    description: Seconds between one outlet of O(pdu) and the next.
    type: float
    default: 0
  wake_on_lan:
    description: For the driver V(wake_on_lan), which can only switch on.
    type: dict
    suboptions:
"""
        + textwrap.indent(WAKE, "    ")
        + r"""  command:
    description:
      - For the driver V(command), the commands that switch the machine, as lists. They run where the module runs, without
        a shell.
      - Only what has a command can be done. Without O(command.off) there is no O(state=off), for example.
      - C({machine}) in an argument stands for O(command.machine). Other braces are refused.
      - Exit code V(0) means done. After another one the command is tried again. What should not be seen in the list of
        processes, such as a password, belongs in a file or in the environment.
    type: dict
    suboptions:
      machine:
        description: Name of the machine for C({machine}).
        type: str
      'on':
        description: Switches on.
        type: list
        elements: str
      'off':
        description: Switches off without asking the operating system.
        type: list
        elements: str
      shutdown:
        description: Asks the operating system to shut down.
        type: list
        elements: str
      reset:
        description: Restarts without cutting the power.
        type: list
        elements: str
      nmi:
        description: Sends a diagnostic interrupt.
        type: list
        elements: str
      cycle:
        description: Switches off and on again, for a tool that can't do the one without the other. Used when O(command.on)
          or O(command.off) is missing.
        type: list
        elements: str
      state:
        description:
          - Tells the power state. Exit code V(0) is on and V(1) is off, unless O(command.state_on) and O(command.state_off)
            are there.
          - Without it nothing can be verified.
        type: list
        elements: str
      state_on:
        description: Regular expression that is found in the output of O(command.state) when the machine is on.
        type: str
      state_off:
        description: Regular expression that is found in the output of O(command.state) when the machine is off. An output
          with neither is an unknown state, with both an error.
        type: str
      timeout:
        description: Seconds for each command. Then it is killed, with all that it started.
        type: float
        default: 60
  tasks:
    description:
      - For the driver V(tasks), a task list that switches the machine, through its switch for example.
      - It is run by C(ansible-playbook) over the one machine, with its variables of the inventory, and C(power_action)
        is what is to be done. C(connection) is V(local), and C(delegate_to) may name another host of the inventory.
      - Extra variables of the play that uses the module are not there, see O(tasks.variables). Vault passwords have to
        come from C(ANSIBLE_VAULT_PASSWORD_FILE) or C(ansible.cfg).
    type: dict
    suboptions:
      file:
        description: The task list, a file of the host that runs the module.
        type: path
        required: true
      machine:
        description: Name of the machine in the inventory.
        type: str
        required: true
      inventory:
        description: Inventories, usually C({{ ansible_inventory_sources }}).
        type: list
        elements: str
        required: true
      actions:
        description: What the tasks can do.
        type: list
        elements: str
        choices: ['on', 'off', shutdown, reset, cycle]
        default: ['on', 'off']
      reads_state:
        description:
          - Whether the tasks answer C(power_action) V(state), by setting the fact C(power_state) to V(on) or V(off).
            They must change nothing then.
          - Without it nothing can be verified.
        type: bool
        default: true
      variables:
        description: Variables for the tasks. No secrets.
        type: dict
      timeout:
        description: Seconds for each run of the tasks.
        type: float
        default: 120
  controller:
    description:
      - Name of what the machine shares with others and what must not switch two at a time, such as an enclosure manager,
        a relay board or a circuit.
      - Power actions of this host with the same name wait for each other, in all forks, playbooks and runners. Without
        a name the BMC (V(redfish), V(ipmi)) or the PDUs (V(pdu)) that are used are what is shared, by their addresses.
      - The locks are files in C(FLEET_LOCK_DIR), by default in C(/run/lock), or where that can't be written in the folder
        of temporary files.
    type: str
  controller_timeout:
    description: Seconds that a power action waits for those before it on the same controller. Then it fails with the
      code V(busy), and nothing was done.
    type: float
    default: 900
attributes:
  action_group:
    description: 'Set options once in C(module_defaults): use C(group/baremetal.fleet.bmc) for the options of the BMC,
      C(group/baremetal.fleet.acting) for the machine that is expected and C(group/baremetal.fleet.power) for the drivers
      that are no BMC.'
    support: full
    membership:
      - baremetal.fleet.bmc
      - baremetal.fleet.acting
      - baremetal.fleet.power
requirements:
  - pysnmp >= 7 (for the driver C(pdu))
  - ansible-core (for the driver C(tasks))
"""
    )
