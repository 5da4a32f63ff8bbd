# SPDX-License-Identifier: BSD-2-Clause
"""What people do about the three holds of a machine: set or clear, with a reason. Pure changes of a description.

Setting what is set gives it the new reason; clearing what is not set changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

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


def toggle_maintenance(user: str) -> Change:
    """Maintenance on or off."""

    def change(previous: Description, now: datetime) -> Description:
        chosen = clear_maintenance if previous.maintenance_mode else set_maintenance
        return chosen("", user)(previous, now)

    return change


def set_quarantine(reason: str, user: str) -> Change:
    """The machine is suspect: latched until a person clears it."""
    return lambda previous, now: replace(
        previous, is_quarantined=True, annotation=_noted("Quarantined", reason, user, now)
    )


def _cleared(field: str, words: str, **values: Any) -> Callable[[str, str], Change]:
    """How a hold is cleared, with a reason and by whom.

    :param field: of the description; if it is not set, nothing changes. :param values: what clears it.
    """

    def clear(reason: str, user: str) -> Change:
        def change(previous: Description, now: datetime) -> Description:
            if not getattr(previous, field):
                return previous
            return replace(previous, annotation=_noted(words, reason, user, now), **values)

        return change

    return clear


clear_maintenance = _cleared("maintenance_mode", "Cleared maintenance mode", maintenance_mode="")
clear_quarantine = _cleared("is_quarantined", "Cleared quarantine", is_quarantined=False)
# It starts again when the monitor still sees its cause.
clear_recovery = _cleared("recovering", "Ended recovery", recovering="", recovery_start=None)
