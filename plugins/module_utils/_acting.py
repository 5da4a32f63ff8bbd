# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules that change something on a BMC. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ._bmc_options import BMC, EXPECTED
from ._boundary import run
from .fleetcore.acting.base import plan_over
from .fleetcore.host.clock import SystemClock
from .fleetcore.ports import Plan
from .fleetcore.power.options import bmc_options

Maker = Callable[[Any, Mapping[str, Any]], Plan]
"""What plans a change, of the connection and the module's options."""


def run_acting(
    what: str,
    argument_spec: Mapping[str, Any],
    redfish: Optional[Maker] = None,
    ipmi: Optional[Maker] = None,
    **kwargs: Any,
) -> None:
    """Run a module.

    :param what: it changes, for messages.
    :param redfish: plans the change over Redfish; ``ipmi``: over IPMI. None: it can't be done so.
    """

    def plan(params: Mapping[str, Any]) -> Plan:
        return plan_over(
            bmc_options(params),
            SystemClock(),
            what,
            redfish and (lambda service: redfish(service, params)),
            ipmi and (lambda driver: ipmi(driver, params)),
        )

    run(plan, {**argument_spec, **BMC, **EXPECTED}, **kwargs)
