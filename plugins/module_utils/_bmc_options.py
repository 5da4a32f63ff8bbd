# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers the options of the modules that talk to BMCs, those of all drivers. Private to this collection."""

from __future__ import annotations

from .fleetcore.power import controllers, options
from .fleetcore.power.names import BMC_DRIVERS
from .fleetcore.power.registry import DRIVERS

BMC_OPTIONS = dict(options.OPTIONS)
"""Of every module that talks to a BMC."""
_address = options.OPTIONS["address"]
_needed = f"Needed only by the drivers that talk to a BMC ({', '.join(f'V({name})' for name in BMC_DRIVERS)})."
POWER_OPTIONS = {
    "address": {**_address, "required": False, "description": f"{_address['description']}\n\n{_needed}"},
    **controllers.OPTIONS,
}
"""What switches power has besides: the drivers that are no BMC."""
for driver in DRIVERS.values():
    (BMC_OPTIONS if driver.needs_bmc else POWER_OPTIONS).update(driver.options)
