# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the argument specifications of the modules that talk to BMCs. Private to this collection.

They follow from what ``fleetcore`` says of its options. So do the documentation fragments.
"""

from __future__ import annotations

from ._options import argument_spec
from .fleetcore.power import controllers, expected, options, pdu, wake_on_lan
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

BMC = argument_spec(BMC_OPTIONS)
POWER = argument_spec(POWER_OPTIONS)
EXPECTED = argument_spec(expected.OPTIONS)
"""Of the modules that change something over a BMC."""
OUTLET = argument_spec(pdu.OUTLET)
"""One outlet, without its number."""
WAKE = argument_spec(wake_on_lan.WAKE)
"""A machine to be woken."""
