# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the walker follows, as data: from which kind of resource, over which property, to which kind.

A new schema or a vendor's own subtree is a line here (and a function in a topic to read it). Never an id: only links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

SECTIONS = (
    "system",
    "power",
    "processors",
    "memory",
    "storage",
    "network",
    "pcie",
    "bios",
    "secure_boot",
    "boot",
    "tpm",
    "chassis",
    "power_supplies",
    "thermal",
    "sensors",
    "manager",
    "firmware",
    "licences",
    "log",
)
"""Names of the sections of a collection. ``system`` and ``power`` cost one resource and are always read."""

LAST = "-"
"""For ``unless``: follow at the end in any case, for what was not seen till then."""


@dataclass(frozen=True)
class Follow:
    """One property to follow.

    :param paths: alternatives, newest schema first, each a dotted property path (``[]``: every object of a list); the first that
        holds a link wins.
    :param kind: what is found there, or what the members of the collection there are.
    :param section: in whose coverage it counts; the link is not followed when the section was not asked for.
    :param many: the link leads to a collection (worth ``$expand``).
    :param unless: follow only at the end, and only if no resource of this kind was found till then: the deprecated second.
    :param limit: of a collection's members, fetch no more than this many (members that came inline are all kept).
    """

    paths: tuple[str, ...]
    kind: str
    section: str
    many: bool = True
    unless: Optional[str] = None
    limit: Optional[int] = None


RULES: dict[str, tuple[Follow, ...]] = {
    "root": (
        Follow(("Chassis",), "chassis", "chassis"),
        Follow(("Managers",), "manager", "manager"),
        Follow(("UpdateService",), "update_service", "firmware", many=False),
        Follow(("LicenseService",), "licence_service", "licences", many=False),
    ),
    "system": (
        Follow(("Processors",), "processor", "processors"),
        Follow(("GraphicsControllers",), "graphics_controller", "processors"),
        Follow(("Memory",), "memory", "memory"),
        Follow(("Storage", "Storages"), "storage", "storage"),
        Follow(("SimpleStorage",), "simple_storage", "storage", unless="drive"),
        Follow(("Oem.Hpe.Links.SmartStorage", "Oem.Hp.Links.SmartStorage"), "hpe_smart_storage", "storage", many=False),
        Follow(("EthernetInterfaces",), "ethernet", "network"),
        Follow(("NetworkInterfaces",), "network_interface", "network", unless="network_adapter"),
        Follow(
            ("Oem.Hpe.Links.NetworkAdapters", "Oem.Hp.Links.NetworkAdapters"),
            "hpe_adapter",
            "network",
            unless="network_adapter",
        ),
        Follow(("PCIeDevices",), "pcie_device", "pcie", many=False, unless="pcie_device"),
        Follow(("Bios", "BIOS"), "bios", "bios", many=False),
        Follow(("SecureBoot",), "secure_boot", "secure_boot", many=False),
        Follow(("Boot.BootOptions",), "boot_option", "boot"),
        Follow(("Links.TrustedComponents",), "trusted_component", "tpm", many=False),
        Follow(("LogServices",), "log_service", "log"),
    ),
    "hpe_smart_storage": (Follow(("Links.ArrayControllers", "ArrayControllers"), "hpe_array_controller", "storage"),),
    "hpe_array_controller": (
        Follow(("Links.PhysicalDrives", "PhysicalDrives"), "hpe_drive", "storage"),
        Follow(("Links.LogicalDrives", "LogicalDrives"), "hpe_volume", "storage"),
    ),
    "storage": (
        Follow(("Controllers",), "storage_controller", "storage"),
        Follow(("Drives",), "drive", "storage", many=False),
        Follow(("Volumes",), "volume", "storage"),
    ),
    "network_interface": (Follow(("Links.NetworkAdapter",), "network_adapter", "network", many=False),),
    "network_adapter": (
        Follow(("Ports", "NetworkPorts"), "network_port", "network"),
        Follow(("NetworkDeviceFunctions",), "network_function", "network"),
        # Some collections leave out ports that the controller links to.
        Follow(
            ("Controllers[].Links.Ports", "Controllers[].Links.NetworkPorts"), "network_port", "network", unless=LAST
        ),
    ),
    "bios": (Follow(("@Redfish.Settings.SettingsObject",), "bios_settings", "bios", many=False),),
    "chassis": (
        Follow(("NetworkAdapters",), "network_adapter", "network"),
        Follow(("PCIeDevices", "Links.PCIeDevices"), "pcie_device", "pcie"),
        Follow(("PowerSubsystem",), "power_subsystem", "power_supplies", many=False),
        Follow(("Power",), "power", "power_supplies", many=False, unless="power_supply"),
        Follow(("ThermalSubsystem",), "thermal_subsystem", "thermal", many=False),
        Follow(("Thermal",), "thermal", "thermal", many=False, unless="fan"),
        Follow(("Sensors",), "sensor", "sensors"),
        Follow(("Assembly",), "assembly", "chassis", many=False),
        Follow(("TrustedComponents",), "trusted_component", "tpm"),
        Follow(("Drives", "Links.Drives"), "drive", "storage", unless="drive"),
        Follow(("Memory",), "memory", "memory", unless="memory"),
        Follow(("Processors",), "processor", "processors", unless="processor"),
    ),
    "power_subsystem": (
        Follow(("PowerSupplies",), "power_supply", "power_supplies"),
        Follow(("Batteries",), "battery", "power_supplies"),
    ),
    "thermal_subsystem": (Follow(("Fans",), "fan", "thermal"),),
    "pcie_device": (Follow(("PCIeFunctions", "Links.PCIeFunctions"), "pcie_function", "pcie"),),
    "manager": (
        Follow(("EthernetInterfaces",), "manager_ethernet", "manager"),
        Follow(("LogServices",), "log_service", "log"),
    ),
    "log_service": (Follow(("Entries",), "log_entry", "log", many=False, limit=20),),
    "update_service": (Follow(("FirmwareInventory",), "firmware", "firmware"),),
    "licence_service": (Follow(("Licenses",), "licence", "licences"),),
}
