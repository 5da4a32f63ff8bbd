# SPDX-License-Identifier: BSD-2-Clause
"""The monitor's two outboxes, events before device documents, with one spool; and what is said of them in the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcore.errors import BadResponse, ConflictError, FleetError, InvalidInput, NotFound, TransportError
from fleetcore.host.spool import Gate, Outbox, Report, Spool

from fleetd.common import logs

EVENT, DEVICE = KINDS = ("event", "device")
Send = Callable[[Mapping[str, Any]], object]
_NO_SUCH_API = (200, 404, 405, 501)  # what servers without /api/v1 answer there


@dataclass(frozen=True)
class _Both:
    """Documents wait for the events' gate, too: nothing is tried while the server does not take events."""

    events: Gate
    own: Gate

    def wait(self) -> float:
        return max(self.events.wait(), self.own.wait())

    def worked(self) -> None:
        self.own.worked()

    def failed(self, error: FleetError) -> None:
        self.own.failed(error)


class Outboxes:
    """An outbox for each kind of report.

    Events go first, and a document that the server fails on does not hold them up.

    What the server refuses as malformed is dropped with a log line, and so is a document that it fails on while it
    takes a newer one. What it refuses for its token, and everything while it can't be reached, is kept. An event that
    the server always fails on goes when the spool is full.

    :param send: how each kind is sent.
    :param gates: when the server may be asked again for each kind.
    :ivar refused: how many reports were dropped because the server refused them.
    """

    def __init__(self, spool: Spool, send: Mapping[str, Send], gates: Mapping[str, Gate]) -> None:
        self.spool = spool
        self._log = logs.get("fleetd.monitor")
        self._said: set[str] = set()
        self._dropped = spool.dropped
        self._spooling = False
        self.refused = 0
        self._kinds = {
            # Of events the order counts; documents say when they were made.
            kind: Outbox(
                spool,
                _sender(kind, send[kind]),
                _Both(gates[EVENT], gates[kind]),
                self,
                kind=kind,
                strict=kind == EVENT,
            )
            for kind in KINDS
        }

    def offer(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Send a report after those that wait, or keep it.

        True if it has left: it was delivered, or refused for good.
        """
        self.flush()
        return self._kinds[kind].offer([Report(kind, body)])

    def flush(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Send what waits, until it is all gone (True), the server fails, or ``stop`` says so."""
        sent = sum(outbox.flush(stop) for outbox in self._kinds.values())
        if sent:
            self._log.info("spool_sent", sent=sent, left=len(self.spool), dropped=self.spool.dropped)
        self._spooling = len(self.spool) > 0
        return not self._spooling

    def wait(self) -> float | None:
        """Seconds until something that waits may be sent; None if nothing waits."""
        waits = [wait for outbox in self._kinds.values() if (wait := outbox.wait()) is not None]
        return min(waits, default=None)

    def keep_flying(self) -> None:
        """Put what is being sent right now into the spool: the process ends without waiting for the server's answer."""
        for outbox in self._kinds.values():
            outbox.keep_flying()

    def left(self, report: Report, answer: Any, _waited: bool) -> None:
        if not isinstance(answer, FleetError):
            self._said.discard("dropped")
            return
        self.refused += 1
        if report.kind == DEVICE and isinstance(answer, NotFound):
            if DEVICE not in self._said:
                self._log.warning(
                    "not_taken", kind=report.kind, message=f"the server takes no device documents: {answer.message}"
                )
            self._said.add(DEVICE)
            return
        self._log.error("report_refused", kind=report.kind, code=answer.code, message=f"dropped: {answer.message}")

    def kept(self, _report: Report) -> None:
        if not self._spooling:
            self._spooling = True
            self._log.info("spooling", message="reports are kept until the server takes them")
        if self.spool.dropped != self._dropped:
            if "dropped" not in self._said:
                self._log.warning(
                    "spool_full", message="the oldest reports are dropped from now on", dropped=self.spool.dropped
                )
            self._said.add("dropped")
            self._dropped = self.spool.dropped

    def lost(self, report: Report, error: FleetError) -> None:
        self._log.error("spool_failed", message=error.message)
        self.kept(report)


def _sender(kind: str, send: Send) -> Callable[[Sequence[Report]], Sequence[Any]]:
    """Send one report at a time, with the errors that :class:`Outbox` knows.

    A ``TransportError`` may pass, all others never will.

    A server of another make takes events but no device documents, or it has forgotten the machine: that is
    ``NotFound``.
    """

    def sent(reports: Sequence[Report]) -> Sequence[Any]:
        try:
            return [send(report.body) for report in reports]
        except (InvalidInput, ConflictError, TransportError, NotFound) as error:
            if kind == DEVICE and isinstance(error, BadResponse) and error.details.get("status") in _NO_SUCH_API:
                raise NotFound(error.message, **error.details) from error
            if kind != DEVICE and isinstance(error, NotFound):
                raise BadResponse(error.message, **error.details) from error
            raise
        except FleetError as error:  # of a kind that no server should answer: it may pass
            raise BadResponse(error.message, **error.details) from error

    return sent
