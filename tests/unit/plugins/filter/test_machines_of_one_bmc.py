# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter as a playbook uses it: over variables of hosts, of which some can't be templated."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.baremetal.fleet.plugins.filter.machines_of_one_bmc import FilterModule
from jinja2 import Undefined


class Untemplated(dict):
    """Variables of a host as Ansible 2.19 has them: a template that needs what is not there is an error."""

    def get(self, name, default=None):
        if name in self and "{{" in str(self[name]):
            raise AnsibleUndefinedVariable(name)
        return super().get(name, default)


HOSTVARS = {
    "a": {"bmc_address": "h", "bmc_system": Undefined()},
    "b": Untemplated(bmc_address="h", bmc_system="{{ nobody }}"),
    "c": Untemplated(bmc_address="{{ nobody }}"),
    "d": {"bmc_address": "h"},
    "e": {},
}


@pytest.mark.parametrize(
    ("machines", "found"),
    [
        (None, {"a": ["b", "d"], "b": ["a", "d"], "d": ["a", "b"]}),
        (["a", "d", "e"], {"a": ["d"], "d": ["a"]}),
        (["a", "c"], {}),
        ([], {}),
    ],
)
def test_machines(machines, found):
    shared = FilterModule().filters()["machines_of_one_bmc"]
    assert shared(HOSTVARS, machines) == found
