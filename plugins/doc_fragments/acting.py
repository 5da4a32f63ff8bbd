# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  expected_serial:
    description:
      - Serial number of the machine that is meant. When the BMC is that of another machine, the module fails with the
        code V(wrong_machine) before anything is changed, also in check mode. It guards against addresses that have moved
        and boards that were swapped.
      - Compared with the serial number and the service tag that the BMC reports over Redfish, or with those of system,
        chassis and board over IPMI, without case and punctuation. With O(expected_uuid) besides, one of the two has to
        agree.
      - A BMC that reports nothing to compare with is not refused. Drivers that are no BMC have nothing to compare with.
    type: str
  expected_uuid:
    description: UUID of the machine that is meant, as SMBIOS has it, in either byte order. Used as O(expected_serial)
      is.
    type: str
attributes:
  action_group:
    description: 'Set options once in C(module_defaults): use C(group/baremetal.fleet.bmc) for the options of the BMC
      and C(group/baremetal.fleet.acting) for the machine that is expected.'
    support: full
    membership:
      - baremetal.fleet.bmc
      - baremetal.fleet.acting
"""
