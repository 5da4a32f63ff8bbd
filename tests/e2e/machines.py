# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fixtures of conftest.py hand to tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleetlab.vm import Console

PASSWORD = "s3cr:t-of-bmc"


@dataclass
class Machine:
    """A machine that is on, with its BMC. `bmc` is what a machine server is told about it; it has no secrets."""

    name: str
    bmc: dict[str, Any]
    username: str
    password: str
    console: Console
    # What its device document must say somewhere.
    facts: dict[str, str]
    # The virtual BMC: IpmiSim or SushyEmulator.
    power: Any
