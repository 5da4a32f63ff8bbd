# SPDX-License-Identifier: BSD-2-Clause
"""Parts of servers, in the newer Redfish schemas unless said otherwise."""

from __future__ import annotations

from typing import Any

from fleetlab.tree import ROOT, Resource
from fleetlab.trees.build import OK, Builder, ref, refs

GIB = 1024**3


def slot(label: str, kind: str = "Slot", number: int = 0) -> Resource:
    return {"PartLocation": {"ServiceLabel": label, "LocationType": kind, "LocationOrdinalValue": number}}


def add_cpus(tree: Builder, system: str, serial: str, count: int, cores: int) -> None:
    tree.collection(f"{system}/Processors", "Processor", "Processors")
    for number in range(1, count + 1):
        tree.add(
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
            Status=OK,
        )


def add_gpu(tree: Builder, system: str, serial: str, device: str) -> str:
    return tree.add(
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
        Status=OK,
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
    return tree.add(
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
        Status=OK,
        **more,
    )


def add_nic(tree: Builder, system: str, chassis: str, serial: str, name: str, device: str, ports: list[str]) -> None:
    """A network adapter with Ports and NetworkDeviceFunctions, and what a system shows of it. `ports`: MACs."""
    adapter = f"{chassis}/NetworkAdapters/{name}"
    interface = f"{system}/NetworkInterfaces/{name}"
    numbers = range(1, len(ports) + 1)
    tree.add(
        adapter,
        "NetworkAdapter.v1_11_0",
        f"Network adapter {name}",
        Manufacturer="Brae Networks",
        Model="BN-E8 2x25G",
        PartNumber="BN-E8-25G2",
        SerialNumber=f"{serial}-{name}",
        Status=OK,
        Ports=ref(f"{adapter}/Ports"),
        NetworkDeviceFunctions=ref(f"{adapter}/NetworkDeviceFunctions"),
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
        tree.add(
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
            Status=OK,
        )
        tree.add(
            f"{adapter}/NetworkDeviceFunctions/{number}",
            "NetworkDeviceFunction.v1_9_2",
            f"Function {number}",
            NetDevFuncType="Ethernet",
            DeviceEnabled=True,
            BootMode="PXE" if up else "Disabled",
            Ethernet={"MACAddress": mac, "PermanentMACAddress": mac, "MTUSize": 1500},
            AssignablePhysicalNetworkPorts=refs(f"{adapter}/Ports/{number}"),
            Links={"PhysicalNetworkPortAssignment": ref(f"{adapter}/Ports/{number}")},
            Status=OK,
        )
        tree.add(
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
            Status=OK,
        )
    tree.add(
        interface,
        "NetworkInterface.v1_2_2",
        f"Network interface {name}",
        Ports=ref(f"{adapter}/Ports"),
        NetworkDeviceFunctions=ref(f"{adapter}/NetworkDeviceFunctions"),
        Links={"NetworkAdapter": ref(adapter)},
        Status=OK,
    )


def add_pcie(tree: Builder, path: str, name: str, vendor: str, model: str, serial: str, ids: tuple[int, ...]) -> str:
    """A PCIe device with one function. `ids`: vendor, device, subsystem vendor, subsystem, class code."""
    tree.add(
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
        PCIeFunctions=ref(f"{path}/PCIeFunctions"),
        Status=OK,
    )
    vendor_id, device_id, sub_vendor, sub_id, class_code = ids
    tree.collection(f"{path}/PCIeFunctions", "PCIeFunction", "PCIe Functions")
    tree.add(
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
        Status=OK,
    )
    return path


ATTRIBUTES: Resource = {
    "BootMode": "Uefi",
    "LogicalProc": "Enabled",
    "ProcVirtualization": "Enabled",
    "SriovGlobalEnable": "Enabled",
    "SecureMemoryEncryption": "Disabled",
    "TpmSecurity": "On",
    "SecureBoot": "Disabled",
    "NumaNodesPerSocket": "1",
    "SysProfile": "PerfPerWatt",
    "PxeDev1EnDis": "Enabled",
    "BootRetry": True,
    "AcPowerRecoveryDelaySeconds": 60,
    "AdminPassword": None,
}


REGISTRY = "FleetlabBiosAttributeRegistry.v1_0_0"
CHOICES = {
    "BootMode": ["Uefi", "Bios"],
    "LogicalProc": ["Enabled", "Disabled"],
    "ProcVirtualization": ["Enabled", "Disabled"],
    "SriovGlobalEnable": ["Enabled", "Disabled"],
    "SecureMemoryEncryption": ["Enabled", "Disabled"],
    "TpmSecurity": ["On", "Off"],
    "NumaNodesPerSocket": ["0", "1", "2", "4"],
    "SysProfile": ["PerfPerWatt", "Performance", "Custom"],
    "PxeDev1EnDis": ["Enabled", "Disabled"],
}


def add_registry(tree: Builder) -> None:
    """The attribute registry of `ATTRIBUTES`, and the collection that leads to it."""
    registries = f"{ROOT}/Registries"
    tree.link_from(ROOT, Registries=ref(registries))
    tree.collection(registries, "MessageRegistryFile", "Registries")
    location = f"{registries}/{REGISTRY}/{REGISTRY}.json"
    tree.add(
        f"{registries}/{REGISTRY}",
        "MessageRegistryFile.v1_1_3",
        "BIOS attribute registry",
        Registry=REGISTRY,
        Languages=["en"],
        Location=[{"Language": "en", "Uri": location}],
    )
    entries: list[Resource] = []
    for name, value in ATTRIBUTES.items():
        entry: Resource = {"AttributeName": name, "DisplayName": name, "ReadOnly": name == "SecureBoot"}
        if name in CHOICES:
            entry |= {"Type": "Enumeration", "Value": [{"ValueName": choice} for choice in CHOICES[name]]}
        elif isinstance(value, bool):
            entry["Type"] = "Boolean"
        elif isinstance(value, int):
            entry |= {"Type": "Integer", "LowerBound": 0, "UpperBound": 600, "ScalarIncrement": 10}
        else:
            entry["Type"] = "Password" if "Password" in name else "String"
        if not entry["ReadOnly"] and entry["Type"] != "Password":
            entry["DefaultValue"] = value
        entries.append(entry)
    tree.add(
        location,
        "AttributeRegistry.v1_3_8",
        "BIOS attribute registry",
        Language="en",
        OwningEntity="Fleetlab",
        RegistryVersion="1.0.0",
        RegistryEntries={"Attributes": entries},
    )


def add_bios(tree: Builder, system: str) -> None:
    tree.add(
        f"{system}/Bios",
        "Bios.v1_2_3",
        "BIOS configuration",
        AttributeRegistry=REGISTRY,
        Attributes=ATTRIBUTES,
        Actions={"#Bios.ResetBios": {"target": f"{system}/Bios/Actions/Bios.ResetBios"}},
        **{
            "@Redfish.Settings": {
                "@odata.type": "#Settings.v1_4_0.Settings",
                "SettingsObject": ref(f"{system}/Bios/Settings"),
                "SupportedApplyTimes": ["OnReset"],
            }
        },
    )
    tree.add(f"{system}/Bios/Settings", "Bios.v1_2_3", "BIOS settings for the next boot", Attributes={})


def add_boot(tree: Builder, system: str, mac: str) -> None:
    """SecureBoot and BootOptions; the system itself has `boot()`."""
    tree.add(
        f"{system}/SecureBoot",
        "SecureBoot.v1_1_2",
        "UEFI Secure Boot",
        SecureBootEnable=False,
        SecureBootCurrentBoot="Disabled",
        SecureBootMode="UserMode",
        Actions={
            "#SecureBoot.ResetKeys": {
                "target": f"{system}/SecureBoot/Actions/SecureBoot.ResetKeys",
                "ResetKeysType@Redfish.AllowableValues": ["ResetAllKeysToDefault", "DeleteAllKeys", "DeletePK"],
            }
        },
    )
    tree.collection(f"{system}/BootOptions", "BootOption", "Boot Options")
    for number, (title, alias, device) in enumerate(
        (
            ("PXE IPv4 NIC1 port 1", "Pxe", f"PciRoot(0x0)/Pci(0x1,0x0)/MAC({mac.replace(':', '')},0x1)/IPv4(0.0.0.0)"),
            ("Linux boot manager", "Hdd", "HD(1,GPT,0B1C2D3E-0000-4000-8000-000000000001)/\\EFI\\boot\\bootx64.efi"),
        ),
        1,
    ):
        tree.add(
            f"{system}/BootOptions/Boot{number:04d}",
            "BootOption.v1_0_6",
            title,
            BootOptionReference=f"Boot{number:04d}",
            DisplayName=title,
            Alias=alias,
            BootOptionEnabled=True,
            UefiDevicePath=device,
        )


def boot(system: str) -> Resource:
    return {
        "BootOptions": ref(f"{system}/BootOptions"),
        "BootOrder": ["Boot0001", "Boot0002"],
        "BootSourceOverrideEnabled": "Disabled",
        "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
        "BootSourceOverrideMode": "UEFI",
        "BootSourceOverrideMode@Redfish.AllowableValues": ["Legacy", "UEFI"],
        "BootSourceOverrideTarget": "None",
        "BootSourceOverrideTarget@Redfish.AllowableValues": [
            *("None", "Pxe", "Cd", "Usb", "Hdd", "BiosSetup", "Utilities", "Diags", "UefiTarget", "UefiHttp"),
        ],
        "UefiTargetBootSourceOverride": None,
        "HttpBootUri": None,
    }


def reset(path: str, *more: str) -> Resource:
    return {
        "#ComputerSystem.Reset": {
            "target": f"{path}/Actions/ComputerSystem.Reset",
            "ResetType@Redfish.AllowableValues": [
                *("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "PushPowerButton"),
                *more,
            ],
        }
    }
