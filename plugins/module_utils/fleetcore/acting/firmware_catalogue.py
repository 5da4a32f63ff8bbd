# SPDX-License-Identifier: BSD-2-Clause

"""Compares a catalogue of firmware with what one machine has: which components differ, and in which direction. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Optional

from ..errors import InvalidInput, NotFound
from ..redfish.quirks import AVAILABLE_PREFIXES, DUPLICATE_PREFIXES, PREVIOUS_PREFIXES
from ..redfish.values import id_of, links, text
from .firmware_versions import compare

_SAME, _NEWER = 0, 1


@dataclass(frozen=True)
class Item:
    """One component whose version the catalogue names.

    :ivar same: name and software id, by which it is known again where its path has the version in it (Dell).
    """

    path: str
    component: str
    installed: Optional[str]
    wanted: str
    image: Optional[str] = None
    sha256: Optional[str] = None
    updateable: bool = True
    same: tuple[Any, ...] = ()

    @property
    def action(self) -> str:
        """``none``, ``upgrade``, ``downgrade``, or ``replace`` when nobody can tell which version is the newer one."""
        order = compare(self.wanted, self.installed)
        return (
            "replace" if order is None else "none" if order == _SAME else "upgrade" if order == _NEWER else "downgrade"
        )

    def shows(self, version: Optional[str]) -> bool:
        """Is this the version that is wanted? A date that only one of them has does not count."""
        return compare(self.wanted, version) == _SAME

    def to_dict(self) -> dict[str, Any]:
        return {"component": self.component, "installed": self.installed, "wanted": self.wanted, "action": self.action}


def items_of(
    catalogue: Sequence[Mapping[str, Any]],
    vendor: Optional[str],
    model: Optional[str],
    inventory: Sequence[tuple[str, Mapping[str, Any]]],
    components: Optional[Sequence[str]] = None,
) -> list[Item]:
    """The components of one machine that the catalogue names, in the catalogue's order.

    :param catalogue: entries ``{vendor, model, component, version, image, sha256}``. Vendor, model and component are
        shell patterns in any case. A component is matched with the Id, Name and SoftwareId of the firmware inventory.
    :param inventory: (path, SoftwareInventory) of each row.
    :param components: only these of the catalogue.
    :raises InvalidInput: an entry without version, or two that want different versions of one component.
    :raises NotFound: one of ``components`` is not in the catalogue for this machine.
    """
    chosen: dict[str, Item] = {}
    named: set[str] = set()
    for number, entry in enumerate(catalogue):
        for name in ("component", "version"):
            if not text(entry.get(name)):
                raise InvalidInput.of("catalogue", f"entry {number + 1} has no {name}")
        if not (_fits(entry.get("vendor"), vendor) and _fits(entry.get("model"), model)):
            continue
        if components is not None and entry["component"] not in components:
            continue
        named.add(str(entry["component"]))
        for path, body in inventory:
            names = [text(body.get(name)) for name in ("Id", "Name", "SoftwareId")]
            if is_shadow(body) or not any(_fits(entry["component"], name) for name in names if name):
                continue
            item = _item(path, body, entry)
            if path in chosen and chosen[path].wanted != item.wanted:
                raise InvalidInput.of(
                    "catalogue", f"it wants {chosen[path].wanted} and {item.wanted} of {item.component}"
                )
            chosen.setdefault(path, item)
    missing = sorted(set(components or ()) - named)
    if missing:
        raise NotFound(
            f"the catalogue has no {', '.join(missing)} for {vendor or 'this vendor'} {model or ''}".strip(),
            components=missing,
        )
    return list(chosen.values())


def _item(path: str, body: Mapping[str, Any], entry: Mapping[str, Any]) -> Item:
    return Item(
        path,
        id_of(path, body),
        text(body.get("Version")),
        str(entry["version"]).strip(),
        text(entry.get("image")),
        text(entry.get("sha256")),
        body.get("Updateable") is not False,
        same=(body.get("Name"), body.get("SoftwareId")),
    )


def is_shadow(body: Mapping[str, Any]) -> bool:
    """Is it a row that is not what runs, or that there is twice?"""
    return str(body.get("Id")).strip().startswith((*AVAILABLE_PREFIXES, *PREVIOUS_PREFIXES, *DUPLICATE_PREFIXES))


def of_another(path: str, body: Mapping[str, Any], system: str, others: Sequence[tuple[str, str]]) -> bool:
    """Is it firmware of another system behind the same BMC?

    Its RelatedItem says so, or its Id begins with that system's (``Node1.BIOS``).
    """
    related = links(body.get("RelatedItem"), path)
    name = id_of(path, body)

    def within(place: str) -> bool:
        return any(item == place or item.startswith(place + "/") for item in related)

    for other, place in others:
        if (within(place) and not within(system)) or re.match(re.escape(other) + r"[^A-Za-z0-9]", name):
            return True
    return False


def _fits(pattern: Any, value: Optional[str]) -> bool:
    if pattern is None:
        return True
    return value is not None and fnmatchcase(value.lower().strip(), str(pattern).lower().strip())


def check_direction(host: str, todo: Sequence[Item], direction: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is no upgrade, unless any direction was asked for.

    :raises InvalidInput: an older version, or one of which nobody can tell.
    """
    refused = [item for item in todo if item.action != "upgrade"] if direction == "upgrade" else []
    if refused:
        words = "; ".join(
            f"{item.component}: {item.installed} -> {item.wanted} "
            + ("is a downgrade" if item.action == "downgrade" else "can't be ordered")
            for item in refused
        )
        raise InvalidInput(
            f"{host}: nothing was changed: {words}; with direction: any it is installed",
            field="direction",
            firmware=list(rows),
        )
