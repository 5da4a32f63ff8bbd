# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The runner's view of a machine server, over HTTP: ours, or any that speaks ``/json/v1``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from fleetcore.client import ServerClient
from fleetcore.errors import BadResponse, ConflictError, NotFound

from fleetd.runner_ports import Wanted

OPEN_STATES = ("queued", "claimed", "off", "on")
_NO_SUCH_API = (200, 404, 405, 501)  # what servers without /api/v1 answer there


class HttpWorkServer:
    """See :class:`fleetd.runner_ports.WorkServer`.

    With request ids outcomes are reported to the request itself, so that a request made in the meantime is never closed
    in its place; without them ``complete`` is all that can be said.

    :param name: of this runner, shown at the requests it worked on.
    """

    def __init__(self, client: ServerClient, name: str) -> None:
        self._client = client
        self._name = name

    def wanted(self, served: frozenset[str]) -> list[Wanted]:
        machines = [m for m in self._client.powercycle_list() if m in served]
        if not machines:
            return []
        requests = self._requests()
        if requests is None:
            return [Wanted(m) for m in machines]
        return [Wanted(m, requests[m]) for m in machines if m in requests]

    def _requests(self) -> dict[str, str] | None:
        """Open request by machine, or None on a server that has no requests."""
        try:
            return {p["machine"]: p["id"] for state in OPEN_STATES for p in self._client.powercycles(state=state)}
        except NotFound:
            return None
        except BadResponse as error:
            if error.details.get("status") in _NO_SUCH_API:
                return None
            raise

    def begun(self, request: str | None) -> None:
        if request is not None:
            with contextlib.suppress(NotFound, ConflictError):
                self._client.report_powercycle(request, "claimed", runner=self._name)

    def verified(self, machine: str, request: str | None, power: Mapping[str, Any]) -> None:
        with contextlib.suppress(NotFound):
            if request is None:
                self._client.powercycle_complete(machine)
                return
            for state, message in _steps(power):
                with contextlib.suppress(ConflictError):
                    self._client.report_powercycle(request, state, message=message, runner=self._name)
            with contextlib.suppress(ConflictError):  # closed: an earlier report arrived, or somebody cancelled it
                self._client.report_powercycle(request, "verified", message=_summary(power), runner=self._name)

    def failed(self, request: str | None, error: Mapping[str, Any]) -> None:
        if request is None:
            return
        with contextlib.suppress(NotFound, ConflictError):
            run = _run_of(error)
            if run and run == _run_of(self._client.powercycle(request).get("error")):
                return  # an earlier report arrived and its answer was lost; a second one would count as a second attempt
            self._client.report_powercycle(
                request, "failed", message=str(error.get("message", "")), error=error, runner=self._name
            )

    def availability(self, states: Mapping[str, str]) -> None:
        self._client.powercycle_state_update(states)


def _run_of(error: Mapping[str, Any] | None) -> Any:
    """Which attempt an error is about."""
    return ((error or {}).get("details") or {}).get("run")


def _steps(power: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Reports ``off`` and ``on`` from the module's steps, with the times at which they happened."""
    found: dict[str, str] = {}
    for step in power.get("steps") or []:
        action = str(step.get("action", ""))
        state = "on" if action == "on" else "off" if action in ("off", "shutdown", "graceful") else None
        if state:
            found[state] = f"{action} {step.get('result')} at {step.get('at')}"
    return [(state, found[state]) for state in ("off", "on") if state in found]


def _summary(power: Mapping[str, Any]) -> str:
    how = (
        "was found off after an interruption and switched on"
        if power.get("recovered")
        else "power read back after the cycle"
    )
    return f"{how}, over {power.get('driver') or 'its power controller'}"
