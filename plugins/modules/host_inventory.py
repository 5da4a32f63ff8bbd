#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_inventory
short_description: Read a machine's whole hardware inventory from its own operating system
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads what Linux and the tools that are installed know of the hardware, and returns it as a device document, in
    the same shape as M(baremetal.fleet.bmc_info).
  - Runs on the target with nothing but Python 3.9 or later. SMBIOS tables are decoded by the module itself;
    C(smartctl), C(nvme), C(lshw), C(ethtool), C(ipmitool), RAID and vendors' tools are used where they are installed.
    Without C(ipmitool) the module asks the BMC through the kernel's C(/dev/ipmi0).
  - Run it as root (C(become)) for the full picture. What a user may not read, what is not there, and what fails or
    hangs is recorded in RV(device.coverage), by source. The rest is returned all the same.
options:
  full:
    description:
      - With the attributes of SMART, all settings of the BIOS, all PCI devices, capabilities of BIOS, CPUs and
        network cards, and size and SHA-256 of every EFI variable. Without, the result is some 10 KB, so that a play
        over many hosts stays fast.
      - The default with O(from_capture) is what the capture was made with, else V(false).
    type: bool
  timeout:
    description:
      - Seconds for one run of a tool. A tool that takes longer is killed, with its children; the others go on. The
        conversation with the BMC counts as one.
    type: float
    default: 30
  deadline:
    description: Seconds for everything. A source that is not finished by then gets the verdict V(timeout).
    type: float
    default: 180
  updates:
    description:
      - Ask vendors' update tools (C(dsu)) for firmware that is available. They fetch catalogues from the network,
        which takes minutes, and store them on the target.
    type: bool
    default: false
  install_tools:
    description:
      - Install tools that are missing with the package manager of the distribution before looking. The module itself
        starts no services; packages may, as C(smartmontools) of Debian does. Needs root.
      - Packages are C(dmidecode), C(lshw), C(pciutils), C(smartmontools), C(nvme-cli), C(ethtool), C(hdparm) and
        C(ipmitool). Nothing else is installed or upgraded but what they need. One that cannot be installed is in
        RV(not_installed), with a warning; the others are, and the machine is read all the same.
      - Package managers are C(apt-get), C(dnf), C(yum), C(zypper), C(apk) and C(pacman). They get 15 minutes
        together, beside O(deadline), and wait two minutes for another run of theirs (C(dnf) and C(yum) for as long as
        there is time, C(pacman) not at all).
    type: bool
    default: false
  capture:
    description:
      - Write the output of all tools and the files that were read to O(capture_path), a tar archive that
        O(from_capture) replays on any machine to the same result, byte for byte. Passwords in configuration profiles
        are taken out.
    type: bool
    default: false
  capture_path:
    description: File on the target for the capture. It is replaced, and only its owner can read it.
    type: path
    default: /var/tmp/baremetal.fleet.capture.tar
  from_capture:
    description:
      - Replay a capture instead of looking. A path on the target; use C(delegate_to) for one on the controller.
      - It may also be a folder, or an archive of one, with outputs of tools under names such as C(lshw.json),
        C(dmidecode), C(smartctl/sda.json), C(lsblk.json) or C(bios.json). Files that nobody knows are named in the
        coverage under C(capture).
    type: path
attributes:
  check_mode:
    description: The document is the same. Tools are not installed and no capture is written.
    support: full
  diff_mode:
    description: Shows the packages that are missing, and the capture that is written.
    support: full
  idempotent:
    description: Reads only, unless O(capture) or O(install_tools) is set. Every capture is a new one.
    support: partial
notes:
  - Only Linux is supported.
seealso:
  - module: baremetal.fleet.bmc_info
  - module: baremetal.fleet.device_publish
"""

EXAMPLES = r"""
- name: Read everything
  baremetal.fleet.host_inventory:
  become: true
  register: found

- name: Show drives that are failing
  ansible.builtin.debug:
    msg: >-
      {{ found.device.drives | default([]) | selectattr('smart_status', 'defined')
         | selectattr('smart_status', 'eq', 'failed') }}

- name: Read everything, install what is missing for it, keep the raw outputs
  baremetal.fleet.host_inventory:
    full: true
    install_tools: true
    capture: true
    capture_path: /root/hardware.tar
  become: true

