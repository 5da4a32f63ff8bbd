# SPDX-License-Identifier: BSD-2-Clause
"""Settings and actions of servers: BIOS with its registry, boot, reset."""

from __future__ import annotations

from fleetlab.tree import ROOT, Resource
from fleetlab.trees.build import Builder, action, ref

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
    """Add the attribute registry of `ATTRIBUTES`, and the collection that leads to it."""
    registries = f"{ROOT}/Registries"
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
        Actions=action(f"{system}/Bios", "Bios.ResetBios"),
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
        Actions=action(
            f"{system}/SecureBoot",
            "SecureBoot.ResetKeys",
            ResetKeysType=["ResetAllKeysToDefault", "DeleteAllKeys", "DeletePK"],
        ),
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
    kinds = ("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "PushPowerButton")
    return action(path, "ComputerSystem.Reset", ResetType=[*kinds, *more])
