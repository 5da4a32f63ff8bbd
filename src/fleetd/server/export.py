# SPDX-License-Identifier: BSD-2-Clause
"""Device documents for other programs and for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fleetcore.document.alloy import to_alloy
from fleetcore.document.model import device_from_dict
from fleetcore.document.sections import KINDS
from fleetcore.document.tables import heading, rows

Document = Mapping[str, Any]


def alloy(document: Document) -> dict[str, Any]:
    """The document in the shape that FleetDB takes from Alloy: that of bmc-toolbox/common's Device."""
    return to_alloy(device_from_dict(document))


FORMATS: Mapping[str, Callable[[Document], Mapping[str, Any]]] = {"alloy": alloy, "device": dict}
"""How a document is written, by the name of the format."""


def tables(document: Document) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, headings and rows of every kind of part that the machine has."""
    for name, kind in KINDS.items():
        found = document.get(name)
        parts = found if isinstance(found, list) else [found] if found else []
        if kind.title and parts:
            cells = [list(row.values()) for row in rows(kind, parts)]
            yield kind.title, [heading(column).upper() for column in kind.columns], cells
