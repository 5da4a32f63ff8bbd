# SPDX-License-Identifier: BSD-2-Clause

"""The components of a device document as one flat list. Pure."""

from __future__ import annotations

from typing import Any, Optional

from .match import labels
from .sections import KINDS, Document, plain


def components(document: Optional[Document]) -> list[dict[str, Any]]:
    """All components in the order of the document: ``component`` as in a change and unique, ``slug``, and the fields.

    ``slug`` is what FleetDB calls the kind, where it has it.
    """
    data = plain(document) if document is not None else {}
    out = []
    for field, kind in KINDS.items():
        if not kind.title or kind.whole:
            continue
        found = data.get(field) or []
        if isinstance(found, list):
            named = [(f"{field}:{title}", item) for title, item in zip(labels(found), found)]
        else:
            named = [(field, found)]
        out += [{"component": name, **({"slug": kind.slug} if kind.slug else {}), **item} for name, item in named]
    return out
