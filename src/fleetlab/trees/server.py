# SPDX-License-Identifier: BSD-2-Clause
"""A rack server with two sockets, as a recent BMC with recent schemas shows it."""

from __future__ import annotations

from fleetlab.tree import ROOT, Resource
from fleetlab.trees import parts, settings
from fleetlab.trees.build import OK, Builder, add_firmware, add_log, add_manager, add_services, ref, refs

VENDOR = "Halden Systems"
SERIAL = "@{serial}"
SYSTEM = f"{ROOT}/Systems/1"
CHASSIS = f"{ROOT}/Chassis/1"
NIC_MACS = {"NIC1": ["@{mac}:01", "@{mac}:02"], "NIC2": ["@{mac}:03", "@{mac}:04"]}


def server() -> dict[str, Resource]:
    """2 CPUs, 16 DIMM slots (12 filled), 4 NVMe drives on a RAID volume and a boot pair, 2 NICs, 1 GPU, TPM, 2 PSUs."""
    tree = Builder()
    add_services(tree, "Halden HS-2210", VENDOR, "1.42.0")
    _system(tree)
    _chassis(tree)
    _devices(tree)
    _storage(tree)
    _power_and_cooling(tree)
    add_manager(tree, "Halden BMC3", "1.42.0", "@{mac}:00", [SYSTEM], [CHASSIS])
    for name, title, version, items in (
        ("BIOS", "System BIOS", "2.7.1", [f"{SYSTEM}/Bios"]),
        ("CPLD", "Mainboard CPLD", "0.19", [CHASSIS]),
        ("NIC1", "Network adapter NIC1", "22.36.1010", [f"{CHASSIS}/NetworkAdapters/NIC1"]),
        ("NIC2", "Network adapter NIC2", "22.36.1010", [f"{CHASSIS}/NetworkAdapters/NIC2"]),
        ("RAID1", "Storage controller RAID1", "8.4.0.0", [f"{SYSTEM}/Storage/RAID1/Controllers/1"]),
        ("GPU1", "GPU 1", "95.02.18.80.01", [f"{SYSTEM}/Processors/GPU1"]),
        ("PSU1", "Power supply 1", "1.3", [f"{CHASSIS}/PowerSubsystem/PowerSupplies/PSU1"]),
    ):
        add_firmware(tree, name, title, version, VENDOR, items)
    return tree.build()


def _system(tree: Builder) -> None:
    tree.add(
        SYSTEM,
        "ComputerSystem.v1_22_1",
        "System",
        SystemType="Physical",
        Manufacturer=VENDOR,
        Model="HS-2210",
        SubModel="Gen 3",
        SKU="HS2210-3-24",
        PartNumber="HS-2210-BASE",
        SerialNumber=SERIAL,
        UUID="@{uuid}0000",
        AssetTag="",
        HostName="@{name}-host",
        PowerState="On",
        PowerRestorePolicy="LastState",
        BiosVersion="2.7.1",
        IndicatorLED="Off",
        LocationIndicatorActive=False,
        LastResetTime="2026-01-01T00:00:00Z",
        Status={"State": "Enabled", "Health": "OK", "HealthRollup": "OK"},
        ProcessorSummary={"Count": 2, "CoreCount": 64, "LogicalProcessorCount": 128, "Model": "Kestrel K9 9354P"},
        MemorySummary={"TotalSystemMemoryGiB": 768, "MemoryMirroring": "None"},
        Boot=settings.boot(SYSTEM),
        PCIeDevices=refs(*(f"{CHASSIS}/PCIeDevices/{name}" for name in ("NIC1", "NIC2", "RAID1", "GPU1"))),
        Links={
            "Chassis": refs(CHASSIS),
            "ManagedBy": refs(f"{ROOT}/Managers/BMC"),
            "TrustedComponents": refs(f"{CHASSIS}/TrustedComponents/TPM"),
        },
        Actions=settings.reset(SYSTEM, "PowerCycle", "ForceOn"),
    )
    parts.add_cpus(tree, SYSTEM, SERIAL, 2, 32)
    parts.add_gpu(tree, SYSTEM, SERIAL, f"{CHASSIS}/PCIeDevices/GPU1")
    parts.add_memory(tree, SYSTEM, SERIAL, [f"{bank}{n}" for n in range(1, 9) for bank in "AB"], 12, 64)
    settings.add_bios(tree, SYSTEM)
    settings.add_registry(tree)
    settings.add_boot(tree, SYSTEM, NIC_MACS["NIC1"][0])
    add_log(
        tree,
        SYSTEM,
        "SEL",
        "System event log",
        [
            "System power on",
            "Memory correctable error on A1",
            "Power supply 2 lost input",
            "Power supply 2 input restored",
        ],
    )


