# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: credential
short_description: Read a login from the machine server
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads user name and password that are stored in the machine server (C(fleetd)), for example with
    M(baremetal.fleet.credential).
  - The collection's playbooks use it for hosts that have C(bmc_credential), which the inventory plugin sets, and no
    C(bmc_username).
  - The server writes down every read. Several reads of one task are one.
options:
  _terms:
    description: Names of logins.
    required: true
extends_documentation_fragment:
  - baremetal.fleet.server.lookup
notes:
  - The token has to be of scope C(runner) or C(admin). Operators may store logins and may not read them.
seealso:
  - module: baremetal.fleet.credential
"""

EXAMPLES = r"""
- name: Log in to BMCs with what the machine server has stored for them
  hosts: rack_a1
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    login: "{{ lookup('baremetal.fleet.credential', bmc_credential) }}"
  tasks:
    - name: Switch on
      baremetal.fleet.bmc_power:
        address: "{{ bmc_address }}"
        username: "{{ login.username }}"
        password: "{{ login.password }}"
        state: "on"
"""

RETURN = r"""
_raw:
  description: The logins, in the order of the names.
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    username:
      description: The user name.
      type: str
    password:
      description: The password.
      type: str
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.baremetal.fleet.plugins.module_utils._server import SERVER, server_client
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import FleetError
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.credentials import Credentials

KEPT_SECONDS = 30.0

Login = Mapping[str, Any]

# A task's user name and password are two templates: one request serves both. By server, token and name.
_kept: dict[tuple[Any, ...], tuple[float, Login]] = {}


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: Optional[Mapping[str, Any]] = None, **kwargs: Any) -> list[Login]:
        self.set_options(var_options=variables, direct=kwargs)
        options = {name: self._option(name) for name in SERVER}
        found = []
        for term in terms:
            name = str(term).strip()
            if not name:
                raise AnsibleError("credential: the name of the login is empty")
            key = (options["server_url"], options["server_token"], name)
            read_at, login = _kept.get(key, (-KEPT_SECONDS, {}))
            if time.monotonic() - read_at >= KEPT_SECONDS:
                login = _read(options, name)
                _kept[key] = time.monotonic(), login
            found.append(login)
        return found

    def _option(self, name: str) -> Any:
        """Evaluate an option: those that come from variables may be templates."""
        value = self.get_option(name)
        return self._templar.template(value) if isinstance(value, str) else value


def _read(options: Mapping[str, Any], name: str) -> Login:
    try:
        with contextlib.closing(server_client(options, Credentials)) as client:
            return client.read_credential(name)
    except FleetError as error:
        raise AnsibleError(f"credential {name}: {error.message}") from None
