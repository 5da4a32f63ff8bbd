# SPDX-License-Identifier: BSD-2-Clause
"""The runner's view of a machine server, over HTTP: ours, or any that speaks ``/json/v1``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcore.errors import BadResponse, ConflictError, NotFound
from fleetcore.net.claim import PROCESS, Claim, summary
from fleetcore.net.client.server import ServerClient
from fleetcore.ports import PowerState

from fleetd.runner.adapters.leases import SessionLeases
from fleetd.runner.ports import Entry, Wanted

OPEN_STATES = ("queued", "claimed", "off", "on")
_NO_SUCH_API = (200, 404, 405, 501)  # what servers without /api/v1 answer there
_CLAIM_OVER = ("session_expired", "lease_lost")


@dataclass
class HttpWorkServer:
    """The machine server, as far as power cycles go. Methods raise ``TransportError`` when it can't be reached.

    With request ids each machine is claimed, and outcomes are reported to the request itself with the claim's fencing
    token, so that a request made in the meantime is never closed in its place; without them ``complete`` is all that
    can be said.

    :param name: of this runner, shown at the requests it worked on.
    """

    client: ServerClient
    name: str
    leases: SessionLeases

    def wanted(self, served: frozenset[str], known: Mapping[str, int]) -> list[Wanted]:
        """The machines of ``served`` that are to be power cycled now.

        One that was claimed and is not ``known`` is among them.
        """
        self.leases.resume(PROCESS, known)
        machines = [m for m in self.client.powercycle_list() if m in served]
        if not machines:
            return []
        requests = self._requests()
        if requests is None:
            return [Wanted(m) for m in machines]
        return [requests[m] for m in machines if m in requests]

    def _requests(self) -> dict[str, Wanted] | None:
        """Open request by machine, or None on a server that has no requests."""
        try:
            return {
                p["machine"]: Wanted(p["machine"], p["id"], p.get("requested_at") or "")
                for state in OPEN_STATES
                for p in self.client.powercycles(state=state)
            }
        except NotFound:
            return None
        except BadResponse as error:
            if error.details.get("status") in _NO_SUCH_API:
                return None
            raise

    def claim(self, wanted: Sequence[Wanted], known: Mapping[str, int]) -> dict[str, int | None]:
        """Take them for this runner alone: machine -> fencing token. A machine that is missing is somebody else's now.

        A server without request ids has no claims: then each machine is there, with None. ``known`` as in
        :meth:`SessionLeases.claim`.
        """
        plain: dict[str, int | None] = {w.machine: None for w in wanted if w.request is None}
        machines = [w.machine for w in wanted if w.request is not None]
        if machines:
            plain.update(self.leases.claim(PROCESS, len(machines), machines, known))
        return plain

    def claim_of(self, entry: Entry) -> Mapping[str, Any] | None:
        """The claim of ``entry.token``, for the module that switches the power; None: nothing is claimed.

        With it the module asks whether the claim still holds, and reports.
        """
        session = self.leases.session()
        if session is None or entry.token is None or entry.request is None:
            return None
        return Claim(entry.machine, entry.request, session, entry.token, self.name).to_dict()

    def release(self, machine: str) -> None:
        """Give a claim back: nothing was done under it. No error if there is none."""
        self.leases.cancel(PROCESS, machine)

    def step(self, entry: Entry, state: PowerState, message: str) -> None:
        """The machine is off, or on again. For people who watch: nothing depends on it, and it may get lost."""
        if entry.request is not None:
            self._report(entry, state.value, message)

    def verified(self, entry: Entry) -> None:
        """The machine went off and came on again. May be told twice. A request that is gone is not an error.

        :raises ConflictError: the claim of ``entry.token`` is over; the server has not taken it.
        """
        if entry.request is None:
            with contextlib.suppress(NotFound):
                self.client.powercycle_complete(entry.machine)
            return
        self._report(entry, "verified", summary(entry.detail.get("power") or {}))

    def failed(self, entry: Entry) -> None:
        """This attempt failed; may be told twice. A server without request ids can't be told; that is not an error.

        :raises ConflictError: as for :meth:`verified`.
        """
        if entry.request is not None:
            error = entry.detail.get("error") or {}
            self._report(entry, "failed", str(error.get("message", "")), error)

    def _report(self, entry: Entry, state: str, message: str, error: Mapping[str, Any] | None = None) -> None:
        assert entry.request is not None  # noqa: S101 - the callers have looked
        try:
            self.client.report_powercycle(entry.request, state, message, error, self.name, entry.token)
        except NotFound:
            return
        except ConflictError as problem:
            if problem.details.get("reason") in _CLAIM_OVER:
                raise
            if entry.token is not None:  # closed: somebody cancelled it, and the claim is still there
                self.leases.cancel(PROCESS, entry.machine)

    def availability(self, states: Mapping[str, str]) -> None:
        """Machine -> ``available``, ``in_error`` or ``not_available``."""
        self.client.powercycle_state_update(states)
