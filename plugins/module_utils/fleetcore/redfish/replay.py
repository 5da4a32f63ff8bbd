# SPDX-License-Identifier: BSD-2-Clause

"""Replay a capture: the walk over what was recorded, or over anybody's mockup."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterable, Mapping
from typing import Optional
from urllib.parse import unquote

from ..document.model import Device, Verdict
from ..ports import HttpResponse
from .answers import outcome_of
from .capture import Recording
from .interpret import interpret
from .walker import Walker
from .wants import Outcome, Want


def replay(recording: Recording, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> Device:
    """The device document of a capture of Redfish: as it was when it was recorded, but for ``stats``.

    Without ``sections`` and ``system`` those of the recording count.

    :raises FleetError: no or several systems; an unknown section.
    """
    facts = recording.facts
    if system is None and isinstance(facts.get("system"), str):
        system = facts["system"]
    stopped = facts.get("stopped")
    walker = Walker(recording.sections(sections), system)
    walker = _walk(recording, walker, stopped if isinstance(stopped, str) else None)
    device = interpret(walker.tree, walker.coverage(), collected_at=recording.collected_at)
    return dataclasses.replace(device, attempts=recording.attempts("redfish"))


def _walk(recording: Recording, walker: Walker, stopped: Optional[str]) -> Walker:
    """Walk over the recording. Answers come in the order in which they came when it was recorded, others at the end."""
    lower = {path.lower(): path for path in recording.bodies}
    order = {url: number for number, url in enumerate(recording.requests)}
    waiting: list[tuple[int, int, Want]] = []
    asked = 0
    while not walker.done:
        for want in walker.wants():
            asked += 1
            heapq.heappush(waiting, (order.get(want.url, len(order)), asked, want))
        _number, _asked, want = heapq.heappop(waiting)
        outcome = recording.requests.get(want.url)
        gave_up = outcome is None and stopped is not None
        if gave_up:
            outcome = Outcome(Verdict.TIMEOUT, reason=stopped)
        walker.took(want, outcome or _answer(recording.bodies, lower, want.path))
        if gave_up and stopped is not None:
            walker.skip_rest(Verdict.TIMEOUT, stopped)
    if walker.problem is not None:
        raise walker.problem
    return walker


def _answer(bodies: Mapping[str, bytes], lower: Mapping[str, str], path: str) -> Outcome:
    found = bodies.get(path) or bodies.get(unquote(path)) or bodies.get(lower.get(path.lower(), ""))
    if found is None:
        return Outcome(Verdict.ABSENT, reason="not in the capture", status=404)
    return outcome_of(HttpResponse(200, {}, found))
