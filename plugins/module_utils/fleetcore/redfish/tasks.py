# SPDX-License-Identifier: BSD-2-Clause

"""Tasks of a Redfish service (DSP0266, asynchronous operations): what a write has begun, followed to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import FleetError, NotVerified, TransientError
from ..ports import HttpResponse
from .answers import body_of
from .service import Service
from .values import items, link, text

_RUNNING = ("New", "Starting", "Running", "Pending", "Service", "Stopping", "Interrupted", "Suspended", "Cancelling")
_BAD = ("Exception", "Killed", "Cancelled")
_POLL_SECONDS = 5.0


class Task:
    """The task that the answer to a write names: the resource, or its monitor, which both may be missing."""

    def __init__(self, service: Service, response: HttpResponse) -> None:
        body = body_of(response)
        self._service = service
        self._monitor = link(response.headers.get("location", ""))
        self._task = _link_of(body)
        self.path = self._task or self._monitor

    def follow(self, what: str, timeout: float, end: float, note: Callable[[Mapping[str, Any]], None]) -> None:
        """Wait until the task is over.

        One that is not there any more is over; a BMC that restarts meanwhile is waited for.

        :param what: for messages: "the update of BIOS".
        :param timeout: the limit in seconds, and ``end`` that limit on the clock's ``monotonic``.
        :param note: is told what the task shows, each time that it is looked at.
        :raises NotVerified: the task failed, or is not over at the end.
        """
        clock = self._service.clock
        while self._monitor or self._task:
            clock.sleep(min(_POLL_SECONDS, timeout / 20))
            found, over = self._look()
            if found is None and over and self._task and self._monitor:
                # Some BMCs forget the monitor as soon as it was read: the task itself may still be there.
                self._monitor = None
                continue
            if found is not None:
                self._task = _link_of(found) or self._task
                note(found)
                state = text(found.get("TaskState"))
                over = over or (state is not None and state not in _RUNNING)
                if state in _BAD or (over and found.get("TaskStatus") == "Critical"):
                    said = "; ".join(text(item.get("Message")) or "" for item in items(found.get("Messages")))
                    raise NotVerified(
                        f"{self._service.host}: {what} failed: {state}{': ' + said[:300] if said else ''}",
                        task=self.path,
                    )
            if over:
                return
            if clock.monotonic() > end:
                raise NotVerified(f"{self._service.host}: {what} is not over after {timeout:g} s", task=self.path)

    def _look(self) -> tuple[Optional[Mapping[str, Any]], bool]:
        """(what there is to see, whether it is over); (None, False) while the BMC does not answer."""
        try:
            response = self._service.send("GET", self._monitor or str(self._task))
        except TransientError:
            return None, False
        if response.status in (404, 410):
            return None, True
        if response.status >= 400:
            return None, False
        return body_of(response) or None, self._monitor is not None and response.status != 202


def task_of(service: Service, response: Optional[HttpResponse]) -> Mapping[str, Any]:
    """The task that a write has begun (HTTP 202); empty when there is none, or it can't be read."""
    if response is None or response.status != 202:
        return {}
    try:
        return service.find(Task(service, response).path) or {}
    except FleetError:
        return {}


def has_failed(task: Mapping[str, Any]) -> bool:
    """Whether a task is over and did not do what it was for."""
    return text(task.get("TaskState")) in _BAD


def task_words(task: Mapping[str, Any]) -> str:
    """The words of a task; empty when it says nothing."""
    said = [text(item.get("Message")) for item in items(task.get("Messages"))]
    words = "; ".join(item for item in (text(task.get("TaskState")), *said) if item)
    return f"its task: {words[:300]}" if words else ""


def _link_of(body: Mapping[str, Any]) -> Optional[str]:
    """Where a Task is, if this is one."""
    return link(body) if "Task" in str(body.get("@odata.type")) else None
