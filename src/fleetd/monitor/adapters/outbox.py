# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What is to reach the server: each kind in order, kept in the spool while the server can't be reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fleetcore.errors import BadResponse, ConflictError, FleetError, InvalidInput, NotFound, TransportError

from fleetd.common import logs
from fleetd.common.link import Link
from fleetd.monitor.adapters.spool import Report, Spool

EVENT, DEVICE = KINDS = ("event", "device")
Send = Callable[[Mapping[str, Any]], object]
_NO_SUCH_API = (200, 404, 405, 501)  # what servers without /api/v1 answer there


class Server(Protocol):
    """The part of a machine server that takes reports; see :class:`fleetcore.net.client.ServerClient`."""

    def post_event(self, event: Mapping[str, Any]) -> None: ...

    def publish_device(self, machine: str, document: Mapping[str, Any], source: str) -> dict[str, Any]: ...


def senders(server: Server, machine: str) -> dict[str, Send]:
    """How each kind of report is sent."""
    return {
        EVENT: server.post_event,
        DEVICE: lambda document: server.publish_device(machine, document, "inband"),
    }


class Outbox:
    """Sends reports of each kind in the order in which they were offered, each at least once.

    Events go first, and a device document that the server fails on does not hold them up; nothing is tried while it does not take events.

    What the server refuses as malformed is dropped with a log line, so that it can't hold up the rest. What it refuses for
    its token, and everything while it can't be reached, is kept. A report that the server always fails on goes when the spool is full.

    ``refused`` counts what was dropped so.

    :param send: how each kind is sent. :param links: when the server may be asked again for each kind.
    """

    def __init__(self, spool: Spool, send: Mapping[str, Send], links: Mapping[str, Link]) -> None:
        self.spool = spool
        self._send = send
        self._links = links
        self._flying: Report | None = None
        self._lock = threading.Lock()
        self._log = logs.get("fleetd.monitor")
        self._said: set[str] = set()
        self._dropped = spool.dropped
        self.refused = 0

    def offer(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Send a report after those that wait, or keep it. True if it has left: it was delivered, or refused for good."""
        self.flush()
        report = Report("", kind, body)
        if not self.spool.has(kind) and not self._wait(kind):
            self._flying = report
            left = self._deliver(report)
            with self._lock:
                kept, self._flying = self._flying is None, None
            if left or kept:
                return left
        self._keep(report)
        return False

    def flush(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Send what waits, until it is all gone (True), the server fails, or ``stop`` says so."""
        sent = 0
        for kind in KINDS:
            while not self._wait(kind) and not stop():
                report = self.spool.first(kind)
                if report is None or not self._deliver(report):
                    break
                self.spool.remove(report)
                sent += 1
        if sent:
            self._log.info("spool_sent", sent=sent, left=len(self.spool), dropped=self.spool.dropped)
        return not len(self.spool)

    def wait(self) -> float | None:
        """Seconds until something that waits may be sent; None if nothing waits."""
        return min((self._wait(kind) for kind in KINDS if self.spool.has(kind)), default=None)

    def _wait(self, kind: str) -> float:
        return max(self._links[EVENT].wait(), self._links[kind].wait())

    def keep_flying(self) -> None:
        """Put what is being sent right now into the spool: the process ends without waiting for the server's answer."""
        with self._lock:
            if self._flying is not None:
                self._keep(self._flying)
                self._flying = None

    def _keep(self, report: Report) -> None:
        first = not len(self.spool)
        try:
            self.spool.put(report.kind, report.body)
        except InvalidInput as error:
            self._log.error("spool_failed", message=error.message)
        if first:
            self._log.info("spooling", message="reports are kept until the server takes them")
        if self.spool.dropped != self._dropped:
            if "dropped" not in self._said:
                self._log.warning(
                    "spool_full", message="the oldest reports are dropped from now on", dropped=self.spool.dropped
                )
            self._said.add("dropped")
            self._dropped = self.spool.dropped

    def _deliver(self, report: Report) -> bool:
        """Whether the report has left: the server has it, or refused it for good."""
        try:
            self._send[report.kind](report.body)
        except FleetError as error:
            if _refused(report.kind, error):
                self._links[report.kind].worked()
                self._refuse(report, error)
                return True
            self._links[report.kind].failed(
                error if isinstance(error, TransportError) else BadResponse(error.message, **error.details)
            )
            return False
        self._links[report.kind].worked()
        self._said.discard("dropped")
        return True

    def _refuse(self, report: Report, error: FleetError) -> None:
        self.refused += 1
        if _unknown_here(report.kind, error):
            if report.kind not in self._said:
                self._log.warning(
                    "not_taken", kind=report.kind, message=f"the server takes no device documents: {error.message}"
                )
            self._said.add(report.kind)
            return
        self._log.error("report_refused", kind=report.kind, code=error.code, message=f"dropped: {error.message}")


def _refused(kind: str, error: FleetError) -> bool:
    """Sending it again would not help, whatever becomes of the server."""
    return isinstance(error, (InvalidInput, ConflictError)) or _unknown_here(kind, error)


def _unknown_here(kind: str, error: FleetError) -> bool:
    """A server of another make, which has events but no device documents; or one that has forgotten the machine."""
    missing = isinstance(error, NotFound)
    return kind == DEVICE and (
        missing or (isinstance(error, BadResponse) and error.details.get("status") in _NO_SUCH_API)
    )
