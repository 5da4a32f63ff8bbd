# SPDX-License-Identifier: BSD-2-Clause

"""Power cycle requests: asked for by people and programs, reported on by runners."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .base import PAGE, Api, given, path_of, said, tail


class Powercycles(Api):
    """``/api/v1/powercycles`` and ``/json/v1/powercycle``"""

    def request_powercycle(self, machine: str, reason: str, requester: Optional[str] = None) -> dict[str, Any]:
        """Ask for a power cycle and return the request. A machine that has an open request keeps that one and it is
        returned.

        Repeated on transient errors, with one idempotency key for all attempts.
        """
        body = {"machine": machine, "reason": reason, **said(requester=requester)}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._object("POST", "/api/v1/powercycles", body, headers=headers, repeat=True)

    def powercycles(
        self, machine: Optional[str] = None, state: Optional[str] = None, page: int = PAGE
    ) -> Iterator[dict[str, Any]]:
        """Requests, newest first."""
        return self._pages("/api/v1/powercycles", given(machine=machine, state=state), page)

    def powercycle(self, request: str) -> dict[str, Any]:
        """:raises NotFound: no such request."""
        return self._object("GET", _powercycle(request))

    def report_powercycle(
        self,
        request: str,
        state: str,
        message: Optional[str] = None,
        error: Optional[Mapping[str, Any]] = None,
        runner: Optional[str] = None,
        fencing_token: Optional[int] = None,
    ) -> dict[str, Any]:
        """Report progress (``claimed``, ``off``, ``on``) or the end (``verified``, ``failed``) and return the request.

        Sent once: each ``failed`` counts as an attempt.

        :param error: a :meth:`~.errors.FleetError.to_dict`.
        :param fencing_token: of the claim under which it was done; then ``verified`` and ``failed`` leave the work too.
        :raises ConflictError: the request is closed; with ``details["reason"]``: the claim of the token is over.
        """
        about = said(message=message, error=dict(error or {}), runner=runner, fencing_token=fencing_token)
        return self._object("POST", _powercycle(request) + "/report", {"state": state, **about})

    def cancel_powercycle(self, request: str) -> dict[str, Any]:
        """:raises ConflictError: too late, the request is closed or under way."""
        return self._object("POST", _powercycle(request) + "/cancel", {})

    def powercycle_list(self) -> list[str]:
        """Ids of the machines that somebody wants power cycled. An empty list is ``[]`` here and ``null`` on other
        servers.
        """
        path = "/json/v1/powercycle/list"
        data = self._json("GET", path)
        if data is None:
            return []
        if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
            raise self._not_ours(path, "a list of machine ids")
        return data

    def powercycle_complete(self, machine: str) -> None:
        """Say that the machine has been power cycled.

        Sent once: a repetition could swallow a request that was made in between.

        :raises NotFound: no such machine.
        """
        self._send("POST", f"/json/v1/powercycle/complete/{tail(machine)}")

    def powercycle_state_update(self, states: Mapping[str, str]) -> None:
        """Say which machines can be power cycled from here: id to ``not_available``, ``available`` or ``in_error``.

        Repeated on transient errors. Ids that the server does not know are no error.
        """
        rows = [{"MachineID": machine, "PowerCycleState": state} for machine, state in states.items()]
        self._send("POST", "/json/v1/powercycle/state/update", {"Machines": rows}, repeat=True)


def _powercycle(request: str) -> str:
    return path_of("powercycles", str(request), "request")
