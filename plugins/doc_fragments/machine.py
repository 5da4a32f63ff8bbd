# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils._machine import OPTIONS
from ansible_collections.baremetal.fleet.plugins.plugin_utils._documentation import documentation


class ModuleDocFragment:
    DOCUMENTATION: str = documentation(OPTIONS)
