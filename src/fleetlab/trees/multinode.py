# SPDX-License-Identifier: BSD-2-Clause
"""A chassis with two server nodes behind one BMC, in the older schemas that many fielded machines still speak.

Power and Thermal instead of their subsystems, StorageControllers and TrustedModules inside other resources, DIMMs
without part location, MAC addresses in EthernetInterfaces only, no `$expand`.
"""

from __future__ import annotations

from fleetlab.tree import ROOT, Resource
from fleetlab.trees import parts, settings
from fleetlab.trees.build import OK, Builder, add_firmware, add_log, add_manager, add_services, ref, refs

VENDOR = "Halden Systems"
ENCLOSURE = f"{ROOT}/Chassis/Enclosure"
NODES = ("Node1", "Node2")


def multinode() -> dict[str, Resource]:
    """2 systems with 1 CPU, 8 DIMMs, 2 SAS disks, 2 ports and a TPM each; 2 PSUs and 2 fans in the enclosure."""
    tree = Builder()
    add_services(tree, "Halden HT-4200", VENDOR, "3.08")
    features = tree.resources[ROOT]["ProtocolFeaturesSupported"]
    features.update(OnlyMemberQuery=False, SelectQuery=False, TopSkipQuery=False)
    del features["ExpandQuery"]
    _enclosure(tree)
    for number, name in enumerate(NODES):
        _node(tree, number, name)
    systems = [f"{ROOT}/Systems/{name}" for name in NODES]
    add_manager(
        tree, "Halden BMC2", "3.08", "@{mac}:00", systems, [ENCLOSURE, *(f"{ROOT}/Chassis/{name}" for name in NODES)]
    )
    for name, system in zip(NODES, systems, strict=True):
        add_firmware(tree, f"BIOS-{name}", f"BIOS of {name}", "1.9", VENDOR, [f"{system}/Bios"])
    return tree.build()


def _enclosure(tree: Builder) -> None:
    tree.part(
        ENCLOSURE,
        "Chassis.v1_9_0",
        "Enclosure",
        ChassisType="Enclosure",
        Manufacturer=VENDOR,
        Model="HT-4200",
        SerialNumber="@{serial}",
        PartNumber="HT-4200-EN",
        AssetTag=None,
        PowerState="On",
        IndicatorLED="Off",
        Links={
            "Contains": refs(*(f"{ROOT}/Chassis/{name}" for name in NODES)),
            "ManagedBy": refs(f"{ROOT}/Managers/BMC"),
        },
    )
    power, thermal = f"{ENCLOSURE}/Power", f"{ENCLOSURE}/Thermal"
    tree.add(
        power,
        "Power.v1_5_0",
        "Power",
        PowerControl=[{"Name": "Enclosure power", "PowerConsumedWatts": 412, "PowerCapacityWatts": 2200}],
        Voltages=[{"Name": "12V rail", "ReadingVolts": 12.1, "UpperThresholdCritical": 13.2}],
        PowerSupplies=[
            {
                "Name": f"PSU{number + 1}",
                "Manufacturer": "Volta Supply",
                "Model": "VS-2200P",
                "SerialNumber": f"@{{serial}}-PSU{number + 1}",
                "PartNumber": "VS-2200P-B",
                "FirmwareVersion": "2.1",
                "PowerSupplyType": "AC",
                "LineInputVoltage": 230,
                "PowerCapacityWatts": 2200,
                "LastPowerOutputWatts": 205,
            }
            for number in range(2)
        ],
    )
    tree.add(
        thermal,
        "Thermal.v1_6_2",
        "Thermal",
        Fans=[
            {"Name": f"Fan{number + 1}", "Reading": 6400 + 100 * number, "ReadingUnits": "RPM"} for number in range(2)
        ],
        Temperatures=[
            {"Name": "Inlet", "ReadingCelsius": 23, "UpperThresholdCritical": 45, "PhysicalContext": "Intake"}
        ],
    )


def _node(tree: Builder, number: int, name: str) -> None:
    system, chassis, serial = f"{ROOT}/Systems/{name}", f"{ROOT}/Chassis/{name}", f"@{{serial}}-{number + 1}"
    macs = [f"@{{mac}}:{16 * (number + 1) + port:02x}" for port in range(2)]
    disks = [f"{system}/Storage/1/Drives/{disk}" for disk in (1, 2)]
    tree.part(
        chassis,
        "Chassis.v1_9_0",
        f"Sled of {name}",
        ChassisType="Sled",
        Manufacturer=VENDOR,
        Model="HT-4200 sled",
        SerialNumber=serial,
        Links={
            "ContainedBy": ref(ENCLOSURE),
            "ComputerSystems": refs(system),
            "ManagedBy": refs(f"{ROOT}/Managers/BMC"),
        },
    )
    tree.part(
        system,
        "ComputerSystem.v1_5_0",
        name,
        SystemType="Physical",
        Manufacturer=VENDOR,
        Model="HT-4200",
        SerialNumber=serial,
        UUID=f"@{{uuid}}{number:04x}",
        AssetTag=None,
        HostName="",
        PowerState="On",
        BiosVersion="1.9",
        IndicatorLED="Off",
        ProcessorSummary={"Count": 1, "Model": "Kestrel K9 9354P"},
        MemorySummary={"TotalSystemMemoryGiB": 256},
        Boot={key: value for key, value in settings.boot(system).items() if key != "HttpBootUri"},
        TrustedModules=[{"InterfaceType": "TPM2_0", "FirmwareVersion": "7.2", "Status": OK}],
        Links={"Chassis": refs(chassis), "ManagedBy": refs(f"{ROOT}/Managers/BMC")},
        Actions=settings.reset(system),
    )
    parts.add_cpus(tree, system, serial, 1, 32)
    parts.add_memory(tree, system, serial, [f"DIMM{slot}" for slot in range(8)], 8, 32)
    for slot in range(8):
        del tree.resources[f"{system}/Memory/DIMM{slot}"]["Location"]
    settings.add_bios(tree, system)
    settings.add_boot(tree, system, macs[0])
    add_log(tree, system, "SEL", "System event log", ["System power on"])
    tree.collection(f"{system}/EthernetInterfaces", "EthernetInterface", "Ethernet Interfaces")
    for port, mac in enumerate(macs, 1):
        tree.part(
            f"{system}/EthernetInterfaces/{port}",
            "EthernetInterface.v1_4_1",
            f"Port {port}",
            MACAddress=mac,
            SpeedMbps=10000,
            LinkStatus="LinkUp",
        )
    tree.collection(f"{system}/Storage", "Storage", "Storage")
    tree.part(
        f"{system}/Storage/1",
        "Storage.v1_7_0",
        "SAS storage",
        Drives=refs(*disks),
        Volumes=ref(f"{system}/Storage/1/Volumes"),
        StorageControllers=[
            {
                "Name": "SAS HBA",
                "Manufacturer": "Fjord Storage",
                "Model": "FH9400-8i",
                "SerialNumber": f"{serial}-HBA",
                "FirmwareVersion": "16.00.12",
                "SpeedGbps": 12,
                "SupportedDeviceProtocols": ["SAS", "SATA"],
            }
        ],
    )
    tree.collection(f"{system}/Storage/1/Volumes", "Volume", "Volumes")
    for disk, path in enumerate(disks, 1):
        parts.add_drive(tree, path, serial, 10 * (number + 1) + disk, "SAS")
