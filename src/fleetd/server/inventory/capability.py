# SPDX-License-Identifier: BSD-2-Clause
"""The inventory for Ansible."""

from __future__ import annotations

from fleetd.server.inventory.api import router
from fleetd.server.kernel.capability import Capability

CAPABILITY = Capability("inventory", routers=(router,))
