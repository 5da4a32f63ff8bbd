# SPDX-License-Identifier: BSD-2-Clause
"""Tools that every duty of the runner works with."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from fleetcore.errors import FleetError, TransportError
from fleetcore.ports import Clock

from fleetd.common import logs
from fleetd.common.link import Link, jittered
from fleetd.runner.adapters.journal import SqliteJournal
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import JournalBroken, PlaybookRun, PlaybookRunner

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """``wall``: seconds since the epoch; ``random``: from 0 to 1; ``new_id``: the end of a run's id."""

    runner: PlaybookRunner
    journal: SqliteJournal
    link: Link
    metrics: RunnerMetrics
    clock: Clock
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12]
    log: structlog.stdlib.BoundLogger = field(default_factory=lambda: logs.get("fleetd.runner"))

    def ask(self, process: str, ask: Callable[[], T], refused: Callable[[FleetError], object]) -> T | None:
        """Ask the server for work. None: it can't be reached, or it refuses, which is told to ``refused``."""
        try:
            answer = ask()
        except JournalBroken:
            raise
        except FleetError as error:
            self.metrics.polls.labels(process, error.code).inc()
            if isinstance(error, TransportError):
                self.link.failed(error)
            else:
                refused(error)
            return None
        self.link.worked()
        self.metrics.polls.labels(process, "ok").inc()
        return answer

    def start(self, process: str, run: PlaybookRun) -> bool:
        """Start a playbook run. False: nothing was started, and a log line says why."""
        try:
            self.runner.start(run)
        except FleetError as error:
            self.log.error("run_not_started", process=process, run=run.id, message=error.message)
            return False
        self.metrics.runs.labels(process).inc()
        return True

    def in_about(self, seconds: float) -> float:
        """The time on ``clock`` after so many seconds, spread a little: many runners ask one server."""
        return self.clock.monotonic() + jittered(seconds, self.random())
