# SPDX-License-Identifier: BSD-2-Clause

"""Boards: assemblies of the chassis that are swapped as one part and are listed nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ...document.parts import Board
from ...document.values import clean_serial, word
from ..quirks import ASSEMBLY_SERIAL_PATHS, BOARD_NAMES
from ..rules import Follow, Topic
from ..tree import Found, Tree
from ..values import at, first, id_of, text
from .common import common, component, part, slot


def read(tree: Tree) -> tuple[Board, ...]:
    """Assemblies with a number of their own that no other resource has."""
    assemblies = tree.inside("assembly", "Assemblies")
    known = set(_known(tree)) if assemblies else set()
    out: list[Board] = []
    for path, body in assemblies:
        serial, number = assembly_serial(body), part(body)
        # Without a serial number it is the same thing as another part of that number, or as the one it is named after.
        other = {serial} if serial else {number, (text(body.get("Name")) or "").partition("#")[0]}
        if (serial or number) and not is_system_board(body) and not known.intersection(other):
            known.add(serial or "")
            fields = {**common(body), "serial": serial, "firmware": None}  # Version is that of the board
            pcb = clean_serial(at(body, "Oem.PCBSerialNumber"))
            fields["metadata"].update({"pcb_serial_number": pcb} if pcb and pcb != serial else {})
            own = f"{id_of(*_owner(tree, path))}.{id_of(path, body)}"
            out.append(Board(**fields, id=own, slot=slot(body), part_number=number))
    for path, body in tree.of("trusted_component"):
        if not is_tpm(body):
            out.append(Board(**component(tree, path, body), part_number=part(body)))
    return tuple(out)


def assembly_serial(body: Mapping[str, Any]) -> Optional[str]:
    """The serial number of an assembly."""
    return clean_serial(first(body, "SerialNumber", *ASSEMBLY_SERIAL_PATHS))


def is_system_board(body: Mapping[str, Any]) -> bool:
    """Whether an assembly or a chassis is the mainboard."""
    names = ["".join(filter(str.isalpha, str(body.get(name, "")).lower())) for name in ("Id", "Name", "Model")]
    return body.get("PhysicalContext") == "SystemBoard" or not set(BOARD_NAMES).isdisjoint(names)


def is_tpm(body: Mapping[str, Any]) -> bool:
    """Whether a trusted component is a TPM."""
    return "tpm" in " ".join(str(body.get(name, "")) for name in ("Id", "Name", "Model", "Description")).lower()


def _owner(tree: Tree, path: str) -> tuple[str, Mapping[str, Any]]:
    """The chassis that an assembly is of."""
    chassis = tree.parents.get(path.rsplit("/", 2)[0], "")
    return chassis, tree.get(chassis)


def _known(tree: Tree) -> Iterator[Optional[str]]:
    """Serial numbers, part numbers and ids of what is listed otherwise."""
    inside: Found = [*tree.inside("power", "PowerSupplies"), *tree.inside("storage", "StorageControllers")]
    for path, body in [*tree.bodies.items(), *inside]:
        if "Assemblies" not in body:
            yield from (clean_serial(body.get("SerialNumber")), part(body), word(body.get("Id")) or id_of(path, body))


TOPIC = Topic("boards", read, rules={"chassis": (Follow(("Assembly",), "assembly", many=False),)})
