# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils._server import SERVER
from ansible_collections.baremetal.fleet.plugins.plugin_utils._documentation import documentation, paragraphs

NOTES = """
Set the C(server_*) options once for all tasks of a play with C(module_defaults) and the group
C(baremetal.fleet.server).

The module talks to the machine server and not to the machine. In a play over the machines themselves use
C(connection: local) and C(gather_facts: false), and set C(ansible_python_interpreter) to C({{ ansible_playbook_python
}}).
"""
OF_PLUGINS = """
Token for the machine server, scope C(viewer) or better. C(fleetd token create) on the server makes one.

Don't write it into the file. Use the environment variable, a lookup or an C(!vault) value.
"""
PLUGIN_OPTIONS = {**SERVER, "server_ca_path": {**SERVER["server_ca_path"], "env": "FLEETD_CA_PATH"}}


class ModuleDocFragment:
    DOCUMENTATION: str = documentation(SERVER, notes=paragraphs(NOTES))

    # For inventory plugins.
    PLUGIN: str = documentation(
        {**PLUGIN_OPTIONS, "server_token": {**SERVER["server_token"], "description": OF_PLUGINS}}, plugin=True
    )

    # For lookup plugins: as for inventory plugins, and from the variables that the playbooks use.
    LOOKUP: str = documentation(
        {name: {**option, "variable": f"fleet_{name}"} for name, option in PLUGIN_OPTIONS.items()}, plugin=True
    )
