# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sections of a BMC are read. Written by scripts/check_docs.py --write."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  sections:
    description:
      - Sections to read. Default is all.
      - V(system) and V(power) are always read. V([power]) alone is a cheap check that the BMC answers and the login
        works.
    type: list
    elements: str
    choices:
      - system
      - power
      - chassis
      - manager
      - bios
      - secure_boot
      - boot
      - processors
      - memory
      - storage
      - network
      - pcie
      - power_supplies
      - thermal
      - tpm
      - firmware
      - licences
      - sensors
      - log
"""
