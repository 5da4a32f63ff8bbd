# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The argument specification is EXPECTED in module_utils/_bmc.py.
    DOCUMENTATION = r"""
options:
  expected_serial:
    description:
      - Serial number of the machine that is meant. When the BMC is that of another machine, the module fails with the code V(wrong_machine) before
        anything is changed, also in check mode. It guards against addresses that have moved and boards that were swapped.
      - Compared with the serial number and the service tag that the BMC reports over Redfish, or with those of system, chassis and board over
        IPMI, without case and punctuation. With O(expected_uuid) besides, one of the two has to agree.
      - A BMC that reports nothing to compare with is not refused, and drivers that are no BMC have nothing.
    type: str
  expected_uuid:
    description: The same with the UUID of the machine as SMBIOS has it, in either byte order.
    type: str
attributes:
  action_group:
    description: >-
      Use C(group/baremetal.fleet.bmc) in C(module_defaults) to set the options of the BMC once, and C(group/baremetal.fleet.acting) for
      O(expected_serial) and O(expected_uuid), which modules that only read don't have.
    support: full
    membership:
      - baremetal.fleet.bmc
      - baremetal.fleet.acting
"""
