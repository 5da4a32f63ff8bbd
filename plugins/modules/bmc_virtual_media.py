#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_virtual_media
short_description: Insert an image into the virtual drive of a machine, or eject it
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Makes an image on the network a drive of the machine, through the BMC, and reads back that it is there.
  - A BMC that refuses is asked once more, with the parameters that it says it misses, or with the least.
  - The machine is not told to boot from it. Use M(baremetal.fleet.bmc_boot) with V(cdrom) or V(usb) for that.
extends_documentation_fragment:
  - baremetal.fleet.acting.virtual_media
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads the drives and returns what would be in them.
    support: full
  diff_mode:
    description: Shows the drives before and after.
    support: full
  idempotent:
    description: Does nothing when the image is there, or the drives are empty, already.
    support: full
"""

EXAMPLES = r"""
- name: Insert an installation image
  baremetal.fleet.bmc_virtual_media:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    image: https://images.example.org/install.iso

- name: Eject it again
  baremetal.fleet.bmc_virtual_media:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: ejected
"""

RETURN = r"""
virtual_media:
  description: The drives concerned, by id, with C(inserted), C(image) and C(write_protected), read back. In check mode
    as they would be.
  type: dict
  returned: success
  sample: {"CD1": {"inserted": true, "image": "https://images.example.org/install.iso", "write_protected": true}}
attempts:
  description: The drivers that were tried, in order. The one without C(error) was used.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unsupported), V(unreachable), V(authentication_failed), V(wrong_machine), or
      V(not_verified) when the BMC accepted the change and it did not happen.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.virtual_media import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
