#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_info
short_description: Read a machine's whole hardware inventory from its BMC
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads what the BMC knows of the machine and returns it as a device document, the same for every vendor.
  - Over Redfish it follows links, never vendors' paths, logs in once, reads each resource once, and always logs out.
    Over IPMI it reads the FRU, the sensors, the event log, and the controller.
  - What a BMC does not have, refuses or breaks is recorded in RV(device.coverage). The rest is returned all the same.
options:
  address:
    description:
      - Host name or IP address of the BMC.
      - A URL V(https://host[:port]) sets O(redfish_scheme) and O(redfish_port) too.
      - Needed unless O(from_capture) is given.
    type: str
    required: false
extends_documentation_fragment:
  - baremetal.fleet.capture
  - baremetal.fleet.reading
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads only, so that check mode is the same; but O(capture) is not written.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Reads only.
    support: full
seealso:
  - module: baremetal.fleet.bmc_power
  - module: baremetal.fleet.device_publish
"""

EXAMPLES = r"""
- name: Read everything
  baremetal.fleet.bmc_info:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
  register: found

- name: Show the memory modules
  ansible.builtin.debug:
    msg: "{{ found.device.memory | map(attribute='slot') }}"

- name: Does the BMC answer, with a self-signed certificate that we know?
  baremetal.fleet.bmc_info:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    fingerprint: "{{ bmc_fingerprint }}"
    sections: [power]

- name: One blade of a chassis with one BMC for two
  baremetal.fleet.bmc_info:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    system: Node1
    sections: [processors, memory, network]

- name: Keep all that the BMC said
  baremetal.fleet.bmc_info:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    capture: "/var/tmp/{{ inventory_hostname }}.tar.gz"

- name: Read it again later, without the BMC
  baremetal.fleet.bmc_info:
    from_capture: "/var/tmp/{{ inventory_hostname }}.tar.gz"
  register: found
"""

RETURN = r"""
device:
  description:
    - The device document. Its JSON schema is in C(docs/schema/device.schema.json) of the collection. Fields that the
      BMC does not know are left out.
  type: dict
  returned: success
  contains:
    vendor:
      description: Maker of the machine.
      type: str
    model:
      description: Model of the machine.
      type: str
    serial:
      description: Serial number of the machine. Placeholders of makers are no serial numbers and are left out.
      type: str
    power_state:
      description: Power as the BMC reports it.
      type: str
      sample: "on"
    cpus:
      description: Processors. Likewise C(memory), C(drives), C(volumes), C(nics), C(gpus), C(power_supplies), C(fans),
        C(storage_controller), C(pcie_devices), C(tpms), C(cplds), C(sensors) and others.
      type: list
      elements: dict
    enclosures:
      description: The chassis of the machine, and those that it contains or stands in. Likewise C(backplanes).
      type: list
      elements: dict
      sample: [{"chassis_type": "RackMount", "id": "1", "model": "HS-2210", "serial": "EXAMPLE1"}]
    boards:
      description: Boards that are swapped as one part and are listed nowhere else.
      type: list
      elements: dict
      sample: [{"description": "GPU Baseboard", "id": "GPU_Board", "part_number": "EXAMPLE-P1", "serial": "EXAMPLE2"}]
    dpus:
      description: Network cards that are computers of their own. Their ports are in C(nics).
      type: list
      elements: dict
      sample: [{"id": "Card1", "model": "BlueField-2 SmartNIC Main Card", "serial": "EXAMPLE3"}]
    fabric_ports:
      description: Ports of InfiniBand and Fibre Channel. Likewise C(transceivers), what is plugged into ports.
      type: list
      elements: dict
      sample: [{"id": "InfiniBand.Slot.7-1", "kind": "infiniband", "link_status": "Up"}]
    firmware_inventory:
      description: What runs, and whether it can be updated. C(metadata.inventory) is V(software) for software.
      type: list
      elements: dict
      sample: [{"description": "BMC image", "firmware": {"installed": "2.14.0"}, "id": "0c826dd5", "updateable": true}]
    licences:
      description: Licences by name, with expiry, never with their keys.
      type: list
      elements: dict
      sample: [{"description": "Advanced", "id": "1"}]
    coverage:
      description: The verdict of every section, V(collected), V(absent), V(denied), V(failed), V(timeout) or
        V(skipped), and the reason.
      type: dict
    stats:
      description: What it cost, in requests, logins, bytes and seconds.
      type: dict
attempts:
  description: The drivers that were tried, in order. The one without C(error) gave the document.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
capture:
  description: What was written to O(capture).
  type: dict
  returned: success, with O(capture), not in check mode
  contains:
    path:
      description: The file.
      type: str
    requests:
      description: Number of requests and IPMI commands in it.
      type: int
    redacted:
      description: Number of values that were replaced.
      type: int
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unreachable), V(timeout), V(authentication_failed), V(certificate_invalid),
      V(session_limit), V(password_change_required), V(unsupported), V(invalid_input), V(missing_dependency).
    - C(details) are for example C(address), C(attempts), and C(fingerprint) of an untrusted certificate.
  type: dict
  returned: failure
  sample: {"code": "unreachable", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_info import (
    CAPTURE_OPTIONS,
    READING_OPTIONS,
    info_plan,
)
from ansible_collections.baremetal.fleet.plugins.module_utils._bmc_options import BMC_OPTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run

SPEC = {**READING_OPTIONS, **CAPTURE_OPTIONS, **BMC_OPTIONS, "address": {"type": "str"}}


def main() -> None:
    run(
        info_plan,
        SPEC,
        required_one_of=[("address", "from_capture")],
        mutually_exclusive=[("capture", "from_capture")],
    )


if __name__ == "__main__":
    main()
