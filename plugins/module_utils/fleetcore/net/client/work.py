# SPDX-License-Identifier: BSD-2-Clause

"""Sessions and the work that they hold. A runner's or a person's lock on a machine is work.

A ``ConflictError`` has ``details["reason"]``: session_expired, lease_lost, work_conflict or not_eligible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote

from .base import PAGE, Api, check_id, given, path_of, said, with_query


class Work(Api):
    """``/api/v1/sessions``, ``/api/v1/work`` and ``/api/v1/explain``"""

    def start_session(
        self, component: str, interval: float = 5.0, info: Optional[Mapping[str, Any]] = None
    ) -> dict[str, Any]:
        """A session, ``{"id", "deadline", "interval", ...}``: lives ``interval`` seconds from each heartbeat, by the
        server's time.

        Repeated on transient errors: a session whose answer was lost dies by itself.
        """
        body = {"component": component, "interval": interval, "info": dict(info or {})}
        return self._object("POST", "/api/v1/sessions", body, repeat=True)

    def heartbeat(self, session: str) -> dict[str, Any]:
        """Renew the session; the answer's ``work`` is what it still holds. Sent once: the caller keeps the time.

        :raises ConflictError: it has expired, for ever.
        """
        return self._object("POST", _session(session) + "/heartbeat")

    def end_session(self, session: str) -> None:
        """Give all its work back. No error if it has ended already."""
        self._send("DELETE", _session(session))

    def claim_work(
        self, session: str, process: str, count: int = 1, machines: Optional[Sequence[str]] = None
    ) -> list[dict[str, Any]]:
        """Lock up to ``count`` eligible machines (of ``machines``): ``[{"machine", "fencing_token", ...}]``, oldest
        need first.

        Sent once: a claim whose answer was lost is in the work of the next heartbeat.
        """
        chosen = {} if machines is None else {"machines": list(machines)}
        body = {"session": session, "process": process, "count": count, **chosen}
        return self._list("POST", "/api/v1/work/claim", body)

    def take_work(self, session: str, machine: str, process: str = "manual", needed: bool = True) -> dict[str, Any]:
        """Lock one machine by name.

        :raises ConflictError: it is locked, or not eligible (``details["unmet"]`` says why not).
        """
        body = {"session": session, "process": process, "machine": machine, "needed": needed}
        return self._object("POST", "/api/v1/work/take", body)

    def finish_work(self, session: str, machine: str, process: str, fencing_token: Optional[int] = None) -> None:
        """Done. :raises ConflictError: it is not held (any more)."""
        self._send("POST", "/api/v1/work/finish", _exit(session, machine, process, fencing_token))

    def fail_work(
        self, session: str, machine: str, process: str, cause: str, fencing_token: Optional[int] = None
    ) -> None:
        """Not done; the server decides when it is eligible again. :raises ConflictError: it is not held (any more)."""
        body = {**_exit(session, machine, process, fencing_token), "cause": cause}
        self._send("POST", "/api/v1/work/fail", body)

    def cancel_work(self, session: str, machine: str, process: str, cause: str = "") -> None:
        """Give it back; repeated on transient errors. :raises ConflictError: the session has expired."""
        body = {**_exit(session, machine, process, None), "cause": cause}
        self._send("POST", "/api/v1/work/cancel", body, repeat=True)

    def work(self, machine: Optional[str] = None, process: Optional[str] = None) -> list[dict[str, Any]]:
        """Who holds what now."""
        return self._list("GET", with_query("/api/v1/work", given(machine=machine, process=process)))

    def work_history(self, machine: Optional[str] = None, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """What was started, finished, failed and cancelled, newest first."""
        return self._pages("/api/v1/work/history", given(machine=machine), page)

    def explain(self, machine: str, process: str) -> dict[str, Any]:
        """Why the machine is eligible for the process, or not: ``{"eligible", "conditions": [{"text", "holds"}],
        ...}``.
        """
        return self._object("GET", f"/api/v1/explain/{quote(check_id(machine), safe='')}/{quote(process, safe='')}")


def _session(session: str) -> str:
    return path_of("sessions", str(session), "session")


def _exit(session: str, machine: str, process: str, fencing_token: Optional[int]) -> dict[str, Any]:
    return {"session": session, "machine": machine, "process": process, **said(fencing_token=fencing_token)}
