# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.sections import SECTIONS
from ansible_collections.baremetal.fleet.plugins.plugin_utils._documentation import documentation

TEXT = """
Sections to read. Default is all.

V(system) and V(power) are always read. V([power]) alone is a cheap check that the BMC answers and the login works.
"""


class ModuleDocFragment:
    DOCUMENTATION: str = documentation(
        {"sections": {"type": "list", "elements": "str", "choices": list(SECTIONS), "description": TEXT}}
    )
