# SPDX-License-Identifier: BSD-2-Clause

"""The hardware event log: its last entries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import LogEntry
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import first, id_of, text

LOG_TAIL = 20
_HEX = re.compile(r"^(0x)?[0-9a-fA-F]+[hH]?$")


def read(tree: Tree) -> tuple[LogEntry, ...]:
    """The last entries of the hardware event log, oldest first."""
    entries = [
        LogEntry(
            id=id_of(path, body),
            created_at=word(first(body, "Created", "EventTimestamp")),
            severity=word(first(body, "Severity", "MessageSeverity")),
            message=_message(body),
            sensor=word(body.get("SensorType")),
        )
        for path, body in tree.of("log_entry")
    ]
    entries.sort(key=lambda entry: entry.created_at or "")
    return tuple(entries[-LOG_TAIL:])


def _message(body: Mapping[str, Any]) -> Optional[str]:
    """The text of a log entry; where it is only event data in hex, with what the entry says about the event."""
    message = text(body.get("Message"))
    data = message if message is not None and _HEX.match(message) else None
    if data is None and word(message):
        return message
    number = text(body.get("SensorNumber"))
    facts = [
        word(first(body, "SensorType", "OemSensorType")),
        f"sensor {number}" if number else None,
        word(first(body, "EntryCode", "OemLogEntryCode")),
    ]
    words = ", ".join(fact for fact in facts if fact)
    return f"{words} ({data})" if words and data else words or data


TOPIC = Topic(
    "log",
    read,
    rules={
        "system": (Follow(("LogServices",), "log_service"),),
        "manager": (Follow(("LogServices",), "log_service"),),
        "log_service": (Follow(("Entries",), "log_entry", many=False, limit=LOG_TAIL),),
    },
)
