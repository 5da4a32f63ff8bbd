# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the walker follows, as data: from which kind of resource, over which property, to which kind.

A new schema or a vendor's own subtree is a line here (and a function in a topic to read it). Never an id: only links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

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
    :param newer: with ``unless``: where the resource itself lacks this property, the second is followed whatever was found elsewhere.
    :param having: a property and a value: only resources of the kind ``unless`` that have it count.
    :param limit: of a collection's members, or of a list of links, fetch no more than this many (what came inline is all kept).
    :param inline_only: take what an expanded answer holds, never fetch it from here.
    :param without: not followed when this property holds a link.
    :param complete: a property with a list, and names: not followed when every object of the list has all of these properties, so that
        the resource would add nothing.
    """

    paths: tuple[str, ...]
    kind: str
    section: str
    many: bool = True
    unless: Optional[str] = None
    limit: Optional[int] = None
    inline_only: bool = False
    without: Optional[str] = None
    complete: Optional[tuple[str, tuple[str, ...]]] = None
    having: Optional[tuple[str, str]] = None
    newer: Optional[str] = None


WHOLE_CONTROLLER = (
    "Name",
    "Manufacturer",
    "Model",
    "FirmwareVersion",
    "Identifiers",
    "CacheSummary",
    "SupportedControllerProtocols",
    "SupportedDeviceProtocols",
    "SupportedRAIDTypes",
    "Status",
)
"""What a controller inside of Storage has when the resource of its own says no more."""

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
        Follow(("Memory", "Oem.Hp.links.Memory", "Oem.Hp.Links.Memory"), "memory", "memory"),
        Follow(("Storage", "Storages"), "storage", "storage"),
        Follow(("SimpleStorage",), "simple_storage", "storage", unless="drive"),
        Follow(
            ("Oem.Hpe.Links.SmartStorage", "Oem.Hp.Links.SmartStorage", "Oem.Hp.links.SmartStorage"),
            "hpe_smart_storage",
            "storage",
            many=False,
            unless="drive",
        ),
        Follow(("EthernetInterfaces",), "ethernet", "network"),
        Follow(("NetworkInterfaces",), "network_interface", "network", unless="network_adapter"),
        Follow(
            ("Oem.Hpe.Links.NetworkAdapters", "Oem.Hp.Links.NetworkAdapters", "Oem.Hp.links.NetworkAdapters"),
            "hpe_adapter",
            "network",
            unless="network_adapter",
        ),
        Follow(("PCIeFunctions",), "pcie_function", "pcie", many=False, inline_only=True),
        Follow(("PCIeDevices",), "pcie_device", "pcie", many=False),
        Follow(("Bios", "BIOS", "Oem.Hp.links.BIOS"), "bios", "bios", many=False),
        Follow(("SecureBoot",), "secure_boot", "secure_boot", many=False),
        Follow(("Boot.BootOptions",), "boot_option", "boot"),
        Follow(("Links.TrustedComponents",), "trusted_component", "tpm", many=False),
        Follow(("LogServices",), "log_service", "log"),
        # Nearly always known from the root.
        Follow(("Links.Chassis",), "chassis", "chassis", many=False, unless=LAST),
        Follow(("Links.ManagedBy",), "manager", "manager", many=False, unless=LAST),
        Follow(
            ("Oem.Hp.links.FirmwareInventory", "Oem.Hp.Links.FirmwareInventory"),
            "hp_firmware",
            "firmware",
            many=False,
            unless="firmware",
        ),
    ),
    "hpe_smart_storage": (
        Follow(
            ("Links.ArrayControllers", "links.ArrayControllers", "ArrayControllers"), "hpe_array_controller", "storage"
        ),
    ),
    "hpe_array_controller": (
        Follow(("Links.PhysicalDrives", "links.PhysicalDrives", "PhysicalDrives"), "hpe_drive", "storage"),
        Follow(("Links.LogicalDrives", "links.LogicalDrives", "LogicalDrives"), "hpe_volume", "storage"),
    ),
    "storage": (
        Follow(("Controllers",), "storage_controller", "storage", complete=("StorageControllers", WHOLE_CONTROLLER)),
        Follow(("Drives",), "drive", "storage", many=False),
        Follow(("Volumes",), "volume", "storage"),
    ),
    "system_part": (
        Follow(("Processors",), "processor", "processors"),
        Follow(("GraphicsControllers",), "graphics_controller", "processors"),
    ),
    "processor": (
        # What no list of memory modules has: that of a GPU.
        Follow(
            ("Memory", "Links.Memory"),
            "processor_memory",
            "processors",
            unless=LAST,
            complete=("MemorySummary", ("TotalMemorySizeMiB",)),
        ),
    ),
    "network_interface": (
        Follow(("Links.NetworkAdapter",), "network_adapter", "network", many=False),
        # Where the interface leads to no adapter, it holds the ports itself.
        Follow(("Ports", "NetworkPorts"), "network_port", "network", unless="network_adapter"),
        Follow(("NetworkDeviceFunctions",), "network_function", "network", unless="network_adapter"),
    ),
    "network_adapter": (
        Follow(("Ports", "NetworkPorts"), "network_port", "network"),
        Follow(("NetworkDeviceFunctions",), "network_function", "network"),
        # Some collections leave out ports that the controller links to.
        Follow(("Controllers[].Links.Ports",), "network_port", "network", unless=LAST),
        Follow(("Controllers[].Links.NetworkPorts",), "network_port", "network", unless=LAST, without="Ports"),
        Follow(("Controllers[].Links.NetworkDeviceFunctions",), "network_function", "network", unless=LAST),
    ),
    "bios": (
        Follow(
            ("@Redfish.Settings.SettingsObject", "links.Settings", "Links.Settings"),
            "bios_settings",
            "bios",
            many=False,
        ),
    ),
    "chassis": (
        Follow(("NetworkAdapters",), "network_adapter", "network"),
        # At the end: systems list the same devices, and then nothing is left to read here.
        Follow(("PCIeDevices", "Links.PCIeDevices"), "pcie_device", "pcie", unless=LAST),
        Follow(("PowerSubsystem",), "power_subsystem", "power_supplies", many=False),
        Follow(("Power",), "power", "power_supplies", many=False, unless="power_supply", newer="PowerSubsystem"),
        Follow(("ThermalSubsystem",), "thermal_subsystem", "thermal", many=False),
        Follow(("Thermal",), "thermal", "thermal", many=False, unless="fan", newer="ThermalSubsystem"),
        Follow(("Thermal",), "thermal", "sensors", many=False, unless="sensor", having=("ReadingType", "Temperature")),
        Follow(
            ("Power",),
            "power",
            "sensors",
            many=False,
            unless="sensor",
            having=("ReadingType", "Voltage"),
            without="PowerSubsystem",
        ),
        Follow(("PCIeSlots",), "pcie_slots", "pcie", many=False),
        Follow(("Oem.Hpe.Links.Devices", "Oem.Hp.Links.Devices", "Oem.Hp.links.Devices"), "hpe_device", "pcie"),
        Follow(("Sensors",), "sensor", "sensors"),
        Follow(("Assembly",), "assembly", "chassis", many=False),
        Follow(("TrustedComponents",), "trusted_component", "tpm"),
        # Backplanes may hold drives that no Storage has.
        Follow(("Drives", "Links.Drives"), "drive", "storage", unless=LAST),
        Follow(("Memory",), "memory", "memory", unless="memory"),
        Follow(("Processors",), "processor", "processors", unless="processor"),
    ),
    "power_subsystem": (
        Follow(("PowerSupplies",), "power_supply", "power_supplies"),
        Follow(("Batteries",), "battery", "power_supplies"),
    ),
    "thermal_subsystem": (Follow(("Fans",), "fan", "thermal"),),
    # One function says what the device is.
    "pcie_device": (Follow(("Links.PCIeFunctions", "PCIeFunctions"), "pcie_function", "pcie", limit=1),),
    "manager": (
        Follow(("EthernetInterfaces",), "manager_ethernet", "manager"),
        Follow(("NetworkProtocol",), "manager_protocol", "manager", many=False, unless="manager_ethernet"),
        Follow(
            (
                "Links.Oem.Dell.DellLicenseCollection",
                "Oem.Hpe.Links.LicenseService",
                "Oem.Hp.Links.LicenseService",
                "Oem.Hp.links.LicenseService",
            ),
            "licence",
            "licences",
            unless="licence",
        ),
        Follow(("LogServices",), "log_service", "log"),
    ),
    "log_service": (Follow(("Entries",), "log_entry", "log", many=False, limit=20),),
    "update_service": (Follow(("FirmwareInventory", "SoftwareInventory"), "firmware", "firmware"),),
    "licence_service": (Follow(("Licenses",), "licence", "licences"),),
}

EXPAND_WHOLE: dict[str, tuple[tuple[str, int], ...]] = {
    "system": ((".", 1),),
    "chassis": ((".", 1),),
    "storage": ((".", 2), (".", 1)),
    "network_adapter": ((".", 2), ("*", 1)),
}
"""Kinds of resources that are worth asking for with what is below them in one answer, where the service offers ``$expand``; the
first of these (properties, levels) that it offers. ``*`` reaches the ports that a controller links to."""

ONLY: tuple[str, ...] = ("system", "chassis", "manager")
"""Kinds whose collection is asked for its only member (``?only``) where that is offered and ``$expand`` is not. Nothing else leads to them:
of others the member would be under way by another link, and be fetched twice."""
