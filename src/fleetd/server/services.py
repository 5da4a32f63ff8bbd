# SPDX-License-Identifier: BSD-2-Clause
"""All use cases over one store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from fleetd.server.credentials.model import Cipher
from fleetd.server.credentials.service import Credentials
from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.service import Tokens
from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.idempotency.service import Requests
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.service import Retention
from fleetd.server.kernel.tally import Tally
from fleetd.server.machines.service import Machines
from fleetd.server.ports import Store
from fleetd.server.powercycles.service import Backoff, Powercycles
from fleetd.server.work.model import Processes
from fleetd.server.work.service import WorkService


class Services:
    """What the API is given."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        backoff: Backoff | None = None,
        session_hours: int = 12,
        processes: Processes | None = None,
        cipher: Cipher | None = None,
        stale_after: timedelta = timedelta(minutes=15),
        ages: Mapping[Kept, timedelta] | None = None,
    ) -> None:
        self.store = store
        self.tally = Tally()
        self.machines = Machines(store, clock, stale_after, self.tally)
        self.powercycles = Powercycles(store, clock, backoff, self.tally)
        self.work = WorkService(store, backoff or Backoff(), processes, tally=self.tally)
        self.credentials = Credentials(store, clock, cipher)
        self.devices = Devices(store, clock, self.tally)
        self.events = Events(store, clock, self.tally)
        self.retention = Retention(store, clock, ages, self.tally)
        self.requests = Requests(store, clock)
        self.tokens = Tokens(store, clock, session_hours, self.tally)
