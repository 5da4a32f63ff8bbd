# SPDX-License-Identifier: BSD-2-Clause
"""The runner's session on our server, and what it claims with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleetcore.errors import ConflictError, FleetError, NotFound
from fleetcore.net.client import ServerClient

from fleetd.common import logs
from fleetd.common.keeper import SessionKeeper
from fleetd.runner.ports import Journal

_MACHINES = 10_000  # what the server takes in one claim
_COUNT = 1000


class SessionLeases:
    """See :class:`fleetd.runner.ports.Leases`. One session for all processes, made at the first claim.

    The session is in the journal: a runner that is started again within ``seconds`` goes on with it, and nobody else
    gets its machines in between.

    :param seconds: how long the server waits for a sign of life before others may have the machines.
    """

    def __init__(
        self,
        client: ServerClient,
        component: str,
        journal: Journal,
        seconds: float,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._component = component
        self._journal = journal
        self._seconds = seconds
        self._info = dict(info or {})
        self._session: str | None = None
        self._keeper: SessionKeeper | None = None
        self._sure: set[str] = set()  # processes of which this runner knows all that its session holds
        self._log = logs.get("fleetd.runner")
        self.lost = 0  # sessions

    def resume(self, process: str, known: Mapping[str, int]) -> None:
        self._resume()
        if self._session is None or process in self._sure:
            return
        try:
            self._give_back(self._session, process, known)
        except (ConflictError, NotFound):  # it died while nobody looked
            self._drop()

    def _resume(self) -> None:
        if self._session is not None:
            return
        session = self._journal.session()
        if session is None:
            return
        try:
            self._client.heartbeat(session)
        except (ConflictError, NotFound):
            self._journal.save_session(None)
        else:
            self._keep(session)

    def _give_back(self, session: str, process: str, known: Mapping[str, int]) -> None:
        """Give back what the session holds of a process and the caller does not know of."""
        for work in self._client.heartbeat(session).get("work") or []:
            if work["process"] == process and known.get(work["machine"]) != work["fencing_token"]:
                self._client.cancel_work(session, work["machine"], process, "the runner did not begin it")
        self._sure.add(process)

    def claim(self, process: str, count: int, machines: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
        try:
            return self._claim(self._ready(), process, count, machines, known)
        except ConflictError:  # it died while nobody looked
            self._drop()
            return self._claim(self._ready(), process, count, machines, known)

    def _claim(
        self, session: str, process: str, count: int, machines: Sequence[str], known: Mapping[str, int]
    ) -> dict[str, int]:
        if process not in self._sure:
            self._give_back(session, process, known)
        self._sure.discard(process)
        found: dict[str, int] = {}
        for first in range(0, len(machines), _MACHINES):
            left = min(count - len(found), _COUNT)
            if left > 0:
                items = self._client.claim_work(session, process, left, machines[first : first + _MACHINES])
                found.update((item["machine"], item["fencing_token"]) for item in items)
        self._sure.add(process)
        return found

    def session(self) -> str | None:
        return self._session

    def finish(self, process: str, machine: str, token: int) -> None:
        self._client.finish_work(self._ready(), machine, process, token)

    def fail(self, process: str, machine: str, token: int, cause: str) -> None:
        self._client.fail_work(self._ready(), machine, process, cause, token)

    def cancel(self, process: str, machine: str) -> None:
        try:
            self._client.cancel_work(self._ready(), machine, process, "the runner did not begin it")
        except (ConflictError, NotFound):
            return

    def end(self) -> None:
        """Give everything back. For when nothing is held; a session that is left alone ends by itself."""
        session = self._session
        self._drop()
        if session is not None:
            try:
                self._client.end_session(session)
                self._journal.save_session(None)
            except FleetError as error:
                self._log.info("session_left", message=error.message)

    def close(self) -> None:
        """No more heartbeats; the session lives on for the next start."""
        if self._keeper is not None:
            self._keeper.stop()

    def _ready(self) -> str:
        """The session; a new one if there is none or it is lost."""
        if self._keeper is not None and self._keeper.lost:
            self.lost += 1
            self._log.warning(
                "session_lost", message="others may have this runner's machines now; what runs is finished"
            )
            self._drop()
        self._resume()
        if self._session is None:
            made = self._client.start_session(self._component, self._seconds, self._info)
            self._journal.save_session(made["id"])
            self._keep(made["id"])
        assert self._session is not None  # noqa: S101 - _keep has set it
        return self._session

    def _keep(self, session: str) -> None:
        self._session = session
        self._keeper = SessionKeeper(lambda: self._client.heartbeat(session), self._seconds)
        self._keeper.start()

    def _drop(self) -> None:
        self.close()
        self._session = None
        self._keeper = None
        self._sure.clear()
        self._journal.save_session(None)
