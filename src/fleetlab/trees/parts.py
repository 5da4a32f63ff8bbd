# SPDX-License-Identifier: BSD-2-Clause
"""Parts of servers, in the newer Redfish schemas unless said otherwise."""

from __future__ import annotations

from typing import Any

from fleetlab.tree import Resource
from fleetlab.trees.build import OK, Builder, ref, refs

GIB = 1024**3


def slot(label: str, kind: str = "Slot", number: int = 0) -> Resource:
    return {"PartLocation": {"ServiceLabel": label, "LocationType": kind, "LocationOrdinalValue": number}}


def add_cpus(tree: Builder, system: str, serial: str, count: int, cores: int) -> None:
    tree.collection(f"{system}/Processors", "Processor", "Processors")
    for number in range(1, count + 1):
        tree.part(
            f"{system}/Processors/CPU{number}",
            "Processor.v1_20_1",
            f"Processor {number}",
            Socket=f"CPU{number}",
            ProcessorType="CPU",
            ProcessorArchitecture="x86",
            InstructionSet="x86-64",
            Manufacturer="Kestrel Semiconductor",
            Model="Kestrel K9 9354P 32-Core Processor",
            PartNumber="K9-9354",
            SerialNumber=f"{serial}-CPU{number}",
            MaxSpeedMHz=3800,
            OperatingSpeedMHz=3250,
            TotalCores=cores,
            TotalEnabledCores=cores,
            TotalThreads=2 * cores,
            TDPWatts=280,
            ProcessorId={"VendorId": "KestrelSemi", "EffectiveFamily": "25", "Step": "1", "MicrocodeInfo": "0xA101148"},
            Location=slot(f"CPU {number}", "Socket", number),
        )


def add_gpu(tree: Builder, system: str, serial: str, device: str) -> str:
    return tree.part(
        f"{system}/Processors/GPU1",
        "Processor.v1_20_1",
        "GPU 1",
        ProcessorType="GPU",
        Manufacturer="Lumen Devices",
        Model="Lumen L40",
        PartNumber="900-2G133-0000",
        SerialNumber=f"{serial}-GPU1",
        UUID="@{uuid}a001",
        FirmwareVersion="95.02.18.80.01",
        TotalCores=18176,
        MaxTDPWatts=300,
        MemorySummary={"TotalMemorySizeMiB": 49152, "ECCModeEnabled": True},
        SystemInterface={"InterfaceType": "PCIe", "PCIe": {"MaxPCIeType": "Gen4", "PCIeType": "Gen4", "MaxLanes": 16}},
        Location=slot("PCIe Slot 3", "Slot", 3),
        Links={"PCIeDevice": ref(device)},
    )


