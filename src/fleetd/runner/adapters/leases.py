# SPDX-License-Identifier: BSD-2-Clause
"""The runner's session on our server, and what it claims with it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetcore.errors import ConflictError, FleetError, NotFound
from fleetcore.net.client.server import ServerClient

from fleetd.common import logs
from fleetd.common.keeper import SessionKeeper
from fleetd.runner.adapters.journal import SqliteJournal

_MACHINES = 10_000  # what the server takes in one claim
_COUNT = 1000


@dataclass
class SessionLeases:
    """Work of any process, claimed with one session, which is made at the first claim.

    Methods raise ``TransportError`` when the server can't be reached.

    The session is in the journal: a runner that is started again within ``seconds`` goes on with it, and nobody else
    gets its machines in between.

    :param seconds: how long the server waits for a sign of life before others may have the machines.
    """

    client: ServerClient
    component: str
    journal: SqliteJournal
    seconds: float
    info: Mapping[str, Any] = field(default_factory=dict)
    _session: str | None = field(default=None, init=False)
    _keeper: SessionKeeper | None = field(default=None, init=False)
    _sure: set[str] = field(default_factory=set, init=False)  # processes of which it knows all that its session holds

    def resume(self, process: str, known: Mapping[str, int]) -> None:
        """Go on with the session of the life before, if there is one and it still lives: its claims protect what runs.

        What it holds of ``process`` and is not ``known`` (as in :meth:`claim`) is given back: nobody else gets it as
        long as it is held.
        """
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
        session = self.journal.session()
        if session is None:
            return
        try:
            self.client.heartbeat(session)
        except (ConflictError, NotFound):
            self.journal.save_session(None)
        else:
            self._keep(session)

    def _give_back(self, session: str, process: str, known: Mapping[str, int]) -> None:
        """Give back what the session holds of a process and the caller does not know of."""
        for work in self.client.heartbeat(session).get("work") or []:
            if work["process"] == process and known.get(work["machine"]) != work["fencing_token"]:
                self.client.cancel_work(session, work["machine"], process, "the runner did not begin it")
        self._sure.add(process)

    def claim(self, process: str, count: int, machines: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
        """Lock up to ``count`` eligible machines of ``machines``, oldest need first: machine -> fencing token.

        :param known: what the caller holds of this process; what the session holds besides (the answer to a claim was
            lost, or the runner died before it was written down) is given back.
        """
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
                items = self.client.claim_work(session, process, left, machines[first : first + _MACHINES])
                found.update((item["machine"], item["fencing_token"]) for item in items)
        self._sure.add(process)
        return found

    def session(self) -> str | None:
        return self._session

    def finish(self, process: str, machine: str, token: int) -> None:
        """Done. :raises ConflictError: the claim is over."""
        self.client.finish_work(self._ready(), machine, process, token)

    def fail(self, process: str, machine: str, token: int, cause: str) -> None:
        """Not done; the server decides when it may be tried again. :raises ConflictError: the claim is over."""
        self.client.fail_work(self._ready(), machine, process, cause, token)

    def cancel(self, process: str, machine: str) -> None:
        """Give it back as if it had not been claimed. No error if it is not held."""
        with contextlib.suppress(ConflictError, NotFound):
            self.client.cancel_work(self._ready(), machine, process, "the runner did not begin it")

    def end(self) -> None:
        """Give everything back. For when nothing is held; a session that is left alone ends by itself."""
        session = self._session
        self._drop()
        if session is not None:
            try:
                self.client.end_session(session)
                self.journal.save_session(None)
            except FleetError as error:
                logs.get("fleetd.runner").info("session_left", message=error.message)

    def close(self) -> None:
        """No more heartbeats; the session lives on for the next start."""
        if self._keeper is not None:
            self._keeper.stop()

    def _ready(self) -> str:
        """The session; a new one if there is none or it is lost."""
        if self._keeper is not None and self._keeper.lost:
            logs.get("fleetd.runner").warning(
                "session_lost", message="others may have this runner's machines now; what runs is finished"
            )
            self._drop()
        self._resume()
        if self._session is None:
            made = self.client.start_session(self.component, self.seconds, self.info)
            self.journal.save_session(made["id"])
            self._keep(made["id"])
        assert self._session is not None  # noqa: S101 - _keep has set it
        return self._session

    def _keep(self, session: str) -> None:
        self._session = session
        self._keeper = SessionKeeper(lambda: self.client.heartbeat(session), self.seconds)
        self._keeper.start()

    def _drop(self) -> None:
        self.close()
        self._session = None
        self._keeper = None
        self._sure.clear()
        self.journal.save_session(None)
