# SPDX-License-Identifier: BSD-2-Clause

"""Declarations of the fields of the device document. Everything that handles fields reads from there what they are.

A new kind of part is a record in ``parts.py`` and a field of ``model.Device`` with :func:`parts` as metadata. It then
has its place in coverage, history, merge, the list of components, and the tables of page and command line
(``tables.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

PART = ("place", "model", "serial", "details", "firmware", "health")
"""Columns of a table of parts, by their names in ``tables.py``."""


class Kind(NamedTuple):
    """One field of the device document.

    :ivar title: heading for people; empty: it has no table.
    :ivar parts: a list of components, which are known by their serial numbers and places.
    :ivar sections: of an out-of-band coverage: in which section the field is collected, and which others speak for
        it, too.
    :ivar columns: of its table: names of ``tables.py``, or fields of the part.
    :ivar details: fields of the part that the column ``details`` shows.
    :ivar slug: what FleetDB calls the kind, if it has it.
    :ivar usual: every machine has some: that there are none is worth a line.
    :ivar bmc_first: the BMC knows it better than the machine's own OS.
    :ivar whole: taken from one source as a whole, since entries of two vocabularies are not mixed.
    :ivar reading: true of one moment only.
    """

    title: str = ""
    sections: tuple[str, ...] = ("system",)
    columns: tuple[str, ...] = PART
    details: tuple[str, ...] = ()
    slug: Optional[str] = None
    usual: bool = False
    bmc_first: bool = False
    whole: bool = False
    reading: bool = False
    parts: bool = False


def about(*sections: str, **said: Any) -> Mapping[str, Kind]:
    """Say what a field with one value is, as its metadata; ``said`` as in :class:`Kind`."""
    return {"kind": Kind(sections=sections, **said)}


def parts(title: str, *sections: str, **said: Any) -> Mapping[str, Kind]:
    """Say what a field with a list of components is, as its metadata; ``said`` as in :class:`Kind`."""
    return rows(title, *sections, parts=True, **said)


def rows(title: str, *sections: str, **said: Any) -> Mapping[str, Kind]:
    """Say what a field with a list of something else is: readings, messages."""
    return {"kind": Kind(title, sections, **said)}


def kind_of(item: dataclasses.Field[Any]) -> Kind:
    """Read what was said of a field where it was declared."""
    kind: Kind = item.metadata.get("kind", _OTHER)
    return kind


_OTHER = Kind()
