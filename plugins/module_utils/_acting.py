# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules that change something on a BMC. Private to this collection."""

from __future__ import annotations

from typing import Any

from ._bmc_options import BMC_OPTIONS
from ._boundary import run
from .fleetcore.acting.base import Change
from .fleetcore.host.clock import SystemClock
from .fleetcore.power import expected


def run_acting(change: Change, **kwargs: Any) -> None:
    """Run a module that makes this kind of change."""
    options = {**change.options, **BMC_OPTIONS, **expected.OPTIONS}
    run(lambda params: change.plan(params, SystemClock()), options, **kwargs)
