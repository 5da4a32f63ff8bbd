# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # For modules; the argument specification is SERVER in module_utils/_server.py.
    DOCUMENTATION = r"""
options:
  server_url:
    description:
      - Address of the machine server, V(https://host[:port]).
      - Without it, the environment variable E(FLEETD_URL) of the host that runs the module is used.
    type: str
    required: true
  server_token:
    description:
      - Token for the machine server. C(fleetd token create) on the server makes one.
      - Without it, the environment variable E(FLEETD_TOKEN) of the host that runs the module is used.
    type: str
  server_ca_path:
    description: File or directory with the CA certificates, in PEM format, that the server's certificate is checked
      against. Default is the system's.
    type: path
  server_fingerprint:
    description: SHA-256 fingerprint of the server's certificate in hexadecimal, colons allowed. It is then trusted
      without a CA.
    type: str
  server_validate_certs:
    description: Whether the server's certificate is checked. V(false) accepts any certificate, also an attacker's.
    type: bool
    default: true
  server_timeout:
    description: Seconds to wait for each answer.
    type: float
    default: 30
notes:
  - Set the C(server_*) options once for all tasks of a play with C(module_defaults) and the group
    C(baremetal.fleet.server).
  - >-
    The module talks to the machine server and not to the machine. In a play over the machines themselves use
    C(connection: local) and C(gather_facts: false), and set C(ansible_python_interpreter) to C({{
    ansible_playbook_python }}).
"""

    # For inventory plugins.
    PLUGIN = r"""
options:
  server_url:
    description: Address of the machine server, V(https://host[:port]).
    type: str
    required: true
    env:
      - name: FLEETD_URL
  server_token:
    description:
      - Token for the machine server, scope C(viewer) or better. C(fleetd token create) on the server makes one.
      - Don't write it into the file. Use the environment variable, a lookup or an C(!vault) value.
    type: str
    env:
      - name: FLEETD_TOKEN
  server_ca_path:
    description: File or directory with the CA certificates, in PEM format, that the server's certificate is checked
      against. Default is the system's.
    type: path
    env:
      - name: FLEETD_CA_PATH
  server_fingerprint:
    description: SHA-256 fingerprint of the server's certificate in hexadecimal, colons allowed. It is then trusted
      without a CA.
    type: str
  server_validate_certs:
    description: Whether the server's certificate is checked. V(false) accepts any certificate, also an attacker's.
    type: bool
    default: true
  server_timeout:
    description: Seconds to wait for the answer.
    type: float
    default: 30
"""

    # For lookup plugins: as for inventory plugins, and from the variables that the playbooks use.
    LOOKUP = r"""
options:
  server_url:
    description: Address of the machine server, V(https://host[:port]).
    type: str
    required: true
    env:
      - name: FLEETD_URL
    vars:
      - name: fleet_server_url
  server_token:
    description: Token for the machine server. C(fleetd token create) on the server makes one.
    type: str
    env:
      - name: FLEETD_TOKEN
    vars:
      - name: fleet_server_token
  server_ca_path:
    description: File or directory with the CA certificates, in PEM format, that the server's certificate is checked
      against. Default is the system's.
    type: path
    env:
      - name: FLEETD_CA_PATH
    vars:
      - name: fleet_server_ca_path
  server_fingerprint:
    description: SHA-256 fingerprint of the server's certificate in hexadecimal, colons allowed. It is then trusted
      without a CA.
    type: str
    vars:
      - name: fleet_server_fingerprint
  server_validate_certs:
    description: Whether the server's certificate is checked. V(false) accepts any certificate, also an attacker's.
    type: bool
    default: true
    vars:
      - name: fleet_server_validate_certs
  server_timeout:
    description: Seconds to wait for the answer.
    type: float
    default: 30
    vars:
      - name: fleet_server_timeout
"""
