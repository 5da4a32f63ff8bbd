# SPDX-License-Identifier: BSD-2-Clause
"""The page for people."""

from __future__ import annotations

from fleetd.server.kernel.capability import Capability
from fleetd.server.page import actions, events, fleet, live, logins, machine, parts

CAPABILITY = Capability(
    "page",
    routers=tuple(module.router for module in (actions, fleet, machine, events, parts, live, logins)),
    live=live.Looks,
)
