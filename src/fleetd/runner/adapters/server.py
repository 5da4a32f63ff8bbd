# SPDX-License-Identifier: BSD-2-Clause
"""The runner's view of a machine server, over HTTP: ours, or any that speaks ``/json/v1``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from fleetcore.errors import BadResponse, ConflictError, NotFound
from fleetcore.net.claim import PROCESS, Claim, summary
from fleetcore.net.client import ServerClient
from fleetcore.ports import PowerState

from fleetd.runner.ports import Entry, Leases, Wanted

OPEN_STATES = ("queued", "claimed", "off", "on")
_NO_SUCH_API = (200, 404, 405, 501)  # what servers without /api/v1 answer there
_CLAIM_OVER = ("session_expired", "lease_lost")


class HttpWorkServer:
    """See :class:`fleetd.runner.ports.WorkServer`.

    With request ids each machine is claimed, and outcomes are reported to the request itself with the claim's fencing
    token, so that a request made in the meantime is never closed in its place; without them ``complete`` is all that
    can be said.

    :param name: of this runner, shown at the requests it worked on.
    """

    def __init__(self, client: ServerClient, name: str, leases: Leases) -> None:
        self._client = client
        self._name = name
        self._leases = leases

    def wanted(self, served: frozenset[str], known: Mapping[str, int]) -> list[Wanted]:
        self._leases.resume(PROCESS, known)
        machines = [m for m in self._client.powercycle_list() if m in served]
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
                for p in self._client.powercycles(state=state)
            }
        except NotFound:
            return None
        except BadResponse as error:
            if error.details.get("status") in _NO_SUCH_API:
                return None
            raise

    def claim(self, wanted: Sequence[Wanted], known: Mapping[str, int]) -> dict[str, int | None]:
        plain: dict[str, int | None] = {w.machine: None for w in wanted if w.request is None}
        machines = [w.machine for w in wanted if w.request is not None]
        if machines:
            plain.update(self._leases.claim(PROCESS, len(machines), machines, known))
        return plain

    def claim_of(self, entry: Entry) -> Mapping[str, Any] | None:
        session = self._leases.session()
        if session is None or entry.token is None or entry.request is None:
            return None
        return Claim(entry.machine, entry.request, session, entry.token, self._name).to_dict()

    def release(self, machine: str) -> None:
        self._leases.cancel(PROCESS, machine)

    def step(self, entry: Entry, state: PowerState, message: str) -> None:
        if entry.request is not None:
            self._report(entry, state.value, message)

    def verified(self, entry: Entry) -> None:
        if entry.request is None:
            with contextlib.suppress(NotFound):
                self._client.powercycle_complete(entry.machine)
            return
        self._report(entry, "verified", summary(entry.detail.get("power") or {}))

    def failed(self, entry: Entry) -> None:
        if entry.request is not None:
            error = entry.detail.get("error") or {}
            self._report(entry, "failed", str(error.get("message", "")), error)

    def _report(self, entry: Entry, state: str, message: str, error: Mapping[str, Any] | None = None) -> None:
        assert entry.request is not None  # noqa: S101 - the callers have looked
        try:
            self._client.report_powercycle(entry.request, state, message, error, self._name, entry.token)
        except NotFound:
            return
        except ConflictError as problem:
            if problem.details.get("reason") in _CLAIM_OVER:
                raise
            if entry.token is not None:  # closed: somebody cancelled it, and the claim is still there
                self._leases.cancel(PROCESS, entry.machine)

    def availability(self, states: Mapping[str, str]) -> None:
        self._client.powercycle_state_update(states)