def _chassis(tree: Builder) -> None:
    tree.part(
        CHASSIS,
        "Chassis.v1_25_2",
        "Rack chassis",
        ChassisType="RackMount",
        Manufacturer=VENDOR,
        Model="HS-2210",
        SKU="HS2210-3-24",
        PartNumber="HS-2210-CH",
        SerialNumber=SERIAL,
        UUID="@{uuid}0000",
        AssetTag="",
        PowerState="On",
        IndicatorLED="Off",
        LocationIndicatorActive=False,
        HeightMm=43.6,
        Location={"Placement": {"Row": "", "Rack": "", "RackOffsetUnits": "EIA_310"}},
        Links={"ComputerSystems": refs(SYSTEM), "ManagedBy": refs(f"{ROOT}/Managers/BMC")},
    )
    tree.collection(f"{CHASSIS}/TrustedComponents", "TrustedComponent", "Trusted Components")
    tree.part(
        f"{CHASSIS}/TrustedComponents/TPM",
        "TrustedComponent.v1_3_2",
        "TPM",
        TrustedComponentType="Discrete",
        Manufacturer="Sigil Trust",
        Model="SG9672 TPM 2.0",
        SerialNumber=f"{SERIAL}-TPM",
        FirmwareVersion="7.85",
        TPM={"CapabilitiesVendorID": "SGL"},
        Links={"IntegratedInto": ref(SYSTEM)},
    )
    tree.add(
        f"{CHASSIS}/Assembly",
        "Assembly.v1_5_1",
        "Assemblies",
        Assemblies=[
            {
                "Name": "Mainboard",
                "Producer": VENDOR,
                "Model": "HS-2210 mainboard",
                "PartNumber": "HS-2210-MB",
                "SerialNumber": f"{SERIAL}-MB",
                "PhysicalContext": "SystemBoard",
            }
        ],
    )


def _devices(tree: Builder) -> None:
    tree.collection(f"{CHASSIS}/NetworkAdapters", "NetworkAdapter", "Network Adapters")
    tree.collection(f"{SYSTEM}/NetworkInterfaces", "NetworkInterface", "Network Interfaces")
    tree.collection(f"{SYSTEM}/EthernetInterfaces", "EthernetInterface", "Ethernet Interfaces")
    tree.collection(f"{CHASSIS}/PCIeDevices", "PCIeDevice", "PCIe Devices")
    for number, (name, macs) in enumerate(NIC_MACS.items(), 1):
        device = f"{CHASSIS}/PCIeDevices/{name}"
        ids = (0x1FB7, 0x1015, 0x1FB7, 0x0010 + number, 0x020000)
        parts.add_pcie(tree, device, name, "Brae Networks", "BN-E8 2x25G", f"{SERIAL}-{name}", ids)
        parts.add_nic(tree, SYSTEM, CHASSIS, SERIAL, name, device, macs)
    for name, vendor, model, ids in (
        ("RAID1", "Fjord Storage", "FR9560-16i", (0x1FB8, 0x10E2, 0x1FB8, 0x4000, 0x010400)),
        ("GPU1", "Lumen Devices", "Lumen L40", (0x1FB9, 0x26B5, 0x1FB9, 0x169D, 0x030200)),
    ):
        parts.add_pcie(tree, f"{CHASSIS}/PCIeDevices/{name}", name, vendor, model, f"{SERIAL}-{name}", ids)


def _storage(tree: Builder) -> None:
    tree.collection(f"{SYSTEM}/Storage", "Storage", "Storage")
    tree.collection(f"{CHASSIS}/Drives", "Drive", "Drives")
    for name, protocol, first, count, level in (("RAID1", "NVMe", 1, 4, "RAID5"), ("BOOT1", "SATA", 5, 2, "RAID1")):
        path = f"{SYSTEM}/Storage/{name}"
        drives = [f"{CHASSIS}/Drives/{number}" for number in range(first, first + count)]
        volume = f"{path}/Volumes/1"
        for number, drive in enumerate(drives, first):
            links = {"Chassis": ref(CHASSIS), "Volumes": refs(volume)}
            parts.add_drive(tree, drive, SERIAL, number, protocol, Links=links)
        tree.part(
            path,
            "Storage.v1_17_1",
            f"Storage {name}",
            Drives=refs(*drives),
            Links={"Enclosures": refs(CHASSIS)},
            **{"Drives@odata.count": len(drives)},
        )
        tree.collection(f"{path}/Controllers", "StorageController", "Storage Controllers")
        tree.part(
            f"{path}/Controllers/1",
            "StorageController.v1_8_0",
            f"Storage controller {name}",
            Manufacturer="Fjord Storage",
            Model="FR9560-16i" if name == "RAID1" else "FB240 boot controller",
            SerialNumber=f"{SERIAL}-{name}",
            FirmwareVersion="8.4.0.0",
            SpeedGbps=64,
            SupportedControllerProtocols=["PCIe"],
            SupportedDeviceProtocols=["NVMe", "SAS", "SATA"] if name == "RAID1" else ["SATA"],
            SupportedRAIDTypes=["RAID0", "RAID1", "RAID5", "RAID6"] if name == "RAID1" else ["RAID1"],
            CacheSummary={"TotalCacheSizeMiB": 8192, "Status": OK},
        )
        tree.collection(f"{path}/Volumes", "Volume", "Volumes")
        size = tree.resources[drives[0]]["CapacityBytes"] * (count - 1)
        tree.part(
            volume,
            "Volume.v1_10_1",
            f"Volume {name}",
            RAIDType=level,
            CapacityBytes=size,
            BlockSizeBytes=512,
            Identifiers=[{"DurableName": f"6000F1@{{hex}}{first:04X}", "DurableNameFormat": "NAA"}],
            Links={"Drives": refs(*drives)},
        )


