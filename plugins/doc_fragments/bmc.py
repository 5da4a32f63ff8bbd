# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_options import BMC_OPTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.registry import DRIVERS
from ansible_collections.baremetal.fleet.plugins.plugin_utils._documentation import documentation, paragraphs

NOTE = """
The module talks to the BMC and not to the machine's operating system. In a play over the machines themselves use
C(connection: local) and C(gather_facts: false), and set C(ansible_python_interpreter) to C({{ ansible_playbook_python
}}).
"""


class ModuleDocFragment:
    DOCUMENTATION: str = documentation(
        BMC_OPTIONS,
        "bmc",
        attributes={
            "platform": {
                "description": "Runs anywhere with a network path to the BMC, usually the controller.",
                "support": "full",
                "platforms": "posix",
            }
        },
        requirements=[driver.requires for driver in DRIVERS.values() if driver.needs_bmc and driver.requires],
        notes=paragraphs(NOTE),
    )
