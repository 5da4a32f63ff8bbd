# SPDX-License-Identifier: BSD-2-Clause

"""Names and numbers of the machine, from the chosen system and the chassis that it is in. Pure."""

from __future__ import annotations

import re
from typing import Any, Optional

from ..document.values import clean_serial, word
from .quirks import SERIAL_IS_SKU
from .topics.common import common, part
from .topics.enclosures import location
from .tree import Body, Tree, once
from .values import at, id_of, links, text

# What a chassis is when it is not plainly a machine, the likeliest first: a DPU is a card.
_LESS_LIKELY = ("Enclosure", "Zone", "Expansion", "Sidecar", "Card", "Module", "StorageEnclosure", "Rack")
_BMC_CARD = re.compile(r"(?<![a-z])bmc(?![a-z])|mezz")


@once
def chassis_bodies(tree: Tree) -> list[Body]:
    """All chassis, those that are likely to be the machine itself first."""
    own = text(tree.host.get("Id"))
    bodies = [body for _path, body in tree.of("chassis")]
    return sorted(bodies, key=lambda body: (_is_part(body), own != text(body.get("Id")), _rank(body)))


def _is_part(body: Body) -> bool:
    """Whether a chassis is surely a part of a machine: a component, a BMC's card, a mezzanine."""
    names = " ".join(str(body.get(name, "")) for name in ("Id", "Name", "Model")).lower()
    return body.get("ChassisType") == "Component" or bool(_BMC_CARD.search(names.replace("_", " ")))


def _rank(body: Body) -> int:
    kind = body.get("ChassisType")
    return _LESS_LIKELY.index(kind) + 1 if kind in _LESS_LIKELY else 0


@once
def main_chassis(tree: Tree) -> Body:
    """The chassis that is the machine: one that says so, or that contains a part that does; else the likeliest.

    What is surely a part is the machine only where the BMC lists nothing else. Empty without any.
    """
    said = links(at(tree.host, "Links.Chassis"), tree.system or "")
    own = {tree.system, *tree.system_parts}
    said += [path for path, body in tree.of("chassis") if own & {*links(at(body, "Links.ComputerSystems"), path)}]
    parts = [path for path in said if _is_part(tree.get(path))]
    said += [around for path in parts for around in links(at(tree.get(path), "Links.ContainedBy"), path)]
    bodies = [body for body in chassis_bodies(tree) if not _is_part(body)] or chassis_bodies(tree)
    linked = [tree.get(path) for path in said]
    return next((body for body in bodies if any(body is item for item in linked)), next(iter(bodies), {}))


def maker(tree: Tree) -> Optional[str]:
    """The maker of the machine."""
    return common(tree.host)["vendor"] or word(main_chassis(tree).get("Manufacturer"))


def serial_is_sku(tree: Tree) -> bool:
    """Whether the number on the label is the SKU, and SerialNumber the board's."""
    return bool(clean_serial(tree.host.get("SKU"))) and (maker(tree) or "").lower().startswith(SERIAL_IS_SKU)


def read(tree: Tree) -> dict[str, Any]:
    """The fields of the document that say which machine it is, where it is, and whether it is on."""
    system, main = tree.host, main_chassis(tree)
    sku = clean_serial(system.get("SKU"))
    serial = sku if serial_is_sku(tree) else clean_serial(system.get("SerialNumber"))
    locations = [location(body) for body in chassis_bodies(tree)]
    return {
        **common(system),
        "metadata": {},
        "firmware": None,
        "vendor": maker(tree),
        "model": word(system.get("Model")) or word(main.get("Model")),
        "serial": serial or clean_serial(main.get("SerialNumber")),
        "uuid": (word(system.get("UUID")) or "").lower() or None,
        "sku": sku,
        "part_number": None if serial_is_sku(tree) else part(system),
        "asset_tag": clean_serial(system.get("AssetTag")) or clean_serial(main.get("AssetTag")),
        "hostname": word(system.get("HostName")),
        "system_id": id_of(tree.system, system) if tree.system else None,
        "power_state": (word(system.get("PowerState")) or "").lower() or None,
        "chassis": word(main.get("ChassisType")),
        "location": next((item for item in locations if item), None),
    }