def add_memory(tree: Builder, system: str, serial: str, slots: list[str], filled: int, gib: int) -> None:
    """DIMM slots, of which the last ones are empty."""
    tree.collection(f"{system}/Memory", "Memory", "Memory")
    for number, label in enumerate(slots):
        socket, channel = number * 2 // len(slots), number % (len(slots) // 2 or 1)
        common: Resource = {
            "DeviceLocator": label,
            "MemoryLocation": {"Socket": socket, "MemoryController": channel // 2, "Channel": channel, "Slot": 0},
            "Location": slot(label, "Slot", number),
        }
        if number < filled:
            common |= {
                "MemoryType": "DRAM",
                "MemoryDeviceType": "DDR5",
                "BaseModuleType": "RDIMM",
                "CapacityMiB": gib * 1024,
                "DataWidthBits": 64,
                "BusWidthBits": 80,
                "RankCount": 2,
                "ErrorCorrection": "MultiBitECC",
                "OperatingSpeedMhz": 4800,
                "AllowedSpeedsMHz": [4800],
                "Manufacturer": "Tarn Memory",
                "PartNumber": "TM5R64G48E2",
                "SerialNumber": f"{serial}-{label}",
                "Status": OK,
            }
        else:
            common |= {"CapacityMiB": None, "Status": {"State": "Absent", "Health": None}}
        tree.add(f"{system}/Memory/{label}", "Memory.v1_20_0", f"DIMM {label}", **common)


def add_drive(tree: Builder, path: str, serial: str, number: int, protocol: str, **more: Any) -> str:
    """A drive: NVMe or SATA SSD or SAS disk by `protocol`."""
    size, media, model = {
        "NVMe": (3_840_755_982_336, "SSD", "FN7400 3.84TB"),
        "SATA": (480_103_981_056, "SSD", "FS450 480GB"),
        "SAS": (18_000_207_937_536, "HDD", "FH18 18TB"),
    }[protocol]
    return tree.part(
        path,
        "Drive.v1_20_1",
        f"{protocol} drive {number}",
        Manufacturer="Fjord Storage",
        Model=model,
        PartNumber=f"FJ-{model.split()[0]}",
        SerialNumber=f"{serial}-D{number:02d}",
        Revision="E2MU200",
        CapacityBytes=size,
        BlockSizeBytes=512,
        MediaType=media,
        Protocol=protocol,
        RotationSpeedRPM=7200 if media == "HDD" else None,
        CapableSpeedGbs=64 if protocol == "NVMe" else 12,
        NegotiatedSpeedGbs=64 if protocol == "NVMe" else 12,
        PredictedMediaLifeLeftPercent=97 if media == "SSD" else None,
        FailurePredicted=False,
        HotspareType="None",
        EncryptionAbility="SelfEncryptingDrive",
        EncryptionStatus="Unencrypted",
        Identifiers=[{"DurableName": f"5000F1@{{hex}}{number:04X}", "DurableNameFormat": "NAA"}],
        PhysicalLocation=slot(f"Bay {number}", "Bay", number),
        LocationIndicatorActive=False,
        **more,
    )


def add_nic(tree: Builder, system: str, chassis: str, serial: str, name: str, device: str, ports: list[str]) -> None:
    """A network adapter with Ports and NetworkDeviceFunctions, and what a system shows of it. `ports`: MACs."""
    adapter = f"{chassis}/NetworkAdapters/{name}"
    interface = f"{system}/NetworkInterfaces/{name}"
    numbers = range(1, len(ports) + 1)
    tree.part(
        adapter,
        "NetworkAdapter.v1_11_0",
        f"Network adapter {name}",
        Manufacturer="Brae Networks",
        Model="BN-E8 2x25G",
        PartNumber="BN-E8-25G2",
        SerialNumber=f"{serial}-{name}",
        Controllers=[
            {
                "FirmwarePackageVersion": "22.36.1010",
                "ControllerCapabilities": {"NetworkPortCount": len(ports), "NetworkDeviceFunctionCount": len(ports)},
                "PCIeInterface": {"PCIeType": "Gen4", "MaxPCIeType": "Gen4", "LanesInUse": 8, "MaxLanes": 8},
                "Location": slot(name),
                "Links": {
                    "Ports": refs(*(f"{adapter}/Ports/{number}" for number in numbers)),
                    "NetworkDeviceFunctions": refs(
                        *(f"{adapter}/NetworkDeviceFunctions/{number}" for number in numbers)
                    ),
                    "PCIeDevices": refs(device),
                },
            }
        ],
    )
    tree.collection(f"{adapter}/Ports", "Port", "Ports")
    tree.collection(f"{adapter}/NetworkDeviceFunctions", "NetworkDeviceFunction", "Network Device Functions")
    for number, mac in enumerate(ports, 1):
        up = number == 1
        tree.part(
            f"{adapter}/Ports/{number}",
            "Port.v1_14_0",
            f"Port {number}",
            PortId=str(number),
            PortProtocol="Ethernet",
            LinkNetworkTechnology="Ethernet",
            LinkState="Enabled",
            LinkStatus="LinkUp" if up else "LinkDown",
            CurrentSpeedGbps=25 if up else 0,
            MaxSpeedGbps=25,
            Ethernet={"AssociatedMACAddresses": [mac], "FlowControlConfiguration": "None", "LLDPEnabled": True},
            SFP={
                "Type": "SFP28",
                "Manufacturer": "Brae Networks",
                "PartNumber": "BN-SR25",
                "SerialNumber": f"{serial}-{name}-SFP{number}",
                "Status": OK,
            },
        )
        tree.part(
            f"{adapter}/NetworkDeviceFunctions/{number}",
            "NetworkDeviceFunction.v1_9_2",
            f"Function {number}",
            NetDevFuncType="Ethernet",
            DeviceEnabled=True,
            BootMode="PXE" if up else "Disabled",
            Ethernet={"MACAddress": mac, "PermanentMACAddress": mac, "MTUSize": 1500},
            AssignablePhysicalNetworkPorts=refs(f"{adapter}/Ports/{number}"),
            Links={"PhysicalNetworkPortAssignment": ref(f"{adapter}/Ports/{number}")},
        )
        tree.part(
            f"{system}/EthernetInterfaces/{name}-{number}",
            "EthernetInterface.v1_12_2",
            f"Ethernet interface {name} port {number}",
            MACAddress=mac,
            PermanentMACAddress=mac,
            InterfaceEnabled=True,
            LinkStatus="LinkUp" if up else "LinkDown",
            SpeedMbps=25000 if up else None,
            MTUSize=1500,
            UefiDevicePath=f"PciRoot(0x0)/Pci(0x1,0x0)/Pci(0x0,0x{number - 1})/MAC({mac.replace(':', '')},0x1)",
        )
    tree.part(
        interface,
        "NetworkInterface.v1_2_2",
        f"Network interface {name}",
        Ports=ref(f"{adapter}/Ports"),
        NetworkDeviceFunctions=ref(f"{adapter}/NetworkDeviceFunctions"),
        Links={"NetworkAdapter": ref(adapter)},
    )


def add_pcie(tree: Builder, path: str, name: str, vendor: str, model: str, serial: str, ids: tuple[int, ...]) -> str:
    """A PCIe device with one function. `ids`: vendor, device, subsystem vendor, subsystem, class code."""
    tree.part(
        path,
        "PCIeDevice.v1_14_0",
        name,
        Manufacturer=vendor,
        Model=model,
        SerialNumber=serial,
        DeviceType="SingleFunction",
        FirmwareVersion="1.0.2",
        PCIeInterface={"PCIeType": "Gen4", "MaxPCIeType": "Gen4", "LanesInUse": 8, "MaxLanes": 16},
        Slot={"SlotType": "FullLength", "PCIeType": "Gen5", "Lanes": 16, "Location": slot(name)},
    )
    vendor_id, device_id, sub_vendor, sub_id, class_code = ids
    tree.collection(f"{path}/PCIeFunctions", "PCIeFunction", "PCIe Functions")
    tree.part(
        f"{path}/PCIeFunctions/0",
        "PCIeFunction.v1_5_0",
        f"{name} function 0",
        FunctionId=0,
        FunctionType="Physical",
        DeviceClass={0x02: "NetworkController", 0x01: "MassStorageController", 0x03: "DisplayController"}[
            class_code >> 16
        ],
        ClassCode=f"0x{class_code:06x}",
        VendorId=f"0x{vendor_id:04x}",
        DeviceId=f"0x{device_id:04x}",
        SubsystemVendorId=f"0x{sub_vendor:04x}",
        SubsystemId=f"0x{sub_id:04x}",
        Links={"PCIeDevice": ref(path)},
    )
    return path
