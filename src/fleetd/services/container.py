# SPDX-License-Identifier: BSD-2-Clause
"""All use cases over one store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from fleetd.leases import Processes
from fleetd.ports import Cipher, Kept, Store
from fleetd.services import Clock
from fleetd.services.credentials import Credentials
from fleetd.services.devices import Devices
from fleetd.services.events import Events
from fleetd.services.machines import Machines
from fleetd.services.once import Requests
from fleetd.services.powercycles import Backoff, Powercycles
from fleetd.services.retention import Retention
from fleetd.services.tally import Tally
from fleetd.services.tokens import Tokens
from fleetd.services.work import WorkService


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
