# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports a sweep: lines of progress while it runs, the module's result at its end. Private to this collection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
from collections.abc import Mapping
from typing import Any, Optional

from .fleetcore.errors import InvalidInput
from .fleetcore.ports import Clock
from .fleetcore.sweep.engine import Summary, Sweep


class Progress:
    """Writes what happens as JSON lines into a file that others may follow. Without a path it writes nothing.

    Events: ``progress`` (all counts), ``failure``, ``server_down``, ``server_up``, ``stopping``, ``end``.

    :raises InvalidInput: the file can't be written.
    """

    def __init__(self, path: Optional[str], clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = max(0.2, seconds)
        self._begin = clock.monotonic()
        self._file = None
        if path:
            try:
                self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  (closed by __exit__)
            except OSError as error:
                raise InvalidInput.of_path("progress_file", path, "written", error) from error

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def event(self, event: str, facts: Mapping[str, Any]) -> None:
        """Add a line. A full disk does not end a sweep."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(json.dumps({"at": self._clock.now(), "event": event, **facts}) + "\n")
                self._file.flush()

    async def watch(self, sweep: Sweep) -> None:
        """Report how far the sweep is, and stop it when nobody waits for the result any more."""
        reported = 0.0
        while True:
            await asyncio.sleep(min(1.0, self._seconds))
            if _abandoned():
                sweep.stop()
            if self._clock.monotonic() - reported >= self._seconds:
                reported = self._clock.monotonic()
                self.event("progress", self._figures(sweep))

    def end(self, sweep: Sweep) -> None:
        self.event("end", self._figures(sweep))

    def _figures(self, sweep: Sweep) -> dict[str, Any]:
        summary = sweep.summary
        seconds = self._clock.monotonic() - self._begin
        now_done = summary.done - summary.skipped
        left = summary.total - summary.done
        return {
            "done": summary.done,
            "running": sweep.running,
            **{name: getattr(summary, name) for name in ("total", "skipped", "collected", "failed", "published")},
            "seconds": round(seconds, 1),
            "seconds_left": round(seconds / now_done * left, 1) if now_done else None,
        }


def _abandoned() -> bool:
    """True if nobody reads our output any more: an Ansible that is killed leaves its modules running."""
    try:
        poll = select.poll()
        poll.register(1, 0)
        return any(event & select.POLLERR for _fd, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def result(summary: Summary, params: Mapping[str, Any], spool: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": bool(summary.changed) or bool(params["directory"] and summary.collected),
        "summary": counts(summary),
        "failures": summary.failures,
    }
    warnings = []
    if summary.spooled:
        warnings.append(
            f"{summary.spooled} documents could not be brought to the machine server; they are in {spool} and "
            "the next sweep sends them"
        )
    bad = summary.failed + summary.refused
    if bad:
        kinds = ", ".join(f"{count} {code}" for code, count in summary.by_error.most_common(5))
        warnings.append(f"{bad} of {summary.total} machines failed: {kinds}")
    if warnings:
        result["warnings"] = warnings
    attempted = summary.total - summary.skipped
    again = "run it again with the same state_file to go on" if params["state_file"] else "there was no state_file"
    msg, details = "", {}
    if summary.problem is not None:
        code, details = summary.problem.code, summary.problem.details
        msg = (
            f"The machine server takes no documents: {summary.problem.message} {summary.spooled} wait in the spool, "
            f"{summary.done} of {summary.total} machines are done; {again}"
        )
    elif summary.interrupted:
        code = "interrupted"
        msg = f"The sweep was interrupted: {summary.done} of {summary.total} machines are done; {again}"
    elif attempted and (bad == attempted or 100 * bad > params["failure_budget"] * attempted):
        code, details = summary.by_error.most_common(1)[0][0], {"by_error": dict(summary.by_error)}
        first = summary.failures[0]
        msg = f"{bad} of {attempted} machines failed. {first['machine']}: {first['message']}"
    if msg:
        result.update(failed=True, msg=msg, failure={"code": code, "details": details})
    return result


def counts(summary: Summary) -> dict[str, Any]:
    """The figures of the module's result."""
    return {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in vars(summary).items()
        if name not in ("peak_documents", "failures", "problem")
    }
