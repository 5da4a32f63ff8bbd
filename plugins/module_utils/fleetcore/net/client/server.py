# SPDX-License-Identifier: BSD-2-Clause

"""All resources in one client, for programs that need most of them."""

from __future__ import annotations

from .credentials import Credentials
from .devices import Devices
from .events import Events
from .inventory import Inventories
from .machines import Machines
from .powercycles import Powercycles
from .work import Work


class ServerClient(Machines, Devices, Powercycles, Work, Credentials, Inventories, Events):
    """One machine server; see :class:`base.Api`."""