def _power_and_cooling(tree: Builder) -> None:
    sensors = f"{CHASSIS}/Sensors"
    tree.collection(sensors, "Sensor", "Sensors")

    def sensor(name: str, kind: str, units: str, reading: float, upper: float) -> Resource:
        path = tree.part(
            f"{sensors}/{name}",
            "Sensor.v1_9_1",
            name,
            ReadingType=kind,
            ReadingUnits=units,
            Reading=reading,
            Thresholds={"UpperCritical": {"Reading": upper}},
        )
        return {"DataSourceUri": path, "Reading": reading}

    power = f"{CHASSIS}/PowerSubsystem"
    tree.part(power, "PowerSubsystem.v1_1_2", "Power Subsystem")
    tree.collection(f"{power}/PowerSupplies", "PowerSupply", "Power Supplies")
    for number in (1, 2):
        path = f"{power}/PowerSupplies/PSU{number}"
        watts = 180.0 + number
        tree.part(
            path,
            "PowerSupply.v1_6_0",
            f"Power supply {number}",
            Manufacturer="Volta Supply",
            Model="VS-1400T",
            PartNumber="VS-1400T-A",
            SerialNumber=f"{SERIAL}-PSU{number}",
            FirmwareVersion="1.3",
            PowerSupplyType="AC",
            PowerCapacityWatts=1400,
            EfficiencyRatings=[{"LoadPercent": 50, "EfficiencyPercent": 96}],
            HotPluggable=True,
            Location=parts.slot(f"PSU {number}", "Bay", number),
        )
        tree.part(
            f"{path}/Metrics",
            "PowerSupplyMetrics.v1_1_1",
            f"Power supply {number} metrics",
            InputPowerWatts=sensor(f"PSU{number}Input", "Power", "W", watts, 1500),
            InputVoltage=sensor(f"PSU{number}Voltage", "Voltage", "V", 231.0, 264),
        )
    thermal = f"{CHASSIS}/ThermalSubsystem"
    tree.part(
        thermal,
        "ThermalSubsystem.v1_3_2",
        "Thermal Subsystem",
    )
    tree.collection(f"{thermal}/Fans", "Fan", "Fans")
    for number in range(1, 7):
        tree.part(
            f"{thermal}/Fans/Fan{number}",
            "Fan.v1_5_2",
            f"Fan {number}",
            Manufacturer="Zephyr Cooling",
            Model="ZC-4056",
            SerialNumber=f"{SERIAL}-FAN{number}",
            HotPluggable=True,
            Location=parts.slot(f"Fan {number}", "Bay", number),
            SpeedPercent=sensor(f"Fan{number}Speed", "Percent", "%", 30.0 + number, 100)
            | {"SpeedRPM": 5200 + 40 * number},
        )
    readings = [
        {**sensor(f"{name}Temp", "Temperature", "Cel", celsius, upper), "DeviceName": name}
        for name, celsius, upper in (("Inlet", 22.0, 45), ("CPU1", 48.0, 95), ("CPU2", 51.0, 95), ("GPU1", 44.0, 90))
    ]
    tree.add(
        f"{thermal}/ThermalMetrics", "ThermalMetrics.v1_3_1", "Thermal Metrics", TemperatureReadingsCelsius=readings
    )
    tree.add(
        f"{CHASSIS}/EnvironmentMetrics",
        "EnvironmentMetrics.v1_3_2",
        "Environment Metrics",
        PowerWatts=sensor("TotalPower", "Power", "W", 363.0, 2800),
        TemperatureCelsius={"DataSourceUri": f"{sensors}/InletTemp", "Reading": 22.0},
    )
