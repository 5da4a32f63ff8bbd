# SPDX-License-Identifier: BSD-2-Clause
"""A small language for writing Redfish trees down in Python."""

from __future__ import annotations

from typing import Any

from fleetlab.tree import ROOT, Resource

OK: Resource = {"State": "Enabled", "Health": "OK"}
# Resources that are found through a property of another name.
_LINKED_ELSEWHERE = frozenset({"BootOptions", "Settings", "TaskService"})


def ref(path: str) -> Resource:
    return {"@odata.id": path}


def refs(*paths: str) -> list[Resource]:
    return [ref(path) for path in paths]


def action(path: str, name: str, **allowed: list[str]) -> Resource:
    """One of a resource's Actions, such as `Manager.Reset`, with the values that its parameters may have."""
    values = {f"{parameter}@Redfish.AllowableValues": choices for parameter, choices in allowed.items()}
    return {f"#{name}": {"target": f"{path}/Actions/{name}", **values}}


class Builder:
    """Collects resources. `add` and `collection` return the path, for use in references."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}

    def add(self, path: str, kind: str, name: str, **properties: Any) -> str:
        """A resource; `kind` is `Chassis.v1_25_0` or unversioned `ServiceRoot`. Its Id is the end of its path."""
        family = kind.partition(".")[0]
        self.resources[path] = {
            "@odata.id": path,
            "@odata.type": f"#{kind}.{family}",
            "Id": path.rpartition("/")[2],
            "Name": name,
            **properties,
        }
        return path

    def part(self, path: str, kind: str, name: str, **properties: Any) -> str:
        """A resource that has a status: all is well."""
        return self.add(path, kind, name, **properties, Status=OK)

    def collection(self, path: str, kind: str, name: str) -> str:
        """A collection of `kind`; its members are all resources right below it, in the order they were added."""
        self.resources[path] = {
            "@odata.id": path,
            "@odata.type": f"#{kind}Collection.{kind}Collection",
            "Name": name,
            "Members": [],
        }
        return path

    def build(self) -> dict[str, Resource]:
        """All resources, completed by what follows from their places.

        What stands right below a collection is its member, below another resource it is linked. Parts with a name that
        a resource holds itself get an address in it, and are well.
        """
        for path, resource in self.resources.items():
            for kind, held in resource.items():
                for number, item in enumerate(held if isinstance(held, list) else []):
                    if isinstance(item, dict) and "Name" in item:
                        item.update({"@odata.id": f"{path}#/{kind}/{number}", "MemberId": str(number), "Status": OK})
            parent, _slash, name = path.rpartition("/")
            above = self.resources.get(parent, {})
            if "Members" in above:
                above["Members"].append(ref(path))
            elif above and name not in _LINKED_ELSEWHERE and not name.endswith(".json"):
                above[name] = ref(path)
        for resource in self.resources.values():
            if "Members" in resource:
                resource["Members@odata.count"] = len(resource["Members"])
        return self.resources


def add_services(tree: Builder, product: str, vendor: str, bmc_firmware: str) -> None:
    """The service root and the services that every BMC has, but for Systems, Chassis and Managers."""
    tree.add(
        ROOT,
        "ServiceRoot.v1_16_1",
        "Root Service",
        Id="RootService",
        RedfishVersion="1.20.1",
        UUID="@{uuid}ffff",
        Product=product,
        Vendor=vendor,
        ProtocolFeaturesSupported={
            "ExcerptQuery": False,
            "FilterQuery": False,
            "OnlyMemberQuery": True,
            "SelectQuery": True,
            "TopSkipQuery": True,
            "MultipleHTTPRequests": True,
            "ExpandQuery": {"ExpandAll": True, "Levels": True, "Links": True, "MaxLevels": 3, "NoLinks": True},
            "DeepOperations": {"DeepPATCH": False, "DeepPOST": False},
        },
        Tasks=ref(f"{ROOT}/TaskService"),
        Links={
            "Sessions": ref(f"{ROOT}/SessionService/Sessions"),
            "ManagerProvidingService": ref(f"{ROOT}/Managers/BMC"),
        },
    )
    tree.part(
        f"{ROOT}/SessionService",
        "SessionService.v1_1_9",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=1800,
    )
    tree.collection(f"{ROOT}/SessionService/Sessions", "Session", "Sessions")
    accounts = f"{ROOT}/AccountService"
    tree.part(
        accounts,
        "AccountService.v1_15_1",
        "Account Service",
        ServiceEnabled=True,
        MinPasswordLength=8,
        MaxPasswordLength=40,
    )
    tree.collection(f"{accounts}/Accounts", "ManagerAccount", "Accounts")
    tree.add(
        f"{accounts}/Accounts/1",
        "ManagerAccount.v1_12_1",
        "User Account",
        UserName="@{username}",
        Password=None,
        RoleId="Administrator",
        Enabled=True,
        Locked=False,
        Links={"Role": ref(f"{accounts}/Roles/Administrator")},
    )
    tree.collection(f"{accounts}/Roles", "Role", "Roles")
    for role, privileges in (
        ("Administrator", ["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"]),
        ("ReadOnly", ["Login", "ConfigureSelf"]),
    ):
        tree.add(
            f"{accounts}/Roles/{role}",
            "Role.v1_3_3",
            f"{role} Role",
            RoleId=role,
            IsPredefined=True,
            AssignedPrivileges=privileges,
        )
    tasks = f"{ROOT}/TaskService"
    tree.part(tasks, "TaskService.v1_2_1", "Task Service", ServiceEnabled=True)
    tree.collection(f"{tasks}/Tasks", "Task", "Tasks")
    update = f"{ROOT}/UpdateService"
    tree.part(
        update,
        "UpdateService.v1_14_0",
        "Update Service",
        ServiceEnabled=True,
        HttpPushUri=f"{update}/update",
        MultipartHttpPushUri=f"{update}/update-multipart",
        Actions=action(update, "UpdateService.SimpleUpdate", TransferProtocol=["HTTP", "HTTPS", "TFTP"]),
    )
    tree.collection(f"{update}/FirmwareInventory", "SoftwareInventory", "Firmware Inventory")
    add_firmware(tree, "BMC", "BMC firmware", bmc_firmware, vendor, [f"{ROOT}/Managers/BMC"])
    tree.collection(f"{ROOT}/Systems", "ComputerSystem", "Computer System Collection")
    tree.collection(f"{ROOT}/Chassis", "Chassis", "Chassis Collection")
    tree.collection(f"{ROOT}/Managers", "Manager", "Manager Collection")


def add_firmware(tree: Builder, name: str, title: str, version: str, vendor: str, items: list[str]) -> None:
    tree.part(
        f"{ROOT}/UpdateService/FirmwareInventory/{name}",
        "SoftwareInventory.v1_10_2",
        title,
        Version=version,
        Manufacturer=vendor,
        SoftwareId=f"FL-{name}",
        Updateable=True,
        RelatedItem=refs(*items),
    )


def add_manager(tree: Builder, model: str, firmware: str, mac: str, systems: list[str], chassis: list[str]) -> str:
    """The BMC itself at Managers/BMC, with network, protocols, log and virtual media."""
    path = f"{ROOT}/Managers/BMC"
    tree.part(
        path,
        "Manager.v1_19_1",
        "Manager",
        ManagerType="BMC",
        Model=model,
        FirmwareVersion=firmware,
        UUID="@{uuid}fffe",
        ServiceEntryPointUUID="@{uuid}ffff",
        PowerState="On",
        DateTime="2026-01-01T00:00:00Z",
        DateTimeLocalOffset="+00:00",
        Links={"ManagerForServers": refs(*systems), "ManagerForChassis": refs(*chassis)},
        Actions=action(path, "Manager.Reset", ResetType=["GracefulRestart", "ForceRestart"]),
    )
    tree.collection(f"{path}/EthernetInterfaces", "EthernetInterface", "Manager Ethernet Interfaces")
    tree.part(
        f"{path}/EthernetInterfaces/eth0",
        "EthernetInterface.v1_12_2",
        "Manager Ethernet Interface",
        MACAddress=mac,
        PermanentMACAddress=mac,
        HostName="@{name}",
        FQDN="@{name}.bmc.example.org",
        InterfaceEnabled=True,
        LinkStatus="LinkUp",
        SpeedMbps=1000,
        FullDuplex=True,
        AutoNeg=True,
        MTUSize=1500,
        IPv4Addresses=[
            {"Address": "192.0.2.10", "SubnetMask": "255.255.255.0", "AddressOrigin": "DHCP", "Gateway": "192.0.2.1"}
        ],
        IPv6Addresses=[],
        NameServers=["192.0.2.53"],
        VLAN={"VLANEnable": False},
    )
    tree.part(
        f"{path}/NetworkProtocol",
        "ManagerNetworkProtocol.v1_10_1",
        "Manager Network Protocol",
        HostName="@{name}",
        HTTPS={"ProtocolEnabled": True, "Port": 443},
        SSH={"ProtocolEnabled": True, "Port": 22},
        IPMI={"ProtocolEnabled": True, "Port": 623},
        NTP={"ProtocolEnabled": True, "NTPServers": ["192.0.2.123"]},
    )
    add_log(tree, path, "BMC", "Manager event log", ["BMC started", "Network link up on eth0"])
    tree.collection(f"{path}/VirtualMedia", "VirtualMedia", "Virtual Media")
    for name, types in (("CD1", ["CD", "DVD"]), ("USB1", ["USBStick"])):
        media = f"{path}/VirtualMedia/{name}"
        tree.add(
            media,
            "VirtualMedia.v1_6_3",
            f"Virtual {name}",
            MediaTypes=types,
            Image=None,
            ImageName=None,
            Inserted=False,
            WriteProtected=True,
            ConnectedVia="NotConnected",
            Actions=action(media, "VirtualMedia.InsertMedia") | action(media, "VirtualMedia.EjectMedia"),
        )
    return path


def add_log(tree: Builder, owner: str, log: str, name: str, messages: list[str]) -> None:
    """LogServices with one log and its entries, below a system or a manager."""
    path = f"{owner}/LogServices/{log}"
    tree.collection(f"{owner}/LogServices", "LogService", "Log Services")
    tree.part(
        path,
        "LogService.v1_5_1",
        name,
        ServiceEnabled=True,
        LogEntryType="SEL" if log == "SEL" else "Event",
        MaxNumberOfRecords=1000,
        OverWritePolicy="WrapsWhenFull",
        Actions=action(path, "LogService.ClearLog"),
    )
    tree.collection(f"{path}/Entries", "LogEntry", f"{name} entries")
    for number, message in enumerate(messages, 1):
        tree.add(
            f"{path}/Entries/{number}",
            "LogEntry.v1_16_1",
            f"Log Entry {number}",
            EntryType="SEL" if log == "SEL" else "Event",
            Severity="Warning" if "error" in message else "OK",
            Created=f"2026-01-01T00:{number:02d}:00Z",
            SensorNumber=number,
            Message=message,
        )
