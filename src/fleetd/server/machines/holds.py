# SPDX-License-Identifier: BSD-2-Clause
"""What people do about the three holds of a machine: set or clear, with a reason. Pure changes of a description.

Setting what is set gives it the new reason; clearing what is not set changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from fleetd.server.machines.model import Annotation, Description

Change = Callable[[Description, datetime], Description]


def _noted(words: str, reason: str, user: str, now: datetime) -> Annotation:
    return Annotation(f"{words}: {reason}" if reason else words, user, now)


def set_maintenance(reason: str, user: str) -> Change:
    """A person keeps work away. Who and when are part of the text, because monitors and pages show it as it is."""

    def change(previous: Description, now: datetime) -> Description:
        text = f"{user} {now:%Y-%m-%d %H:%M:%S} UTC" + (f": {reason}" if reason else "")
        note = _noted("Set maintenance mode", reason, user, now)
        return replace(previous, maintenance_mode=text, annotation=note)

    return change


def clear_maintenance(reason: str, user: str) -> Change:
    """Work may come again, as far as that person is concerned."""

    def change(previous: Description, now: datetime) -> Description:
        if not previous.maintenance_mode:
            return previous
        note = _noted("Cleared maintenance mode", reason, user, now)
        return replace(previous, maintenance_mode="", annotation=note)

    return change


def set_quarantine(reason: str, user: str) -> Change:
    """The machine is suspect: latched until a person clears it."""

    def change(previous: Description, now: datetime) -> Description:
        return replace(previous, is_quarantined=True, annotation=_noted("Quarantined", reason, user, now))

    return change


def clear_quarantine(reason: str, user: str) -> Change:
    """A person trusts it again."""

    def change(previous: Description, now: datetime) -> Description:
        if not previous.is_quarantined:
            return previous
        return replace(previous, is_quarantined=False, annotation=_noted("Cleared quarantine", reason, user, now))

    return change


def clear_recovery(reason: str, user: str) -> Change:
    """End a recovery that its monitor does not end. It starts again when the monitor still sees its cause."""

    def change(previous: Description, now: datetime) -> Description:
        if not previous.recovering:
            return previous
        note = _noted("Ended recovery", reason, user, now)
        return replace(previous, recovering="", recovery_start=None, annotation=note)

    return change
