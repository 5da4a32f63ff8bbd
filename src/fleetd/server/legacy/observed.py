# SPDX-License-Identifier: BSD-2-Clause
"""A monitor's event as a change of a machine's description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime

from fleetd.server.legacy import process
from fleetd.server.machines.model import Annotation, Description


def observed(event: process.MonitorEvent) -> Callable[[Description, datetime], Description]:
    """Apply :func:`process.process`. The holds of people are not touched."""

    def change(previous: Description, now: datetime) -> Description:
        shared = [item.name for item in fields(process.ObservedState) if item.name != "announcement"]
        state = process.process(process.ObservedState(**{name: getattr(previous, name) for name in shared}), event, now)
        said = state.announcement
        annotation = previous.annotation if said is None else Annotation(said, "fleetd", now)
        return replace(previous, annotation=annotation, **{name: getattr(state, name) for name in shared})

    return change
