# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules that change something on a BMC: options -> prepared change -> plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ._bmc_options import BMC, EXPECTED
from ._boundary import Plan, run
from .fleetcore.acting.base import Change, prepare
from .fleetcore.document.model import to_dict
from .fleetcore.host.clock import SystemClock
from .fleetcore.power.options import bmc_options


def run_acting(
    what: str,
    argument_spec: Mapping[str, Any],
    redfish: Optional[Callable[..., Change]] = None,
    ipmi: Optional[Callable[..., Change]] = None,
    **kwargs: Any,
) -> None:
    """Run a module. ``redfish`` and ``ipmi`` get the connection and the module's options and prepare the change."""

    def plan(params: Mapping[str, Any]) -> Plan:
        options = bmc_options(params)
        prepared = prepare(
            options,
            SystemClock(),
            what,
            redfish and (lambda service: redfish(service, params)),
            ipmi and (lambda driver: ipmi(driver, params)),
        )
        change = prepared.change
        return Plan(
            before=change.before,
            after=change.after,
            preview=lambda: change.facts,
            apply=change.apply,
            always=change.always,
            besides={"attempts": [to_dict(attempt) for attempt in prepared.attempts]},
            close=prepared.connection.close,
        )

    run(plan, {**argument_spec, **BMC, **EXPECTED}, **kwargs)