- name: Look at a capture of another machine
  baremetal.fleet.host_inventory:
    from_capture: /srv/captures/r6515.tar
  delegate_to: localhost
"""

RETURN = r"""
device:
  description:
    - The device document. Its JSON schema is in C(docs/schema/device.schema.json) of the collection. Fields that
      nobody knows are left out.
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
    drives:
      description: Drives of the machine. Likewise C(cpus), C(memory), C(nics), C(gpus), C(storage_controller),
        C(power_supplies), C(volumes), C(tpms), C(boards) and others. C(smart_errors) says what speaks against a drive,
        C(counters) and C(temperature_celsius) are readings.
      type: list
      elements: dict
      sample:
        - {id: c0/e12/s3, slot: e12/s3, model: HUS728T8TALE6L4, vendor: HGST, serial: EXAMPLE1, protocol: sata,
           smart_status: ok, smart_errors: [7 pending sectors], temperature_celsius: 38.0,
           counters: {pending_sectors: 7, reallocated_sectors: 0, power_cycles: 17}}
    remote_volumes:
      description: Volumes of arrays that are reached over Fibre Channel, iSCSI or NVMe over a network, with their
        paths. They are no drives of the machine.
      type: list
      elements: dict
      sample:
        - {protocol: iscsi, model: disk0, wwn: 6001405aaaaaaaaaaaaaaaaaaaaaaaaa, paths: [/dev/sdc],
           size_bytes: 1073741824000}
    interfaces:
      description: Ports, bonds, bridges and VLANs as the system has set them up.
      type: list
      elements: dict
      sample:
        - {name: bond0.7, kind: vlan, vlan_id: 7, parent: bond0, ip_addresses: [192.0.2.5/24], gateways: [192.0.2.1]}
    partitions:
      description: Partitions, volumes of LVM, RAID, encryption and multipath, and file systems.
      type: list
      elements: dict
      sample:
        - {name: /dev/sda1, kind: part, parents: [/dev/sda], filesystem: vfat, size_bytes: 536870912,
           mount_point: /boot/efi}
    numa_nodes:
      description: CPUs and memory of each NUMA node.
      type: list
      elements: dict
      sample:
        - {id: "0", cpus: 0-15, memory_bytes: 137438953472}
    os:
      description: The operating system, its kernel, and the command line without secrets.
      type: dict
      sample: {name: Debian GNU/Linux 12 (bookworm), id: debian, version: "12", kernel: 6.1.0-28-amd64,
               architecture: x86_64}
    bmc:
      description: The machine's BMC with its firmware, address and MAC, as its own host sees it.
      type: dict
    coverage:
      description: The verdict of every source, V(collected), V(absent), V(denied), V(failed), V(timeout) or
        V(skipped), and the reason. C(parts) has the verdicts of drives and ports that were asked one by one and did
        not answer.
      type: dict
    provenance:
      description: The sources that a section came from, and those of fields that came from others.
      type: dict
    stats:
      description: What it cost, in commands, bytes read and seconds.
      type: dict
installed:
  description: Packages that were installed, in check mode those that would be.
  type: list
  elements: str
  returned: unless O(from_capture)
  sample: [nvme-cli, smartmontools]
not_installed:
  description: Packages that could not be installed, and the last words of the package manager.
  type: dict
  returned: when there are any
  sample: {ipmitool: "E: Unable to locate package ipmitool"}
capture:
  description: The capture that was written.
  type: dict
  returned: with O(capture), not in check mode
  contains:
    path:
      description: The file.
      type: str
    bytes:
      description: Its size.
      type: int
    sha256:
      description: Its SHA-256.
      type: str
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(invalid_input) for a capture that is none, V(missing_dependency), V(failed).
      type: str
    details:
      description: For example the C(field) that is wrong.
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._host import DEFAULT_CAPTURE, inventory_plan

SPEC = {
    "full": {"type": "bool"},
    "timeout": {"type": "float", "default": 30},
    "deadline": {"type": "float", "default": 180},
    "updates": {"type": "bool", "default": False},
    "install_tools": {"type": "bool", "default": False},
    "capture": {"type": "bool", "default": False},
    "capture_path": {"type": "path", "default": DEFAULT_CAPTURE},
    "from_capture": {"type": "path"},
}


def main() -> None:
    run(inventory_plan, SPEC)


if __name__ == "__main__":
    main()
