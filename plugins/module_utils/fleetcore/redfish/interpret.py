# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A walked tree -> the device document. Pure, so that a stored tree can be read anew by a better interpreter.

Topics read one kind of resource each. A topic that fails by a bug of ours costs its own section, with the reason in the
coverage, never the document.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar

from .. import __version__
from ..document.model import Collector, Coverage, Device, Source, Stats, Verdict, to_dict
from ..document.parts import Enclosure, FirmwareEntry, Mainboard, Nic, PcieDevice
from ..document.values import clean_serial
from .quirks import BOARD_PART_PATHS, BOARD_SERIAL_PATHS, PLACEHOLDER_TAGS, SERIAL_IS_SKU
from .topics import chassis, compute, network, software, storage
from .topics.common import common, identity, part
from .values import at, first, links, text, word
from .walker import Tree

NOT_THE_MACHINE = ("Card", "Module", "Enclosure", "Zone", "Rack")
T = TypeVar("T")


def interpret(
    tree: Tree,
    coverage: Mapping[str, Coverage],
    *,
    collected_at: Optional[str] = None,
    stats: Optional[Stats] = None,
) -> Device:
    """The document of the walker's chosen system. Never raises for what is in the tree."""
    verdicts = dict(coverage)

    def topic(section: str, read: Callable[[], T], empty: Any) -> T:
        try:
            found = read()
        except Exception as error:  # noqa: BLE001  (any JSON must give a document or a recorded reason)
            verdicts[section] = Coverage(
                Verdict.FAILED, f"could not be read: {type(error).__name__}: {str(error)[:200]}"
            )
            return empty  # type: ignore[no-any-return]
        if dataclasses.is_dataclass(found) and not to_dict(found):
            return empty  # type: ignore[no-any-return]
        something = any(found) if isinstance(found, tuple) else bool(found)
        if something and section in verdicts and verdicts[section].verdict is Verdict.ABSENT:
            verdicts[section] = Coverage()  # it was inside of another section's resource
        return found

    system = tree.get(tree.system)
    pcie: tuple[PcieDevice, ...] = topic("pcie", lambda: chassis.pcie_devices(tree), ())
    cpus, gpus, accelerators = topic("processors", lambda: compute.processors(tree), ((), (), ()))
    if not (cpus or gpus or accelerators) and verdicts["processors"].verdict in (Verdict.ABSENT, Verdict.COLLECTED):
        cpus = topic("processors", lambda: compute.summarized(system), ())
    gpus = gpus or topic("pcie", lambda: chassis.gpus(pcie), ())
    nics: tuple[Nic, ...] = topic("network", lambda: network.nics(tree), ())
    rows: tuple[FirmwareEntry, ...] = topic("firmware", lambda: software.firmware_inventory(tree), ())
    enclosures: tuple[Enclosure, ...] = topic("chassis", lambda: chassis.enclosures(tree), ())
    fields: dict[str, Any] = topic("system", lambda: _system(tree, system), {})
    memory = topic("memory", lambda: compute.memory(tree), ())
    if not memory and verdicts["memory"].verdict in (Verdict.ABSENT, Verdict.COLLECTED):
        # No module is known by it: the verdict stays what it is.
        fields["metadata"] = {**fields.get("metadata", {}), **compute.total_memory(system)}
    return Device(
        **fields,
        source=Source.OOB,
        collected_at=collected_at,
        collector=Collector(name="redfish", version=__version__),
        stats=stats,
        bios=topic("bios", lambda: software.bios(system, rows), None),
        bios_configuration=topic("bios", lambda: software.bios_configuration(tree), None),
        secure_boot=topic("secure_boot", lambda: software.secure_boot(tree), None),
        boot=topic("boot", lambda: software.boot(tree, system), None),
        bmc=topic("manager", lambda: software.bmc(tree, rows), None),
        cplds=software.cplds(rows),
        tpms=topic("tpm", lambda: software.tpms(tree, system), ()),
        cpus=cpus,
        gpus=gpus,
        accelerators=accelerators,
        dpus=network.dpus(nics),
        memory=memory,
        nics=nics,
        fabric_ports=network.fabric_ports(nics),
        transceivers=topic("network", lambda: network.transceivers(tree), ()),
        storage_controller=topic("storage", lambda: storage.controllers(tree), ()),
        drives=topic("storage", lambda: storage.drives(tree), ()),
        volumes=topic("storage", lambda: storage.volumes(tree), ()),
        enclosures=enclosures,
        pcie_devices=pcie,
        backplanes=topic("chassis", lambda: chassis.backplanes(tree), ()),
        power_supplies=topic("power_supplies", lambda: chassis.power_supplies(tree), ()),
        batteries=topic("power_supplies", lambda: chassis.batteries(tree), ()),
        fans=topic("thermal", lambda: chassis.fans(tree), ()),
        sensors=topic("sensors", lambda: chassis.sensors(tree), ()),
        firmware_inventory=rows,
        licences=topic("licences", lambda: software.licences(tree), ()),
        log=topic("log", lambda: software.log(tree), ()),
        coverage=verdicts,
    )


def _system(tree: Tree, system: Mapping[str, Any]) -> dict[str, Any]:
    """Identity of the machine, and its board."""
    bodies = [body for _path, body in tree.of("chassis")]
    own = text(system.get("Id"))
    bodies.sort(key=lambda body: (own != text(body.get("Id")), body.get("ChassisType") in NOT_THE_MACHINE))
    linked = [body for body in bodies if tree.system and tree.system in links(at(body, "Links.ComputerSystems"))]
    main: Mapping[str, Any] = next(iter(linked + bodies), {})
    fields = common(system)
    fields["firmware"] = None
    fields["vendor"] = fields["vendor"] or word(main.get("Manufacturer"))
    fields["model"] = fields["model"] or word(main.get("Model"))
    serials = [clean_serial(_first_text(path, system, *bodies)) for path in BOARD_SERIAL_PATHS]
    board_serial = next((serial for serial in serials if serial), None) or chassis.board_serial(tree)
    board_part = word(first(system, *BOARD_PART_PATHS)) or part(system)
    vendor = (fields["vendor"] or "").lower()
    sku = clean_serial(system.get("SKU"))
    if sku and vendor.startswith(SERIAL_IS_SKU):
        board_serial = board_serial or fields["serial"]
        fields["serial"] = sku
    fields["serial"] = fields["serial"] or clean_serial(main.get("SerialNumber"))
    locations = [chassis.location(body) for body in bodies]
    return {
        **fields,
        "uuid": (word(system.get("UUID")) or "").lower() or None,
        "sku": clean_serial(system.get("SKU")),
        "asset_tag": _tag(system) or _tag(main),
        "hostname": word(system.get("HostName")),
        "system_id": identity(tree.system, system) if tree.system else None,
        "power_state": (word(system.get("PowerState")) or "").lower() or None,
        "chassis": word(main.get("ChassisType")),
        "location": next((item for item in locations if item), None),
        "mainboard": Mainboard(vendor=fields["vendor"], serial=board_serial, part_number=board_part)
        if board_serial or board_part
        else None,
    }


def _tag(body: Mapping[str, Any]) -> Optional[str]:
    tag = clean_serial(body.get("AssetTag"))
    return None if tag and tag.lower() in PLACEHOLDER_TAGS else tag


def _first_text(path: str, *bodies: Mapping[str, Any]) -> Optional[str]:
    return next((found for found in (text(at(body, path)) for body in bodies) if found), None)
