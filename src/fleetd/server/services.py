# SPDX-License-Identifier: BSD-2-Clause
"""All use cases over one store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from fleetd.server.credentials import api as a_cred
from fleetd.server.credentials.model import Cipher
from fleetd.server.credentials.service import Credentials
from fleetd.server.devices import api as a_dev
from fleetd.server.devices.service import Devices
from fleetd.server.inventory import api as a_inv
from fleetd.server.kernel.auth.service import Tokens
from fleetd.server.kernel.capability import Capability
from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.events import api as a_ev
from fleetd.server.kernel.events.figures import figures as f4
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http.streams import Feed
from fleetd.server.kernel.idempotency.service import Requests
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.service import Retention
from fleetd.server.kernel.tally import Tally
from fleetd.server.legacy import api as a_leg
from fleetd.server.machines import api as a_mach
from fleetd.server.machines.figures import figures as f1
from fleetd.server.machines.service import Machines
from fleetd.server.page import actions, events, fleet, live, logins, machine, parts
from fleetd.server.ports import Store
from fleetd.server.powercycles import api as a_pc
from fleetd.server.powercycles.figures import figures as f2
from fleetd.server.powercycles.service import Backoff, Powercycles
from fleetd.server.work import api as a_work
from fleetd.server.work.figures import figures as f3
from fleetd.server.work.model import Processes
from fleetd.server.work.service import WorkService

none = lambda s: None
CAPABILITIES = [
    Capability("events", none, routers=(a_ev.router,), figures=f4, live=lambda s: Feed(s.of(Events))),
    Capability("work", none, routers=(a_work.router,), figures=f3),
    Capability("powercycles", none, routers=(a_pc.router,), figures=f2),
    Capability("machines", none, routers=(a_mach.router,), figures=f1),
    Capability("credentials", none, routers=(a_cred.router,)),
    Capability("devices", none, routers=(a_dev.router,)),
    Capability("inventory", none, routers=(a_inv.router,)),
    Capability("legacy", none, routers=(a_leg.router,), live=lambda s: a_leg.Descriptions(s.of(Machines))),
    Capability(
        "page",
        none,
        routers=(actions.router, fleet.router, machine.router, events.router, parts.router, live.router, logins.router),
        live=live.Looks,
    ),
]


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
        made = (
            self.machines,
            self.powercycles,
            self.work,
            self.credentials,
            self.devices,
            self.events,
            self.requests,
            self.tokens,
        )
        self._by_class = {type(item): item for item in made}
        self.tx = getattr(store, "_tx", None) or type("T", (), {"retried": 0, "failed": 0})
        self.database_ready = store.ready
        self.capabilities = CAPABILITIES

    def of(self, kind):
        return self._by_class[kind]
