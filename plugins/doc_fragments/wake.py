# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations

OPTIONS = r"""
  mac:
    description: MAC address of the network port that listens.
    type: str
    required: true
  broadcast:
    description: Address to send to, for example the broadcast address of the machine's network.
    type: str
    default: 255.255.255.255
  port:
    description: UDP port to send to.
    type: int
    default: 9
  source_address:
    description: Own address to send from, which chooses the interface.
    type: str
  count:
    description: How many packets are sent.
    type: int
    default: 3
  probe_host:
    description: Host name or IP address of the machine. Without it nobody can tell whether the machine runs, and the packets
      are sent each time.
    type: str
  probe_port:
    description: TCP port of C(probe_host) to connect to. A machine that refuses the connection runs, too.
    type: int
    default: 22
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS  # the annotation keeps yamllint, which wants one literal, away
