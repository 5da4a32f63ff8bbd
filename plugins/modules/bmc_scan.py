#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_scan
short_description: Find BMCs in networks
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Looks for Redfish and IPMI services at the addresses that it is told, and tells what they say about themselves
    without a login.
  - >-
    Redfish is asked for its service root, C(/redfish/v1/). IPMI over LAN is asked by an RMCP presence ping and by Get
    Channel Authentication Capabilities. With O(ssdp), Redfish services are also searched for by SSDP, the way of
    DSP0266.
  - No user name and no password is sent to anybody. Certificates are not checked, their fingerprint is returned.
  - Only use it in networks that are yours to scan. Some BMCs log each connection.
extends_documentation_fragment:
  - baremetal.fleet.scan
attributes:
  check_mode:
    description: Sends nothing. RV(most_probes) says how much it would be.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Reads only.
    support: full
  platform:
    description: Runs anywhere with a network path to the BMCs, usually the controller.
    support: full
    platforms: posix
notes:
  - >-
    It is one task for all addresses. Use it in a play over C(localhost).
  - It is not in the action group C(group/baremetal.fleet.bmc), whose options are about one BMC and its login.
seealso:
  - module: baremetal.fleet.bmc_info
  - module: baremetal.fleet.machine
"""

EXAMPLES = r"""
- name: Find the BMCs of two racks
  baremetal.fleet.bmc_scan:
    networks:
      - 192.0.2.0/26
      - 192.0.2.100-120
  register: found

- name: Show where they are
  ansible.builtin.debug:
    msg: "{{ found.services | map(attribute='address') | unique }}"

- name: Which IPMI services let anybody in?
  ansible.builtin.debug:
    msg: >-
      {{ found.services | selectattr('kind', '==', 'ipmi') | selectattr('facts.anonymous_login', 'true')
         | map(attribute='address') }}

- name: Gently, on all ports where Redfish might be, and by SSDP
  baremetal.fleet.bmc_scan:
    networks: [192.0.2.0/24, "2001:db8::10-2001:db8::40"]
    protocols: [redfish]
    redfish_ports: [443, 8443, 8000]
    redfish_schemes: [https, http]
    rate: 10
    ssdp: true
"""

RETURN = r"""
services:
  description: What was found, in the order of the addresses.
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: IP address.
      type: str
    port:
      description: TCP port of Redfish, UDP port of IPMI.
      type: int
    kind:
      description: V(redfish) or V(ipmi).
      type: str
    scheme:
      description: V(https) or V(http).
      type: str
      returned: for Redfish
    url:
      description: The address as modules for BMCs take it.
      type: str
      returned: for Redfish
    found_by:
      description: V(scan), V(ssdp), or both.
      type: list
      elements: str
    facts:
      description:
        - What the service says about itself.
        - >-
          For Redfish, as far as it is known, C(product), C(vendor), C(name), C(uuid), C(redfish_version), C(server)
          (the HTTP server), C(fingerprint) (SHA-256 of the certificate), and C(protected) if already the service root
          asks for a login.
        - >-
          For IPMI C(versions), C(authentication) (types of IPMI 1.5), C(anonymous_login) (without name and password),
          C(null_usernames) (without name), C(named_users), C(user_authentication), C(per_message_authentication),
          C(kg_set), C(channel), and the IANA numbers C(oem_enterprise) and C(asf_enterprise).
      type: dict
  sample:
    - address: 192.0.2.11
      port: 443
      kind: redfish
      scheme: https
      url: https://192.0.2.11:443
      found_by: [scan]
      facts: {vendor: Contoso, product: BMC, uuid: 92384634-2938-2342-8820-489239905423, redfish_version: 1.15.0}
    - address: 192.0.2.11
      port: 623
      kind: ipmi
      found_by: [scan]
      facts: {versions: ["1.5", "2.0"], anonymous_login: false}
bmcs:
  description:
    - The same by BMC. C(bmc) is what the option O(baremetal.fleet.machine#module:bmc) takes, C(name) is made of the
      address, C(vendor), C(product) and C(uuid) are as Redfish knows them.
    - The fingerprint in it is the one seen now, by nobody confirmed.
  type: list
  elements: dict
  returned: success
  sample:
    - name: bmc-192-0-2-11
      bmc: {address: 192.0.2.11, drivers: [redfish, ipmi], redfish_scheme: https, redfish_port: 443, ipmi_port: 623}
      vendor: Contoso
addresses:
  description: Number of addresses in O(networks).
  type: int
  returned: success
most_probes:
  description: Most connections and datagrams that the scan takes, without what SSDP adds.
  type: int
  returned: success
probes:
  description: Connections and datagrams that were sent.
  type: int
  returned: success
silent:
  description: Number of addresses and ports where there was no service, by reason.
  type: dict
  returned: success, not in check mode
  sample: {"timeout": 240, "connection refused": 7, "no redfish": 2}
elsewhere:
  description: Addresses outside of O(networks) that answered the search by SSDP.
  type: list
  elements: str
  returned: success, not in check mode
seconds:
  description: How long it took.
  type: float
  returned: success
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: V(invalid_input).
      type: str
    details:
      description: The option in C(field); C(addresses) and C(limit) if there are too many.
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._scan import OPTIONS, plan


def main() -> None:
    run(plan, OPTIONS)


if __name__ == "__main__":
    main()
