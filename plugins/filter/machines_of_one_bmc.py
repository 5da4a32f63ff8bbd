# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: machines_of_one_bmc
short_description: Find machines whose BMC is, by the inventory, that of another machine too
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Looks for mistakes of an inventory before something is done to a machine. To power cycle one of two machines with
    one BMC would power cycle the other.
  - Machines have one BMC when C(bmc_address) and the ports are the same, whatever C(bmc_drivers) says. A BMC that has
    several systems behind it is that of several machines, which C(bmc_system) tells apart.
positional: machines
options:
  _input:
    description: The variables of machines by their names, as C(hostvars) has them.
    type: dict
    required: true
  machines:
    description: Names of the machines to look at. Default is all.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse an inventory that has one BMC twice
  ansible.builtin.assert:
    that: hostvars | baremetal.fleet.machines_of_one_bmc(ansible_play_hosts_all) | length == 0
"""

RETURN = r"""
_value:
  description: The machines that share a BMC, each with the names of the others.
  type: dict
  sample: {"node1": ["node2"], "node2": ["node1"]}
"""

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.controllers import (
    BMC_VARIABLES,
    machines_of_one_bmc,
)
from jinja2 import Undefined


def shared(hostvars: Mapping[str, Mapping[str, Any]], machines: Optional[Iterable[str]] = None) -> dict[str, list[str]]:
    """See the documentation above. Variables that can't be templated count as not set."""
    names = list(hostvars if machines is None else machines)
    return machines_of_one_bmc({str(name): _variables(hostvars[name]) for name in names})


def _variables(its: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name in BMC_VARIABLES:
        try:
            value = its.get(name)
        except AnsibleUndefinedVariable:
            continue
        if value is not None and not isinstance(value, Undefined):
            found[name] = value
    return found


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Give the filter by its name."""
        return {"machines_of_one_bmc": shared}
