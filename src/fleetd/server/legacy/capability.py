# SPDX-License-Identifier: BSD-2-Clause
"""/json/v1 and /_/."""

from __future__ import annotations

from fleetd.server.kernel.capability import Capability
from fleetd.server.legacy.api import Descriptions, router
from fleetd.server.machines.service import Machines

CAPABILITY = Capability("legacy", routers=(router,), live=lambda services: Descriptions(services.of(Machines)))
