# SPDX-License-Identifier: BSD-2-Clause

"""Names and numbers of the machine, from the chosen system and the chassis that it is in. Pure."""

from __future__ import annotations

from typing import Any, Optional

from ..document.values import clean_serial, word
from .quirks import SERIAL_IS_SKU
from .topics.common import common
from .topics.enclosures import location
from .tree import Body, Tree, once
from .values import at, id_of, links, text

_NOT_THE_MACHINE = ("Card", "Module", "Enclosure", "Zone", "Rack")


@once
def chassis_bodies(tree: Tree) -> list[Body]:
    """All chassis, those that are likely to be the machine itself first."""
    own = text(tree.host.get("Id"))
    bodies = [body for _path, body in tree.of("chassis")]
    return sorted(bodies, key=lambda body: (own != text(body.get("Id")), body.get("ChassisType") in _NOT_THE_MACHINE))


@once
def main_chassis(tree: Tree) -> Body:
    """The chassis that is the machine: one that says so, else the likeliest; empty without any."""
    bodies = chassis_bodies(tree)
    linked = [body for body in bodies if tree.system and tree.system in links(at(body, "Links.ComputerSystems"))]
    return next(iter(linked + bodies), {})


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
        "firmware": None,
        "vendor": maker(tree),
        "model": word(system.get("Model")) or word(main.get("Model")),
        "serial": serial or clean_serial(main.get("SerialNumber")),
        "uuid": (word(system.get("UUID")) or "").lower() or None,
        "sku": sku,
        "asset_tag": clean_serial(system.get("AssetTag")) or clean_serial(main.get("AssetTag")),
        "hostname": word(system.get("HostName")),
        "system_id": id_of(tree.system, system) if tree.system else None,
        "power_state": (word(system.get("PowerState")) or "").lower() or None,
        "chassis": word(main.get("ChassisType")),
        "location": next((item for item in locations if item), None),
    }
