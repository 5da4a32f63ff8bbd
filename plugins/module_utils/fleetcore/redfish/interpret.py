# SPDX-License-Identifier: BSD-2-Clause

"""Make the device document of a walked tree. Pure, so that a stored tree can be read anew by a better interpreter.

Topics read one field each. A topic that fails by a bug of ours costs its own section, with the reason in the
coverage, never the document.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from .. import __version__
from ..document.model import Collector, Coverage, Device, Source, Stats, Verdict, to_dict
from . import machine
from .rules import Reader
from .topics import memory
from .topics.registry import TOPICS
from .tree import Tree


def interpret(
    tree: Tree,
    coverage: Mapping[str, Coverage],
    *,
    collected_at: Optional[str] = None,
    stats: Optional[Stats] = None,
) -> Device:
    """Read the document of the walker's chosen system. Never raises for what is in the tree."""
    verdicts = dict(coverage)
    tree = dataclasses.replace(tree, coverage=verdicts, derived={})

    def ask(section: str, read: Reader) -> Any:
        """Give what a reader finds; None for nothing, and for a reader that failed."""
        try:
            found = read(tree)
        except Exception as error:  # noqa: BLE001  (any JSON must give a document or a recorded reason)
            reason = f"could not be read: {type(error).__name__}: {str(error)[:200]}"
            verdicts[section] = Coverage(Verdict.FAILED, reason)
            return None
        if not found or (dataclasses.is_dataclass(found) and not to_dict(found)):
            return None
        if section in verdicts and verdicts[section].verdict is Verdict.ABSENT:
            verdicts[section] = Coverage()  # it was inside of another section's resource
        return found

    fields: dict[str, Any] = ask("system", machine.read) or {}
    for topic in TOPICS:
        found = ask(topic.section, topic.read)
        if found is None and topic.otherwise is not None:
            found = ask(*topic.otherwise)
        if found is not None:
            fields[topic.field] = found
    if "memory" not in fields and tree.answered("memory"):
        # No module is known by it: the verdict stays what it is.
        fields["metadata"] = {**fields.get("metadata", {}), **memory.total(tree)}
    return Device(
        **fields,
        source=Source.OOB,
        collected_at=collected_at,
        collector=Collector(name="redfish", version=__version__),
        stats=stats,
        coverage=verdicts,
    )
