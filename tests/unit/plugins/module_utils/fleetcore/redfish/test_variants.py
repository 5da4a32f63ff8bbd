# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structures in which services put the same facts: one small tree each. Ids are arbitrary on purpose."""

from __future__ import annotations

import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Verdict,
    device_from_dict,
    to_dict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.capture import Recording
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.replay import replay

V1 = "/redfish/v1"
SYSTEM = f"{V1}/Systems/zz"
CHASSIS = f"{V1}/Chassis/yy"
MANAGER = f"{V1}/Managers/xx"
GIB = 2**30


def ref(path):
    return {"@odata.id": path}


def members(*paths):
    return {"Members": [ref(path) for path in paths]}


class Tree(dict):
    """Bodies by path; `add` puts a collection with its members below a resource and links it there."""

    def add(self, owner, name, *bodies, at=None):
        folder = f"{owner}/{name}"
        paths = [f"{folder}/{number}" for number in range(len(bodies))]
        self[folder] = members(*paths)
        for number, (path, body) in enumerate(zip(paths, bodies)):
            self[path] = {"Id": f"{name}-{number}", "Name": name, **body, **ref(path)}
        self.link(owner, at or name, ref(folder))
        return paths

    def link(self, owner, where, value):
        body = self[owner]
        *parents, last = where.split(".")
        for name in parents:
            body = body.setdefault(name, {})
        body[last] = value


@pytest.fixture
def tree():
    return Tree(
        {
            V1: {"Systems": ref(f"{V1}/Systems"), "Chassis": ref(f"{V1}/Chassis"), "Managers": ref(f"{V1}/Managers")},
            f"{V1}/Systems": members(SYSTEM),
            f"{V1}/Chassis": members(CHASSIS),
            f"{V1}/Managers": members(MANAGER),
            SYSTEM: {"Id": "zz", "Name": "s", "SerialNumber": "SYS1", "PowerState": "On"},
            CHASSIS: {"Id": "yy", "Name": "c", "ChassisType": "RackMount"},
            MANAGER: {"Id": "xx", "Name": "m", "ManagerType": "BMC"},
        }
    )


def read(tree, system=None):
    device = replay(Recording({path: json.dumps(body).encode() for path, body in tree.items()}), system=system)
    assert device_from_dict(to_dict(device)) == device
    assert not [item for item in device.coverage.values() if item.verdict is Verdict.FAILED]
    return device


def macs(device):
    return [port.macaddress for nic in device.nics for port in nic.nic_ports]


# -- storage -----------------------------------------------------------------------------------------------------------


def test_storage_with_controllers_of_their_own(tree):
    (storage,) = tree.add(SYSTEM, "Storage", {})
    tree.add(storage, "Controllers", {"Model": "NEW", "FirmwareVersion": "5", "CacheSummary": {"TotalCacheSizeMiB": 8}})
    tree.link(storage, "StorageControllers", [{"MemberId": "0", "Model": "OLD"}])
    assert [(item.model, item.cache_bytes) for item in read(tree).storage_controller] == [("NEW", 8 << 20)]


def test_storage_with_controllers_inside(tree):
    tree.add(SYSTEM, "Storage", {"StorageControllers": [{"MemberId": "0", "Model": "M", "SerialNumber": "C1"}]})
    assert [(item.model, item.serial) for item in read(tree).storage_controller] == [("M", "C1")]


def test_drives_of_storage_and_not_the_same_from_simple_storage(tree):
    (storage,) = tree.add(SYSTEM, "Storage", {"Drives@odata.count": 7})
    tree[f"{storage}/d1"] = {
        "Id": "d1",
        "SerialNumber": "D1",
        "CapacityBytes": 1000,
        "Protocol": "SAS",
        "MediaType": "HDD",
        "Identifiers": [{"DurableNameFormat": "NAA", "DurableName": "0x5000C500ABCDEF01"}],
        "PhysicalLocation": {"PartLocation": {"LocationType": "Bay", "LocationOrdinalValue": 3}},
    }
    tree.link(storage, "Drives", [ref(f"{storage}/d1/"), ref(f"{storage}/d1"), ref(f"{storage}/gone")])
    tree.add(SYSTEM, "SimpleStorage", {"Devices": [{"Name": "again", "CapacityBytes": 1000}]})
    (drive,) = read(tree).drives
    assert (drive.serial, drive.protocol, drive.drive_type) == ("D1", "SAS", "HDD")
    assert (drive.wwn, drive.slot) == ("5000c500abcdef01", "Bay 3")


def test_drives_only_in_simple_storage(tree):
    tree.add(SYSTEM, "SimpleStorage", {"Devices": [{"Name": "Bay 1", "Model": "X", "CapacityBytes": "1000"}, None]})
    assert [(drive.model, drive.capacity_bytes) for drive in read(tree).drives] == [("X", 1000)]


@pytest.mark.parametrize("name", ["Drives", "Links.Drives"])
def test_drives_only_under_a_chassis(tree, name):
    paths = tree.add(CHASSIS, "Bays", {"SerialNumber": "D1"}, {"Status": {"State": "Absent"}}, at="Other")
    tree.link(CHASSIS, name, ref(f"{CHASSIS}/Bays") if name == "Drives" else [ref(path) for path in paths])
    assert [drive.serial for drive in read(tree).drives] == ["D1"]


@pytest.mark.parametrize("links", ["Oem.Hpe.Links", "Oem.Hp.Links", "Oem.Hp.links"])
def test_smart_storage(tree, links):
    smart = f"{SYSTEM}/SmartStorage"
    tree[smart] = {"Id": "s", "Name": "smart"}
    tree.link(SYSTEM, f"{links}.SmartStorage", ref(smart))
    version = {"Current": {"VersionString": "4.5"}}
    inner = "links" if links.endswith("links") else "Links"
    (array,) = tree.add(
        smart,
        "ArrayControllers",
        {"Model": "P408i", "SerialNumber": "A1", "FirmwareVersion": version},
        at=f"{inner}.ArrayControllers",
    )
    disk = {"SerialNumber": "D1", "CapacityMiB": 1024, "MediaType": "SSD", "InterfaceType": "SAS", "Location": "1I:1:1"}
    tree.add(array, "DiskDrives", {**disk, "FirmwareVersion": version}, at=f"{inner}.PhysicalDrives")
    tree.add(
        array, "LogicalDrives", {"Raid": "1", "CapacityMiB": 512, "LogicalDriveName": "os"}, at=f"{inner}.LogicalDrives"
    )
    device = read(tree)
    assert [(item.model, item.firmware.installed) for item in device.storage_controller] == [("P408i", "4.5")]
    (drive,) = device.drives
    assert (drive.serial, drive.capacity_bytes, drive.slot) == ("D1", GIB, "1I:1:1")
    assert [(item.name, item.size_bytes) for item in device.volumes] == [("os", GIB // 2)]


def test_volumes_name_their_drives(tree):
    (storage,) = tree.add(SYSTEM, "Storage", {})
    drives = tree.add(storage, "Disks", {"SerialNumber": "D1"}, {"SerialNumber": "N/A"}, at="Nothing")
    tree.link(storage, "Drives", [ref(path) for path in drives])
    tree.add(
        storage,
        "Volumes",
        {"RAIDType": "RAID1", "CapacityBytes": 5, "Links": {"Drives": [ref(path) for path in drives]}},
        {"VolumeType": "RawDevice", "CapacityBytes": 5},
    )
    assert [(item.raid_type, item.physical_drives) for item in read(tree).volumes] == [("RAID1", ("D1", "Disks-1"))]


# -- processors and memory ---------------------------------------------------------------------------------------------


def test_processor_types(tree):
    tree.add(
        SYSTEM,
        "Processors",
        {"ProcessorType": "CPU", "TotalCores": "8", "Version": "stepping 4", "SerialNumber": "Unknown"},
        {"ProcessorType": "GPU", "SerialNumber": "G1", "MemorySummary": {"TotalMemorySizeMiB": 1024}},
        {"ProcessorType": "FPGA", "Model": "F"},
        {"ProcessorType": "Core"},
        {"ProcessorType": "CPU", "Status": {"State": "Absent"}},
        {"Model": "no type is a CPU"},
    )
    device = read(tree)
    assert [cpu.cores for cpu in device.cpus] == [8, None]
    assert device.cpus[0].firmware is None
    assert device.cpus[0].serial is None
    assert [(gpu.serial, gpu.memory_bytes) for gpu in device.gpus] == [("G1", GIB)]
    assert [item.kind for item in device.accelerators] == ["FPGA"]


def test_gpus_only_as_pcie_devices_and_not_the_bmcs_graphics(tree):
    graphics = {"Manufacturer": "ASPEED Technology, Inc.", "Name": "ASPEED Graphics Family"}
    gpu = {"Manufacturer": "NVIDIA Corporation", "Model": "GA100", "SerialNumber": "G1"}
    paths = tree.add(CHASSIS, "PCIeDevices", gpu, graphics)
    tree.add(
        paths[0], "PCIeFunctions", {"DeviceClass": "DisplayController", "VendorId": "0x10de", "DeviceId": "0x20b5"}
    )
    tree.add(
        paths[1], "PCIeFunctions", {"DeviceClass": "DisplayController", "VendorId": "0x1a03", "DeviceId": "0x2000"}
    )
    device = read(tree)
    assert [(item.model, item.serial, item.pci_product_id) for item in device.gpus] == [("GA100", "G1", "20b5")]
    assert len(device.pcie_devices) == 2


def test_graphics_controllers(tree):
    tree.add(SYSTEM, "GraphicsControllers", {"Model": "G"})
    assert [gpu.model for gpu in read(tree).gpus] == ["G"]


def test_a_board_of_gpus_that_is_a_system_of_its_own(tree):
    board, host = f"{V1}/Systems/board", SYSTEM
    tree[f"{V1}/Systems"] = members(board, host)
    tree[board] = {"Id": "board", "Name": "b", "SystemType": "Physical"}
    tree[host].update(SystemType="Physical", BiosVersion="1.0", Boot={"BootOrder": []})
    tree.add(
        board,
        "Processors",
        {"ProcessorType": "GPU", "SerialNumber": "G1"},
        {"ProcessorType": "GPU", "SerialNumber": "G2"},
    )
    tree.add(host, "Processors", {"ProcessorType": "CPU", "TotalCores": 4})
    tree[f"{V1}/Chassis"] = members(CHASSIS, f"{V1}/Chassis/gpu")
    tree[f"{V1}/Chassis/gpu"] = {"Id": "gpu", "Name": "g", "Links": {"ComputerSystems": [ref(board)]}}
    for name in (None, "zz"):
        device = read(tree, name)
        assert device.system_id == "zz"
        assert [gpu.serial for gpu in device.gpus] == ["G1", "G2"]
        assert len(device.cpus) == 1
        assert {item.id for item in device.enclosures} == {"yy", "gpu"}
    assert read(tree, "board").cpus == ()
    tree[board]["BiosVersion"] = "2"
    with pytest.raises(InvalidInput, match="several systems"):
        read(tree)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"CapacityMiB": 16384}, 16 * GIB),
        ({"CapacityMiB": "16384"}, 16 * GIB),
        ({"CapacityMiB": 15625}, 16 * GIB),  # 16384 decimal megabytes over 2**20
        ({"SizeMB": 8192}, 8 * GIB),
        ({"CapacityMiB": None, "VolatileSizeMiB": 1024, "NonVolatileSizeMiB": 1024}, 2 * GIB),
        ({"CapacityMiB": 0, "VolatileSizeMiB": 1024}, GIB),
        ({"SerialNumber": "has only a serial"}, None),
        ({"CapacityMiB": 10**30, "SerialNumber": "S"}, None),
    ],
)
def test_sizes_of_memory(tree, body, size):
    tree.add(SYSTEM, "Memory", body, {"Status": {"State": "Absent"}}, {"CapacityMiB": 0})
    assert [item.size_bytes for item in read(tree).memory] == [size]


def test_nvdimm(tree):
    tree.add(SYSTEM, "Memory", {"MemoryType": "NVDIMM_N", "CapacityMiB": 16384, "NonVolatileSizeMiB": 16384})
    assert [item.nonvolatile_bytes for item in read(tree).memory] == [16 * GIB]


def test_memory_as_ilo_4_has_it(tree):
    module = {"SizeMB": 8192, "SocketLocator": "PROC 1 DIMM 3", "DIMMType": "DDR4", "MaximumFrequencyMHz": 2133}
    tree.add(SYSTEM, "DIMMs", module, at="Oem.Hp.links.Memory")
    (found,) = read(tree).memory
    assert (found.slot, found.type, found.clock_speed_hz) == ("PROC 1 DIMM 3", "DDR4", 2133_000_000)


# -- network -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mac",
    [
        {"Ethernet": {"PermanentMACAddress": "02-00-00-00-00-01"}},
        {"Ethernet": {"PermanentMACAddress": None, "MACAddress": "020000000001"}},
    ],
)
def test_macs_only_in_functions(tree, mac):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {"Model": "N", "SerialNumber": "N1"})
    (port,) = tree.add(adapter, "NetworkPorts", {"AssociatedNetworkAddresses": ["00:00:00:00:00:00"]})
    tree.add(adapter, "NetworkDeviceFunctions", {**mac, "PhysicalPortAssignment": ref(port + "/")})
    assert macs(read(tree)) == ["02:00:00:00:00:01"]


def test_a_zero_mac_comes_first(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {})
    tree.add(adapter, "NetworkPorts", {"AssociatedNetworkAddresses": ["00:00:00:00:00:00", "02:00:00:00:00:01"]})
    assert macs(read(tree)) == ["02:00:00:00:00:01"]


def test_ports_before_network_ports_and_each_once(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {})
    port = {"Ethernet": {"AssociatedMACAddresses": ["02:00:00:00:00:01"]}, "CurrentSpeedGbps": 25}
    new = tree.add(adapter, "Ports", port)
    old = tree.add(adapter, "NetworkPorts", {"AssociatedNetworkAddresses": ["02:00:00:00:00:01"]}, {})
    controller = {
        "FirmwarePackageVersion": "7",
        "Links": {"Ports": [ref(new[0])], "NetworkPorts": [ref(path) for path in old]},
    }
    tree.link(adapter, "Controllers", [controller])
    (nic,) = read(tree).nics
    assert [(item.macaddress, item.speed_bits) for item in nic.nic_ports] == [("02:00:00:00:00:01", 25 * 10**9)]
    assert nic.firmware.installed == "7"


def test_a_port_that_only_the_controller_links_to(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {})
    tree.add(adapter, "NetworkPorts")
    tree[f"{adapter}/p"] = {"Id": "p", "AssociatedNetworkAddresses": ["02:00:00:00:00:01"]}
    tree.link(adapter, "Controllers", [{"Links": {"NetworkPorts": [ref(f"{adapter}/p")]}}])
    assert macs(read(tree)) == ["02:00:00:00:00:01"]


def test_adapters_only_through_network_interfaces(tree):
    adapter = f"{V1}/Elsewhere/n"
    tree[adapter] = {"Id": "n", "Name": "n", "SerialNumber": "N1"}
    tree.add(adapter, "Ports", {"AssociatedNetworkAddresses": ["02:00:00:00:00:01"]})
    tree.add(SYSTEM, "NetworkInterfaces", {"Links": {"NetworkAdapter": ref(adapter)}})
    device = read(tree)
    assert [nic.serial for nic in device.nics] == ["N1"]
    assert macs(device) == ["02:00:00:00:00:01"]


def test_interfaces_that_hold_the_ports_themselves(tree):
    (interface,) = tree.add(SYSTEM, "NetworkInterfaces", {"Model": "LOM"}, at="NetworkInterfaces")
    tree.add(interface, "NetworkPorts", {"AssociatedNetworkAddresses": ["02:00:00:00:00:01"]})
    assert [(nic.model, macs(read(tree))) for nic in read(tree).nics] == [("LOM", ["02:00:00:00:00:01"])]


def test_macs_only_in_ethernet_interfaces_and_those_that_adapters_have(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {"Id": "same"})
    tree.add(adapter, "Ports", {"AssociatedNetworkAddresses": ["02:00:00:00:00:01"]})
    known = {"MACAddress": "02:00:00:00:00:01", "SpeedMbps": "1000", "LinkStatus": "LinkUp"}
    tree.add(
        SYSTEM,
        "EthernetInterfaces",
        known,
        {"Id": "same", "PermanentMACAddress": "02:00:00:00:00:02"},
        {"MACAddress": ""},
    )
    device = read(tree)
    assert macs(device) == ["02:00:00:00:00:01", "02:00:00:00:00:02"]
    assert device.nics[0].nic_ports[0].speed_bits == 10**9


def test_several_nics_with_one_id(tree):
    other = f"{V1}/Chassis/ww"
    tree[f"{V1}/Chassis"] = members(CHASSIS, other)
    tree[other] = {"Id": "ww", "Name": "w"}
    for number, chassis in enumerate((CHASSIS, other)):
        (adapter,) = tree.add(chassis, "NetworkAdapters", {"Id": "NIC", "SerialNumber": f"N{number}x"})
        tree.add(adapter, "Ports", {"Id": "1", "AssociatedNetworkAddresses": [f"02:00:00:00:00:0{number + 1}"]})
    device = read(tree)
    assert {nic.serial for nic in device.nics} == {"N0x", "N1x"}
    assert len(macs(device)) == 2


def test_infiniband_and_fibre_channel_ports(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {"Model": "A"})
    ports = tree.add(
        adapter,
        "Ports",
        {"LinkNetworkTechnology": "InfiniBand", "CurrentSpeedGbps": 200},
        {"ActiveLinkTechnology": "FibreChannel"},
    )
    tree.add(
        adapter,
        "NetworkDeviceFunctions",
        {"InfiniBand": {"PermanentPortGUID": "B83F:D203:00A4:1BD2"}, "PhysicalPortAssignment": ref(ports[0])},
        {"FibreChannel": {"PermanentWWPN": "10:00:00:00:C9:00:00:01"}, "AssignablePhysicalPorts": [ref(ports[1])]},
    )
    assert [(item.kind, item.wwn) for item in read(tree).fabric_ports] == [
        ("infiniband", "b83f:d203:00a4:1bd2"),
        ("fibre_channel", "10:00:00:00:c9:00:00:01"),
    ]


def test_a_dpu(tree):
    tree.add(
        CHASSIS, "NetworkAdapters", {"Model": "BlueField-3 SmartNIC", "SerialNumber": "B1"}, {"Model": "ConnectX-6"}
    )
    assert [dpu.serial for dpu in read(tree).dpus] == ["B1"]


def test_the_bmcs_mac_only_as_permanent_address(tree):
    tree.add(
        MANAGER,
        "EthernetInterfaces",
        {"PermanentMACAddress": "02:00:00:00:00:09", "HostName": "bmc-1"},
        {"MACAddress": None},
    )
    device = read(tree)
    assert [port.macaddress for port in device.bmc.nic.nic_ports] == ["02:00:00:00:00:09"]
    assert device.bmc.hostname == "bmc-1"
    assert device.nics == (), "the BMC's port is not the host's"


def test_the_bmc_without_interfaces(tree):
    tree[f"{MANAGER}/np"] = {"Id": "np", "HostName": "bmc-2"}
    tree.link(MANAGER, "NetworkProtocol", ref(f"{MANAGER}/np"))
    tree[V1]["UpdateService"] = ref(f"{V1}/US")
    tree.setdefault(f"{V1}/US", {"Id": "US", "Name": "u"})
    tree.add(f"{V1}/US", "SoftwareInventory", {"Id": "BMC", "Name": "BMC", "Version": "1.2"})
    bmc = read(tree).bmc
    assert (bmc.hostname, bmc.firmware.installed) == ("bmc-2", "1.2")


# -- chassis -----------------------------------------------------------------------------------------------------------


def test_power_supplies_and_batteries_of_the_power_subsystem(tree):
    tree[f"{CHASSIS}/ps"] = {"Id": "ps", "Name": "p"}
    tree.link(CHASSIS, "PowerSubsystem", ref(f"{CHASSIS}/ps"))
    watts = {"InputRanges": [{"OutputWattage": 750}, {"OutputWattage": 800}]}
    tree.add(f"{CHASSIS}/ps", "PowerSupplies", {"SerialNumber": "P1", **watts}, {"Status": {"State": "Absent"}})
    tree.add(f"{CHASSIS}/ps", "Batteries", {"Model": "B", "StateOfHealthPercent": 99})
    device = read(tree)
    assert [(item.serial, item.power_capacity_watts) for item in device.power_supplies] == [("P1", 800)]
    assert [(item.model, item.charge_percent) for item in device.batteries] == [("B", 99)]


def test_the_deprecated_power_and_thermal(tree):
    tree[f"{CHASSIS}/pw"] = {
        "Id": "pw",
        "PowerSupplies": [
            {"MemberId": "0", "SerialNumber": "P1", "PowerCapacityWatts": 500},
            {"MemberId": "1", "Name": "nil"},
        ],
        "Voltages": [{"MemberId": "0", "Name": "12V", "ReadingVolts": "12.1"}],
    }
    tree[f"{CHASSIS}/th"] = {
        "Id": "th",
        "Fans": [{"MemberId": "0", "FanName": "F", "Reading": 5000, "ReadingUnits": "RPM"}],
        "Temperatures": [{"MemberId": "0", "Name": "CPU", "ReadingCelsius": 40}],
    }
    tree.link(CHASSIS, "Power", ref(f"{CHASSIS}/pw"))
    tree.link(CHASSIS, "Thermal", ref(f"{CHASSIS}/th"))
    device = read(tree)
    assert [item.serial for item in device.power_supplies] == ["P1"], "an empty bay is no power supply"
    assert [(fan.name, fan.reading) for fan in device.fans] == [("F", 5000)]
    assert [(item.name, item.reading) for item in device.sensors] == [("CPU", 40), ("12V", 12.1)]


def test_fans_of_the_thermal_subsystem_and_sensors(tree):
    tree[f"{CHASSIS}/ts"] = {"Id": "ts", "Name": "t"}
    tree.link(CHASSIS, "ThermalSubsystem", ref(f"{CHASSIS}/ts"))
    tree.add(
        f"{CHASSIS}/ts", "Fans", {"SpeedPercent": {"Reading": 40, "SpeedRPM": 8000}}, {"SpeedPercent": {"Reading": 30}}
    )
    tree.add(CHASSIS, "Sensors", {"ReadingType": "Temperature", "Reading": 21.5, "ReadingUnits": "Cel"})
    device = read(tree)
    assert [(fan.reading, fan.reading_units) for fan in device.fans] == [(8000, "RPM"), (30, "Percent")]
    assert [sensor.reading for sensor in device.sensors] == [21.5]


def test_batteries_of_storage_controllers(tree):
    tree[CHASSIS]["Oem"] = {
        "Hpe": {"SmartStorageBattery": [{"Index": 1, "Model": "875241-B21", "ChargeLevelPercent": 100}]}
    }
    tree.add(SYSTEM, "Storage", {"Oem": {"Dell": {"DellControllerBattery": {"Id": "Battery.1", "Name": "Battery 1"}}}})
    assert [item.id for item in read(tree).batteries] == ["1", "Battery.1"]


def test_the_board_among_the_assemblies(tree):
    tree[f"{CHASSIS}/as"] = {
        "Id": "as",
        "Assemblies": [
            {"Name": "Riser", "SerialNumber": "R"},
            {"PhysicalContext": "SystemBoard", "SerialNumber": "B1"},
        ],
    }
    tree.link(CHASSIS, "Assembly", ref(f"{CHASSIS}/as"))
    assert read(tree).mainboard.serial == "B1"


@pytest.mark.parametrize("where", ["system", "chassis"])
def test_trusted_components(tree, where):
    tpm = {"TrustedComponentType": "Discrete", "Model": "TPM 2.0", "FirmwareVersion": "7.2"}
    (path,) = tree.add(CHASSIS, "TrustedComponents", tpm, at="TrustedComponents" if where == "chassis" else "X")
    if where == "system":
        tree.link(SYSTEM, "Links.TrustedComponents", [ref(path)])
    assert [item.firmware.installed for item in read(tree).tpms] == ["7.2"]


def test_trusted_modules(tree):
    tree[SYSTEM]["TrustedModules"] = [
        {"InterfaceType": "TPM2_0", "Status": {"State": "Enabled"}},
        {"Status": {"State": "Absent"}},
    ]
    assert [item.interface_type for item in read(tree).tpms] == ["TPM2_0"]


def test_labels_of_pcie_slots(tree):
    (device,) = tree.add(CHASSIS, "PCIeDevices", {"Model": "X"})
    place = {"PartLocation": {"LocationType": "Slot", "LocationOrdinalValue": 3}}
    tree[f"{CHASSIS}/sl"] = {"Id": "sl", "Slots": [{"Location": place, "Links": {"PCIeDevice": [ref(device)]}}, {}]}
    tree.link(CHASSIS, "PCIeSlots", ref(f"{CHASSIS}/sl"))
    assert [item.slot for item in read(tree).pcie_devices] == ["Slot 3"]


def test_a_device_that_system_and_chassis_list_by_two_addresses(tree):
    tree.add(CHASSIS, "PCIeDevices", {"Id": "3-0", "Name": "X", "SerialNumber": "X1"})
    (path,) = tree.add(SYSTEM, "Devices", {"Id": "3-0", "Name": "X", "SerialNumber": "X1"}, at="Y")
    tree.link(SYSTEM, "PCIeDevices", [ref(path)])
    assert [item.serial for item in read(tree).pcie_devices] == ["X1"]


# -- software and logs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [SYSTEM, MANAGER])
def test_the_event_log_and_no_other(tree, owner):
    sel, audit = tree.add(
        owner, "LogServices", {"Id": "SEL", "LogEntryType": "SEL"}, {"Id": "Audit", "LogEntryType": "Event"}
    )
    tree.add(sel, "Entries", {"Created": "2026-01-01T00:00:00Z", "Message": "psu lost", "Severity": "Critical"})
    tree.add(audit, "Entries", {"Message": "login"})
    assert [(item.message, item.severity) for item in read(tree).log] == [("psu lost", "Critical")]


def test_a_long_log_is_read_from_its_end(tree):
    (sel,) = tree.add(MANAGER, "LogServices", {"Id": "SEL"})
    tree.add(
        sel,
        "Entries",
        *({"Created": f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z", "Message": f"event {n}"} for n in range(300)),
    )
    assert [item.message for item in read(tree).log] == [f"event {n}" for n in range(280, 300)]


def test_what_an_entry_without_text_says(tree):
    (sel,) = tree.add(MANAGER, "LogServices", {"Id": "SEL"})
    tree.add(sel, "Entries", {"Message": "0x0180FF", "SensorType": "Memory", "SensorNumber": 12, "EntryCode": "Assert"})
    assert [item.message for item in read(tree).log] == ["Memory, sensor 12, Assert (0x0180FF)"]


def test_firmware_rows_of_three_ages(tree):
    tree[V1]["UpdateService"] = ref(f"{V1}/US")
    tree.setdefault(f"{V1}/US", {"Id": "US", "Name": "u"})
    rows = [("Installed-1-2.0", "2.0"), ("Current-1-2.0", "2.0"), ("Previous-1-1.0", "1.0"), ("Available-1-3.0", "3.0")]
    bodies = [{"Id": name, "Name": "BIOS", "Version": version, "SoftwareId": "1"} for name, version in rows]
    tree.add(f"{V1}/US", "FirmwareInventory", *bodies)
    (row,) = read(tree).firmware_inventory
    assert (row.firmware.installed, [item.installed for item in row.firmware.previous]) == ("2.0", ["1.0"])
    assert row.firmware.available == "3.0"


def test_bios_attributes_without_passwords_in_both_forms(tree):
    tree[f"{SYSTEM}/b"] = {
        "Id": "b",
        "Attributes": {
            "SMT Control": {"current_value": "Auto", "default_value": "Off"},
            "Boot-Mode": "Uefi",
            "AdminPassword": "geheim",
            "SetupPassphrase": {"current_value": "geheim"},
            "Größe": "ü",
        },
        "@Redfish.Settings": {"SettingsObject": ref(f"{SYSTEM}/b/s")},
    }
    tree[f"{SYSTEM}/b/s"] = {"Id": "s", "Attributes": {"Boot-Mode": "Legacy", "SysPassword": "geheim"}}
    tree.link(SYSTEM, "Bios", ref(f"{SYSTEM}/b"))
    found = read(tree).bios_configuration
    assert found.raw == {"SMT Control": "Auto", "Boot-Mode": "Uefi", "Größe": "ü"}
    assert found.settings == {"smt": "Auto", "boot_mode": "UEFI"}, "as the tools of the host's own system have it"
    assert found.pending == {"Boot-Mode": "Legacy"}


def test_bios_attributes_with_a_group_in_front_of_their_names(tree):
    attributes = {"Processors_SMTMode": "Enable", "BootModes_SystemBootMode": "UEFIMode", "Other_SMTMode": "Disable"}
    tree[f"{SYSTEM}/b"] = {"Id": "b", "Attributes": attributes}
    tree.link(SYSTEM, "Bios", ref(f"{SYSTEM}/b"))
    assert read(tree).bios_configuration.settings == {"smt": "Enabled", "boot_mode": "UEFI"}


@pytest.mark.parametrize("links", ["Oem.Hpe.Links.LicenseService", "Links.Oem.Dell.DellLicenseCollection"])
def test_licences_without_their_keys(tree, links):
    tree.add(MANAGER, "L", {"License": "Advanced", "LicenseKey": "AAAAA-BBBBB", "LicenseExpire": ""}, at=links)
    (licence,) = read(tree).licences
    assert licence.description == "Advanced"
    assert "AAAAA" not in json.dumps(to_dict(licence))


def test_previous_bios_and_board_of_hpe(tree):
    hpe = {
        "PCASerialNumber": "B1",
        "PCAPartNumber": "P-1",
        "Bios": {"Backup": {"VersionString": "U1"}, "Current": {"Date": "1/2/2026"}},
    }
    tree[SYSTEM].update(BiosVersion="U2", Oem={"Hpe": hpe})
    device = read(tree)
    assert (device.mainboard.serial, device.mainboard.part_number) == ("B1", "P-1")
    assert [item.installed for item in device.bios.firmware.previous] == ["U1"]
    assert device.bios.release_date == "1/2/2026"


@pytest.mark.parametrize("where", [SYSTEM, CHASSIS])
def test_board_serial_of_supermicro(tree, where):
    tree[where]["Oem"] = {"Supermicro": {"BoardSerialNumber": "ZM1", "BoardID": "0x1b0f"}}
    assert read(tree).mainboard.serial == "ZM1"


def test_the_service_tag_is_the_serial_of_a_dell(tree):
    tree[SYSTEM].update(Manufacturer="Dell Inc.", SKU="ABC1234", SerialNumber="CN01")
    device = read(tree)
    assert (device.serial, device.mainboard.serial) == ("ABC1234", "CN01")


@pytest.mark.parametrize("tag", ["Free form asset tag", "To Be Filled By O.E.M.", "", None, 5])
def test_placeholders_are_no_asset_tags(tree, tag):
    tree[SYSTEM]["AssetTag"] = tag
    assert read(tree).asset_tag is None or tag == 5


# -- forms of links and collections ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda path: ref(path + "/"),
        lambda path: ref("https://bmc.example:443" + path),
        lambda path: ref(path.rsplit("/", 1)[1]),
        lambda path: ref(path + "#fragment"),
        lambda path: path,
    ],
)
def test_forms_of_links(tree, form):
    (path,) = tree.add(SYSTEM, "Memory", {"CapacityMiB": 1024})
    tree[f"{SYSTEM}/Memory"] = {"Members": [None, {}, 7, form(path), form(path)], "Members@odata.count": 99}
    assert len(read(tree).memory) == 1


@pytest.mark.parametrize("value", [None, {}, "none", [1]])
def test_members_that_are_none(tree, value):
    tree.link(SYSTEM, "Memory", ref(f"{SYSTEM}/Memory"))
    tree[f"{SYSTEM}/Memory"] = {"Members": value, "@Redfish.CollectionCapabilities": {"Capabilities": [ref(SYSTEM)]}}
    assert read(tree).memory == ()


def test_no_power_state_no_name_no_id(tree):
    tree[SYSTEM].clear()
    tree[SYSTEM].update({"SerialNumber": " S2 ", "Model": "Größe-Ü\x00"})
    device = read(tree)
    assert (device.serial, device.system_id, device.model, device.power_state) == ("S2", "zz", "Größe-Ü", None)


def test_a_chassis_of_nobody(tree):
    tree[f"{V1}/Systems"] = members()
    assert [item.id for item in read(tree).enclosures] == ["yy"]


def test_gpus_that_hpe_lists_as_devices_only(tree):
    version = {"Current": {"VersionString": "92.00"}}
    tree.add(
        CHASSIS,
        "Devices",
        {
            "Name": "NVIDIA A40",
            "DeviceType": "GPU",
            "SerialNumber": "G1",
            "Location": "PCI-E Slot 2",
            "FirmwareVersion": version,
        },
        {"Name": "NVIDIA NV Switch", "DeviceType": "GPU"},
        {"Name": "Empty slot 3", "DeviceType": "Unknown"},
        {"Name": "NIC", "DeviceType": "LOM/NIC", "SerialNumber": "N1"},
        at="Oem.Hpe.Links.Devices",
    )
    tree.add(CHASSIS, "PCIeDevices", {"Name": "NIC", "SerialNumber": "N1"})
    device = read(tree)
    assert [(gpu.serial, gpu.slot, gpu.firmware.installed) for gpu in device.gpus] == [("G1", "PCI-E Slot 2", "92.00")]
    assert [item.description for item in device.pcie_devices] == ["NIC", "NVIDIA A40", "NVIDIA NV Switch"]


def test_the_boot_order_where_it_was_first(tree):
    tree[SYSTEM]["BootOrder"] = ["Disk", "Network"]
    assert read(tree).boot.order == ("Disk", "Network")


# -- shapes of whole vendors -------------------------------------------------------------------------------------------


def inventory(tree, *rows, name="FirmwareInventory"):
    tree[V1]["UpdateService"] = ref(f"{V1}/US")
    tree.setdefault(f"{V1}/US", {"Id": "US", "Name": "u"})
    return tree.add(f"{V1}/US", name, *rows)


def test_temperatures_only_in_thermal_beside_other_sensors(tree):
    tree.add(CHASSIS, "Sensors", {"ReadingType": "Power", "Reading": 200, "ReadingUnits": "W"})
    tree[f"{CHASSIS}/th"] = {"Id": "th", "Temperatures": [{"MemberId": "0", "Name": "Inlet", "ReadingCelsius": 22}]}
    tree[f"{CHASSIS}/pw"] = {"Id": "pw", "Voltages": [{"MemberId": "0", "Name": "12V", "ReadingVolts": 12}]}
    tree.link(CHASSIS, "Thermal", ref(f"{CHASSIS}/th"))
    tree.link(CHASSIS, "Power", ref(f"{CHASSIS}/pw"))
    assert [(item.kind, item.reading) for item in read(tree).sensors] == [
        ("Power", 200),
        ("Temperature", 22),
        ("Voltage", 12),
    ]


def test_an_hgx_board_with_firmware_of_gpus_by_what_it_is_related_to(tree):
    """NVIDIA HGX on OpenBMC: the board is a system, its versions are in the inventory only, two BMCs."""
    board = f"{V1}/Systems/board"
    tree[f"{V1}/Systems"] = members(board, SYSTEM)
    tree[board] = {"Id": "board", "Name": "b", "SystemType": "Physical"}
    tree[SYSTEM].update(SystemType="Physical", Boot={"BootOrder": []})
    gpus = tree.add(
        board,
        "Processors",
        {"ProcessorType": "GPU", "SerialNumber": "G1"},
        {"ProcessorType": "GPU", "FirmwareVersion": "own"},
    )
    tree[f"{V1}/Managers"] = members(f"{V1}/Managers/a", MANAGER)
    tree[f"{V1}/Managers/a"] = {
        "Id": "a",
        "Name": "HGX BMC",
        "ManagerType": "BMC",
        "Links": {"ManagerForServers": [ref(board)]},
    }
    tree[MANAGER]["Links"] = {"ManagerForServers": [ref(SYSTEM)]}
    (supply,) = tree.add(CHASSIS, "Supplies", {"SerialNumber": "P1"}, at="Other")
    tree[f"{CHASSIS}/ps"] = {"Id": "ps", "PowerSupplies": ref(f"{CHASSIS}/Supplies")}
    tree.link(CHASSIS, "PowerSubsystem", ref(f"{CHASSIS}/ps"))
    inventory(
        tree,
        {"Id": "FW_GPU", "Version": "96.00", "RelatedItem": [ref(gpus[0]), ref(gpus[1])]},
        {"Id": "InfoROM_GPU", "Version": "G525", "RelatedItem": [ref(gpus[0])]},
        {"Id": "psu0", "Version": "1.7", "RelatedItem": [ref(supply)]},
        {"Id": "bmc_active", "Version": "2.9", "RelatedItem": [ref(MANAGER)]},
        {"Id": "bios_active", "Version": "B7"},
    )
    device = read(tree)
    assert [gpu.firmware.installed for gpu in device.gpus] == ["96.00", "own"]
    assert [item.firmware.installed for item in device.power_supplies] == ["1.7"]
    assert (device.bmc.id, device.bmc.firmware.installed) == ("xx", "2.9")
    assert device.bios.firmware.installed == "B7"


@pytest.mark.parametrize("links", ["links", "Links"])
def test_ilo_4(tree, links):
    """One resource for all firmware, BIOS settings beside the resource's own properties."""
    tree[f"{SYSTEM}/fw"] = {
        "Name": "Firmware Inventory",
        "Current": {
            "SystemRomActive": [{"Name": "System ROM", "Location": "System Board", "VersionString": "P89 v2.74"}],
            "SystemBMC": [{"Name": "iLO", "VersionString": "2.70"}],
            "NIC": [{"Name": "HP 331i", "VersionString": "20.1"}, {"Name": "HP 560", "VersionString": "N/A"}, None, 7],
            "Odd": "text",
        },
    }
    tree[f"{SYSTEM}/b"] = {
        "Id": "Bios",
        "Name": "BIOS Current Settings",
        "AttributeRegistry": "HpBiosAttributeRegistryP89.1.1.60",
        "@odata.type": "#HpBios.1.2.0.HpBios",
        "ProcHyperthreading": "Enabled",
        "BootMode": "Uefi",
        "AdminPassword": "geheim",
        "NumaGroupSizeOpt": "Clustered",
        "links": {"Settings": ref(f"{SYSTEM}/b/s")},
        "SettingsResult": {"ETag": "A", "Messages": []},
    }
    tree[f"{SYSTEM}/b/s"] = {"Id": "Settings", "AttributeRegistry": "x", "BootMode": "LegacyBios"}
    tree.link(SYSTEM, f"Oem.Hp.{links}.FirmwareInventory", ref(f"{SYSTEM}/fw"))
    tree.link(SYSTEM, "Oem.Hp.links.BIOS", ref(f"{SYSTEM}/b"))
    device = read(tree)
    assert [(row.id, row.name, row.firmware.installed) for row in device.firmware_inventory] == [
        ("SystemRomActive", "System ROM", "P89 v2.74"),
        ("SystemBMC", "iLO", "2.70"),
        ("NIC", "HP 331i", "20.1"),
    ]
    assert device.bios.firmware.installed == "P89 v2.74"
    assert device.bmc.firmware.installed == "2.70"
    raw = {"ProcHyperthreading": "Enabled", "BootMode": "Uefi", "NumaGroupSizeOpt": "Clustered"}
    assert device.bios_configuration.raw == raw
    assert device.bios_configuration.settings == {"smt": "Enabled", "boot_mode": "UEFI"}
    assert device.bios_configuration.pending == {"BootMode": "LegacyBios"}


def test_drives_that_no_storage_has_and_each_once(tree):
    """Supermicro: the backplane for NVMe is a chassis; others list the same drive by two addresses."""
    (storage,) = tree.add(SYSTEM, "Storage", {})
    first = tree.add(storage, "Disks", {"SerialNumber": "D1", "Model": "of storage"}, {"Model": "no serial"}, at="X")
    tree.link(storage, "Drives", [ref(path) for path in first])
    tree.add(CHASSIS, "Drives", {"SerialNumber": "D1", "Model": "again"}, {"SerialNumber": "N1"}, {"Model": "bare"})
    assert [(drive.serial, drive.model) for drive in read(tree).drives] == [
        ("N1", None),
        (None, "bare"),
        ("D1", "of storage"),
        (None, "no serial"),
    ]


@pytest.mark.parametrize(
    "service",
    [
        {"Id": "Log1", "Name": "System Event Log"},  # Huawei
        {"Id": "Log1", "Name": "Health Event Log Service"},  # Supermicro
        {"Id": "PlatformLog", "Name": "PlatformLog"},  # Lenovo
        {"Id": "SystemEventLog", "Name": "SystemEventLog"},  # Fujitsu
        {"Id": "EventLog", "Name": "Event Log Service", "LogEntryType": "Event"},  # OpenBMC
        {"Id": "SEL", "Name": "SEL Log", "LogEntryType": "SEL"},  # AMI, Cisco
    ],
)
def test_names_of_event_logs(tree, service):
    log, _audit, _dump = tree.add(
        MANAGER, "LogServices", service, {"Id": "AuditLog"}, {"Id": "Dump", "Name": "BMC Dump"}
    )
    tree.add(log, "Entries", {"Message": "psu lost"})
    assert [item.message for item in read(tree).log] == ["psu lost"]


def test_names_of_fabric_ports_in_the_ports(tree):
    (adapter,) = tree.add(CHASSIS, "NetworkAdapters", {"Model": "A"})
    tree.add(
        adapter,
        "Ports",
        {
            "LinkNetworkTechnology": "FibreChannel",
            "FibreChannel": {"AssociatedWorldWideNames": ["10:00:00:00:C9:00:00:02"]},
        },
        {"LinkNetworkTechnology": "InfiniBand", "InfiniBand": {"AssociatedPortGUIDs": ["B83F:D203:00A4:1BD3"]}},
    )
    assert [(item.kind, item.wwn) for item in read(tree).fabric_ports] == [
        ("fibre_channel", "10:00:00:00:c9:00:00:02"),
        ("infiniband", "b83f:d203:00a4:1bd3"),
    ]


def test_cpus_only_in_the_summary(tree):
    tree[SYSTEM]["ProcessorSummary"] = {"Count": 2, "Model": "M", "CoreCount": 56}
    assert [(item.model, item.cores) for item in read(tree).cpus] == [("M", 28), ("M", 28)]
    tree.add(SYSTEM, "Processors", {"ProcessorType": "CPU", "Model": "other"})
    assert [item.model for item in read(tree).cpus] == ["other"]


@pytest.mark.parametrize("count", [None, 0, "many", 10**9, {}])
def test_a_summary_that_counts_nothing(tree, count):
    tree[SYSTEM]["ProcessorSummary"] = {"Count": count, "Model": "M"}
    assert read(tree).cpus == ()


def test_memory_only_in_the_summary(tree):
    tree[SYSTEM]["MemorySummary"] = {"TotalSystemMemoryGiB": 767.5}
    device = read(tree)
    assert device.metadata == {"memory_bytes": str(767 * GIB + GIB // 2)}
    assert (device.memory, device.coverage["memory"].verdict.value) == ((), "absent")
    tree[f"{SYSTEM}/Memory"] = members()
    tree[SYSTEM]["Memory"] = ref(f"{SYSTEM}/Memory")
    assert read(tree).metadata["memory_bytes"] == str(767 * GIB + GIB // 2)
    tree.add(SYSTEM, "Memory", {"CapacityMiB": 1024})
    assert read(tree).metadata == {}


def test_without_a_look_at_the_modules_their_sum_is_not_told(tree):
    """The modules of the last time are kept then."""
    tree[SYSTEM].update(MemorySummary={"TotalSystemMemoryGiB": 767}, Memory=ref(f"{SYSTEM}/Memory"))
    bodies = {path: json.dumps(body).encode() for path, body in tree.items()}
    device = replay(Recording({**bodies, f"{SYSTEM}/Memory": b"{"}))
    assert device.coverage["memory"].verdict is Verdict.FAILED
    assert device.metadata == {}


@pytest.mark.parametrize("summary", [None, [], {}, {"TotalSystemMemoryGiB": 0}, {"TotalSystemMemoryGiB": "much"}])
def test_a_summary_without_memory(tree, summary):
    tree[SYSTEM]["MemorySummary"] = summary
    assert read(tree).metadata == {}


def test_memory_of_gpus(tree):
    modules = tree.add(SYSTEM, "Memory", {"CapacityMiB": 1024, "MemoryDeviceType": "DDR5"})
    first, _second, _third, _cpu = tree.add(
        SYSTEM,
        "Processors",
        {"ProcessorType": "GPU"},
        {"ProcessorType": "GPU", "Links": {"Memory": [ref(f"{V1}/elsewhere/hbm")]}},
        {"ProcessorType": "GPU", "MemorySummary": {"TotalMemorySizeMiB": 4}, "Memory": ref(f"{V1}/nowhere")},
        {"ProcessorType": "CPU", "Links": {"Memory": [ref(path) for path in modules]}},
    )
    tree.add(first, "Memory", {"CapacityMiB": 1}, {"CapacityMiB": 2})
    tree[f"{V1}/elsewhere/hbm"] = {"Id": "hbm", "CapacityMiB": 8}
    device = read(tree)
    assert [item.memory_bytes for item in device.gpus] == [3 << 20, 8 << 20, 4 << 20]
    assert [item.type for item in device.memory] == ["DDR5"]
    assert len(device.cpus) == 1
    assert device.coverage["processors"].reason is None, "what the summary says is not asked for"


def test_chassis_of_two_ages(tree):
    """One has the subsystems, the other the deprecated resources only, which list a part of the first one's again."""
    other = f"{V1}/Chassis/old"
    tree[f"{V1}/Chassis"] = members(CHASSIS, other)
    tree[other] = {"Id": "old", "ChassisType": "Sled"}
    for name, inside, body in (
        ("PowerSubsystem", "PowerSupplies", {"SerialNumber": "P1"}),
        ("ThermalSubsystem", "Fans", {"Name": "Fan 1"}),
    ):
        tree[f"{CHASSIS}/{name}"] = {"Id": name}
        tree.link(CHASSIS, name, ref(f"{CHASSIS}/{name}"))
        tree.add(f"{CHASSIS}/{name}", inside, body)
    supplies = [{"Name": name, "SerialNumber": name} for name in ("P1", "P2")]
    for chassis in (CHASSIS, other):
        tree.link(chassis, "Power", ref(f"{chassis}/Power"))
        tree.link(chassis, "Thermal", ref(f"{chassis}/Thermal"))
        tree[f"{chassis}/Power"] = {"PowerSupplies": supplies}
        tree[f"{chassis}/Thermal"] = {"Fans": [{"FanName": "Fan 1"}, {"FanName": "Fan 2"}]}
    device = read(tree)
    assert [item.serial for item in device.power_supplies] == ["P1", "P2"]
    assert [item.name for item in device.fans] == ["Fan 1", "Fan 2"]


def test_chassis_and_manager_that_only_the_system_links_to(tree):
    del tree[V1]["Chassis"], tree[V1]["Managers"]
    tree[SYSTEM]["Links"] = {"Chassis": [ref(CHASSIS)], "ManagedBy": [ref(MANAGER)]}
    tree[CHASSIS]["Power"] = ref(f"{CHASSIS}/Power")
    tree[f"{CHASSIS}/Power"] = {"PowerSupplies": [{"MemberId": "0", "SerialNumber": "P1"}]}
    tree[MANAGER]["FirmwareVersion"] = "7"
    device = read(tree)
    assert [item.serial for item in device.power_supplies] == ["P1"]
    assert (device.enclosures[0].id, device.bmc.firmware.installed) == ("yy", "7")


def test_pages_with_wrong_counts_links_to_other_hosts_and_unusual_ids(tree):
    folder = f"{SYSTEM}/Memory"
    tree[SYSTEM]["Memory"] = ref(f"https://elsewhere.example{folder}/")
    tree[folder] = {
        "Members": [ref(f"http://192.0.2.9:8000{folder}/DIMM 1/")],
        "Members@odata.count": 99,
        "Members@odata.nextLink": f"{folder}?$skip=1",
    }
    tree[f"{folder}?$skip=1"] = {"Members": [ref(f"{folder}/DIMM%3A2"), None, 5, ref(None)], "Members@odata.count": 0}
    tree[f"{folder}/DIMM%201"] = {"Id": "DIMM 1", "CapacityMiB": 1024}
    tree[f"{folder}/DIMM%3A2"] = {"Id": "DIMM:2", "CapacityMiB": "1024"}
    assert sorted(item.id for item in read(tree).memory) == ["DIMM 1", "DIMM:2"]


PLACEHOLDERS = ("To Be Filled By O.E.M.", "Default string", "Not Present", "System Product Name", "CPLDSerialNumber")


@pytest.mark.parametrize("words", PLACEHOLDERS)
def test_what_nobody_has_filled_in_is_nothing(tree, words):
    """As the in-band side has it: it was a serial number, and became an inventory group."""
    names = ("Manufacturer", "Model", "SerialNumber", "SKU", "AssetTag", "PartNumber")
    said = dict.fromkeys(names, words)
    tree[SYSTEM].update(said)
    tree[CHASSIS].update(said)
    tree.add(SYSTEM, "Memory", {**said, "CapacityMiB": 1024})
    device = to_dict(read(tree))
    assert words not in json.dumps(device)
    assert device["memory"][0]["size_bytes"] == GIB


# -- what parts say of each other --------------------------------------------------------------------------------------


def pcie(tree, number, name, functions=({"VendorId": "0x10de", "DeviceId": "0x1db6"},), **body):
    """A PCIe device of the chassis, and its functions."""
    path = f"{CHASSIS}/pcie/{number}"
    tree[path] = {"Id": f"dev{number}", "Name": name, **body}
    places = [f"{path}/f{index}" for index in range(len(functions))]
    tree.link(path, "Links.PCIeFunctions", [ref(place) for place in places])
    for place, function in zip(places, functions):
        tree[place] = {"Id": place[-2:], **function}
    tree[CHASSIS].setdefault("Links", {}).setdefault("PCIeDevices", []).append(ref(path))
    return path


@pytest.mark.parametrize("way", ["link", "serial", "function", "device"])
def test_a_gpu_is_completed_by_the_pcie_device_that_it_is(tree, way):
    gpu = {"ProcessorType": "GPU", "SerialNumber": "G77", "Name": "GPU in slot"}
    (path,) = tree.add(SYSTEM, "Processors", gpu)
    function = {"VendorId": "0x10de", "DeviceId": "0x1db6"}
    device = pcie(
        tree,
        1,
        "Tesla V100",
        [{**function, "Links": {"Processor": ref(path)}} if way == "function" else function],
        SerialNumber="G77" if way == "serial" else None,
        PartNumber="900-2G500",
        Slot={"Location": {"PartLocation": {"ServiceLabel": "Riser 2"}}},
    )
    if way == "link":
        tree.link(path, "Links.PCIeDevice", ref(device))
    if way == "device":
        tree.link(device, "Links.Processors", [ref(path)])
    (found,) = read(tree).gpus
    assert (found.model, found.slot, found.part_number) == ("Tesla V100", "Riser 2", "900-2G500")
    assert (found.pci_vendor_id, found.pci_product_id, found.serial) == ("10de", "1db6", "G77")


def test_what_a_part_says_itself_is_not_replaced(tree):
    device = pcie(tree, 1, "of the device", SerialNumber="S2", Model="M2")
    tree.add(
        CHASSIS,
        "NetworkAdapters",
        {"Model": "M1", "Controllers": [{"Links": {"PCIeDevices": [ref(device)]}, "FirmwarePackageVersion": "7"}]},
    )
    (nic,) = read(tree).nics
    assert (nic.model, nic.serial, nic.firmware.installed, nic.pci_product_id) == ("M1", "S2", "7", "1db6")


def test_a_storage_controller_is_completed_by_its_pcie_function(tree):
    device = pcie(tree, 1, "RAID", [{"VendorId": "0x1000", "DeviceId": "0x10e2"}])
    (storage,) = tree.add(SYSTEM, "Storage", {})
    tree.add(storage, "Controllers", {"Model": "R9", "Links": {"PCIeFunctions": [ref(f"{device}/f0")]}})
    (controller,) = read(tree).storage_controller
    assert (controller.model, controller.pci_vendor_id, controller.pci_product_id) == ("R9", "1000", "10e2")


def test_ids_that_only_the_list_of_pci_devices_of_an_ilo_has(tree):
    name = {"StructuredName": "NIC.LOM.1.1"}
    tree.add(SYSTEM, "pci", {**name, "VendorID": 5348, "DeviceID": 5719}, at="Oem.Hpe.Links.PCIDevices")
    tree.add(SYSTEM, "na", {**name, "PhysicalPorts": []}, at="Oem.Hpe.Links.NetworkAdapters")
    (nic,) = read(tree).nics
    assert (nic.pci_vendor_id, nic.pci_product_id) == ("14e4", "1657")


def test_one_mac_address_is_one_nic(tree):
    """A card that two chassis list: the entry that says more stays."""
    mezzanine = f"{V1}/Chassis/mezz"
    tree[mezzanine] = {"Id": "mezz", "Name": "m", "ChassisType": "Module"}
    tree[f"{V1}/Chassis"]["Members"].append(ref(mezzanine))
    for owner, more in ((mezzanine, {}), (CHASSIS, {"SerialNumber": "N5", "Model": "CX"})):
        (card,) = tree.add(owner, "NetworkAdapters", {"Name": "card", **more})
        tree.add(card, "Ports", {"Ethernet": {"AssociatedMACAddresses": ["02:00:00:00:00:01"]}})
    (nic,) = read(tree).nics
    assert (nic.serial, nic.model, len(nic.nic_ports)) == ("N5", "CX", 1)


# -- which chassis is the machine --------------------------------------------------------------------------------------


def chassis(tree, name, **body):
    path = f"{V1}/Chassis/{name}"
    tree[path] = {"Id": name, "Name": name, **body}
    tree[f"{V1}/Chassis"]["Members"].append(ref(path))
    return path


@pytest.mark.parametrize("body", [{"ChassisType": "Component"}, {"ChassisType": "Other", "Model": "BMC card"}])
def test_the_machine_is_what_contains_the_component_that_is_linked(tree, body):
    del tree[CHASSIS]
    tree[f"{V1}/Chassis"]["Members"] = []
    card = chassis(tree, "aa", Model="Some SmartNIC", ChassisType="Card", SerialNumber="CARD")
    inside = chassis(tree, "bb", SerialNumber="INSIDE", **{"Model": "Mezz", **body})
    tree.link(inside, "Links", {"ComputerSystems": [ref(SYSTEM)], "ContainedBy": ref(card)})
    chassis(tree, "cc", Model="Rack", ChassisType="Rack", SerialNumber="RACK")
    tree[SYSTEM] = {"Id": "zz", "Name": "s", "PowerState": "On"}
    device = read(tree)
    assert (device.model, device.serial, device.chassis) == ("Some SmartNIC", "CARD", "Card")


def test_a_component_is_the_machine_where_there_is_nothing_else(tree):
    tree[CHASSIS].update(ChassisType="Component", Model="Board")
    assert read(tree).model == "Board"


def test_a_card_that_is_a_computer_is_a_dpu_wherever_it_is_listed(tree):
    pcie(tree, 1, "MT43244 BlueField-3 integrated ConnectX-7", SerialNumber="B3")
    assert [item.serial for item in read(tree).dpus] == ["B3"]
    chassis(tree, "card", ChassisType="Card", Model="BlueField-3 DPU", SerialNumber="B3")
    chassis(tree, "card_part", ChassisType="Component", Model="BlueField-3 mezzanine", SerialNumber="B4")
    assert [(item.serial, item.model) for item in read(tree).dpus] == [("B3", "BlueField-3 DPU")]


# -- boards ------------------------------------------------------------------------------------------------------------


def test_assemblies_are_boards_unless_they_are_listed_otherwise(tree):
    tree.add(SYSTEM, "Memory", {"SerialNumber": "D1", "CapacityMiB": 1024})
    tree[f"{CHASSIS}/a"] = {
        "Id": "Assembly",
        "Assemblies": [
            {
                "MemberId": "0",
                "Name": "Riser 1",
                "Model": "R1",
                "Producer": "Maker",
                "SerialNumber": "RI1",
                "Version": "B",
            },
            {"MemberId": "1", "Name": "DIMM", "SerialNumber": "D1", "PartNumber": "X"},
            {"MemberId": "2", "Name": "Front panel", "PartNumber": "FP-7"},
            {"MemberId": "3", "Name": "Motherboard", "SerialNumber": "MB1", "PartNumber": "MB-P"},
            {"MemberId": "4", "Name": "yy#FRU", "PartNumber": "of the chassis"},
            {"MemberId": "5", "Name": "Riser 2", "SerialNumber": "RI2", "Status": {"State": "Absent"}},
            {"MemberId": "6", "Name": "nothing"},
        ],
    }
    tree.link(CHASSIS, "Assembly", ref(f"{CHASSIS}/a"))
    device = read(tree)
    assert [(item.description, item.serial, item.part_number, item.vendor) for item in device.boards] == [
        ("Riser 1", "RI1", None, "Maker"),
        ("Front panel", None, "FP-7", None),
    ]
    assert device.boards[0].firmware is None, "a board's version is not firmware"
    assert (device.mainboard.serial, device.mainboard.part_number) == ("MB1", "MB-P")


def test_a_trusted_component_that_is_no_tpm_is_a_board(tree):
    tree.add(
        CHASSIS,
        "TrustedComponents",
        {"Name": "ERoT of the baseboard", "FirmwareVersion": "1.4", "TrustedComponentType": "Discrete"},
        {"Name": "TPM 2.0", "FirmwareVersion": "7.2", "TrustedComponentType": "Discrete"},
    )
    device = read(tree)
    assert [(item.description, item.firmware.installed) for item in device.boards] == [("ERoT of the baseboard", "1.4")]
    assert [item.firmware.installed for item in device.tpms] == ["7.2"]


def test_the_part_number_of_the_system_is_not_that_of_its_board(tree):
    tree[SYSTEM]["PartNumber"] = "SYS-P"
    device = read(tree)
    assert (device.part_number, device.mainboard) == ("SYS-P", None)
    chassis(tree, "Base_Board", PartNumber="BB-P", SerialNumber="BB-S", ChassisType="Module")
    device = read(tree)
    assert (device.mainboard.part_number, device.mainboard.serial) == ("BB-P", "BB-S")


def test_further_part_numbers(tree):
    tree.add(
        SYSTEM,
        "Memory",
        {
            "SerialNumber": "D1",
            "PartNumber": "P1",
            "SparePartNumber": "SP1",
            "Oem": {"Lenovo": {"FruPartNumber": "F1"}},
        },
        {"SerialNumber": "D2", "PartNumber": "P1", "SparePartNumber": "P1", "Oem": {"Hpe": {"PartNumber": ""}}},
    )
    first, second = read(tree).memory
    assert first.metadata == {"spare_part_number": "SP1", "oem_part_number": "F1"}
    assert second.metadata == {}


# -- firmware rows -----------------------------------------------------------------------------------------------------


def test_rows_that_say_what_they_are_in_their_description_only(tree):
    same = {"Name": "Software Inventory"}
    inventory(
        tree,
        {**same, "Id": "a1b2", "Description": "BMC image", "Version": "2.1"},
        {**same, "Id": "c3d4", "Description": "Host image", "Version": "5.6"},
        {**same, "Id": "MB_CPLD_0", "Description": "Other image", "Version": "0.9"},
        {"Name": "NIC", "Id": "N", "Description": "Represents Firmware Inventory", "Version": "1"},
    )
    device = read(tree)
    said = {row.id: row.description for row in device.firmware_inventory}
    assert said == {"MB_CPLD_0": "Other image", "N": None, "a1b2": "BMC image", "c3d4": "Host image"}
    assert (device.bmc.firmware.installed, device.bios.firmware.installed) == ("2.1", "5.6")
    assert [(item.id, item.firmware.installed) for item in device.cplds] == [("MB_CPLD_0", "0.9")]


def test_the_bios_version_is_in_the_row_that_is_related_to_the_bios(tree):
    tree.link(SYSTEM, "Bios", ref(f"{SYSTEM}/b"))
    inventory(
        tree,
        {"Id": "ATF", "Version": "3", "RelatedItem": [ref(f"{SYSTEM}/b")]},
        {"Id": "Previous-UEFI", "Version": "1", "RelatedItem": [ref(f"{SYSTEM}/b")]},
        {"Id": "MY_UEFI", "Version": "4.5", "RelatedItem": [ref(f"{SYSTEM}/b/")]},
        {"Id": "X", "Version": "9", "RelatedItem": [ref(SYSTEM)]},
    )
    assert read(tree).bios.firmware.installed == "4.5"


def test_rows_of_another_node_stay_out(tree):
    tree[SYSTEM].update(Id="Blade1", BiosVersion=None, Boot={"BootOrder": ["a"]})
    other = f"{V1}/Systems/other"
    tree[other] = {"Id": "Blade2", "Boot": {"BootOrder": ["a"]}}
    tree[f"{V1}/Systems"]["Members"].append(ref(other))
    inventory(
        tree,
        {"Id": "Blade1.BIOS", "Version": "1.1"},
        {"Id": "Blade2.BIOS", "Version": "2.2"},
        {"Id": "chip", "Version": "3", "RelatedItem": [ref(f"{other}/Processors/1")]},
        {"Id": "BMC", "Version": "4"},
        {"Id": "Blade20", "Version": "5"},
    )
    device = read(tree, system="Blade1")
    assert [row.id for row in device.firmware_inventory] == ["Blade1.BIOS", "BMC", "Blade20"]
    assert device.bios.firmware.installed == "1.1"


def test_software_stands_beside_firmware(tree):
    inventory(tree, {"Id": "1", "Name": "BIOS", "Version": "1"})
    inventory(
        tree,
        {"Id": "1", "Name": "BIOS", "Version": "1"},
        {"Id": "2", "Name": "driver", "Version": "7"},
        name="SoftwareInventory",
    )
    rows = read(tree).firmware_inventory
    assert [(row.name, dict(row.metadata)) for row in rows] == [("BIOS", {}), ("driver", {"inventory": "software"})]


# -- what is there, and what is not ------------------------------------------------------------------------------------


def test_what_is_absent_is_in_no_list(tree):
    gone = {"Status": {"State": "Absent"}, "SerialNumber": "GONE", "Name": "gone"}
    (storage,) = tree.add(SYSTEM, "Storage", {"StorageControllers": [gone]})
    tree.add(storage, "Volumes", {**gone, "CapacityBytes": 1})
    tree.add(SYSTEM, "EthernetInterfaces", {**gone, "MACAddress": "02:00:00:00:00:09"})
    tree[f"{CHASSIS}/t"] = {"Temperatures": [{**gone, "ReadingCelsius": 0}, {"Name": "in", "ReadingCelsius": 21}]}
    tree[f"{CHASSIS}/p"] = {"Voltages": [{**gone, "ReadingVolts": 0}], "PowerSupplies": [gone]}
    tree.link(CHASSIS, "Thermal", ref(f"{CHASSIS}/t"))
    tree.link(CHASSIS, "Power", ref(f"{CHASSIS}/p"))
    chassis(tree, "empty bay", **{key: gone[key] for key in ("Status", "SerialNumber")})
    device = read(tree)
    assert [item.name for item in device.sensors] == ["in"]
    assert (device.volumes, device.nics, device.power_supplies, device.storage_controller) == ((), (), (), ())
    assert [item.id for item in device.enclosures] == ["yy"]


def test_fans_of_which_there_are_only_sensors(tree):
    tree.add(
        CHASSIS,
        "Sensors",
        {"Name": "FAN1_TACH", "ReadingType": "Rotational", "Reading": 5100, "ReadingUnits": "RPM"},
        {"Name": "inlet", "ReadingType": "Temperature", "Reading": 20, "ReadingUnits": "Cel"},
    )
    device = read(tree)
    assert [(fan.name, fan.reading, fan.reading_units) for fan in device.fans] == [("FAN1_TACH", 5100, "RPM")]
    assert len(device.sensors) == 2


def test_a_board_lists_the_cpus_of_the_host_once_more(tree):
    board = f"{V1}/Systems/board"
    tree[board] = {"Id": "board"}
    tree[SYSTEM]["BiosVersion"] = "1"
    tree[f"{V1}/Systems"]["Members"].append(ref(board))
    cpu = {"ProcessorType": "CPU", "Model": "Grace", "Socket": "0"}
    tree.add(SYSTEM, "Processors", {**cpu, "SerialNumber": "C0"})
    tree.add(board, "Processors", cpu, {**cpu, "Socket": "1"}, {**cpu, "SerialNumber": "C9"})
    found = [(item.slot, item.serial) for item in read(tree).cpus]
    assert sorted(found, key=str) == [("0", "C0"), ("0", "C9"), ("1", None)], "another socket or serial is another one"


def test_microcode_patches_that_a_cpu_lists(tree):
    patches = [{"CpuId": "0x01", "PatchId": "0xA1"}, {"CpuId": "0x02", "PatchId": "0xA2"}, {}]
    tree.add(
        SYSTEM, "Processors", {"ProcessorType": "CPU", "Model": "M", "Oem": {"Hpe": {"MicrocodePatches": patches}}}
    )
    assert read(tree).cpus[0].metadata == {"microcode_patch 0x01": "0xA1", "microcode_patch 0x02": "0xA2"}


def test_features_on_demand_are_licences(tree):
    tree[f"{MANAGER}/fod"] = {"Id": "FoD"}
    tree.link(MANAGER, "Oem.Lenovo.FoD", ref(f"{MANAGER}/fod"))
    key = {"@odata.type": "#LenovoFoDKey.v1_0_0.LenovoFoDKey", "Name": "Key 1", "Description": "Advanced upgrade"}
    tree.add(f"{MANAGER}/fod", "Keys", {**key, "Expires": "NO CONSTRAINTS"})
    assert [(item.description, item.expires_at) for item in read(tree).licences] == [
        ("Advanced upgrade", "NO CONSTRAINTS")
    ]


def test_a_list_with_an_error_in_it_is_incomplete(tree):
    tree.add(SYSTEM, "Memory", {"SerialNumber": "D1", "CapacityMiB": 1024})
    message = {"MessageId": "Base.1.0.InternalError", "Message": "one module did not answer"}
    tree[f"{SYSTEM}/Memory"]["error"] = {"@Message.ExtendedInfo": [message]}
    tree[f"{SYSTEM}/Memory"]["@odata.id"] = f"{SYSTEM}/Memory"
    device = replay(Recording({path: json.dumps(body).encode() for path, body in tree.items()}))
    assert [item.serial for item in device.memory] == ["D1"]
    verdict = device.coverage["memory"]
    assert verdict.verdict is Verdict.FAILED
    assert "incomplete" in verdict.reason
    assert "one module did not answer" in verdict.reason


def test_bios_attributes_are_all_there_but_secrets(tree):
    attributes = {
        "AssetText": "",
        "Unset": None,
        "Ratio": 1.5,
        "EnforcedPasswd": "Disabled",
        "PasswordRetryCount": 3,
        "AdminPasswd": "geheim",
        "SETUP001": "",
        "Odd": {"Name": "no value"},
    }
    tree[f"{SYSTEM}/b"] = {"Id": "Bios", "Attributes": attributes}
    tree.link(SYSTEM, "Bios", ref(f"{SYSTEM}/b"))
    assert read(tree).bios_configuration.raw == {
        "AssetText": "",
        "Unset": "",
        "Ratio": 1.5,
        "EnforcedPasswd": "Disabled",
        "PasswordRetryCount": 3,
    }


# -- what is listed twice ----------------------------------------------------------------------------------------------


def test_a_cpu_of_a_board_is_the_host_s_by_its_serial_number(tree):
    board = f"{V1}/Systems/board"
    tree[board] = {"Id": "board"}
    tree[SYSTEM]["BiosVersion"] = "1"
    tree[f"{V1}/Systems"]["Members"].append(ref(board))
    tree.add(SYSTEM, "Processors", {"ProcessorType": "CPU", "Model": "Grace", "Socket": "0", "SerialNumber": "C0"})
    tree.add(board, "Processors", {"ProcessorType": "CPU", "Socket": "A", "SerialNumber": "C0"})
    assert [(item.model, item.slot) for item in read(tree).cpus] == [("Grace", "0")]


def test_a_chassis_that_is_something_else_once_more_is_no_enclosure(tree):
    tree.add(SYSTEM, "Processors", {"ProcessorType": "GPU", "Model": "G", "SerialNumber": "G1", "PartNumber": "P1"})
    tree[CHASSIS].update(SerialNumber="C1", PartNumber="CP")
    chassis(tree, "gpu", ChassisType="Module", Model="G", SerialNumber="G1", PartNumber="P1")
    chassis(tree, "gpu without numbers", ChassisType="Component", Model="G")
    chassis(tree, "carrier", ChassisType="Module", Model="G carrier", SerialNumber="G1", PartNumber="P2")
    chassis(tree, "mezzanine", ChassisType="Component", Model="M", SerialNumber="C1", PartNumber="CP")
    chassis(tree, "nothing", ChassisType="Component")
    chassis(tree, "root of trust", ChassisType="Component")
    inventory(tree, {"Id": "r", "Version": "1.4", "RelatedItem": [ref(f"{V1}/Chassis/root of trust")]})
    found = {item.id: item.firmware.installed if item.firmware else None for item in read(tree).enclosures}
    assert found == {"carrier": None, "root of trust": "1.4", "yy": None}


def test_a_log_entry_and_a_sensor_in_two_lists_are_one(tree):
    entry = {"Id": "7", "Created": "2026-01-01T00:00:00Z", "Message": "Fan 1 failed", "Severity": "Critical"}
    for name in ("SEL", "EventLog"):
        tree[f"{SYSTEM}/{name}"] = {"Id": name, "LogEntryType": "SEL", "Entries": ref(f"{SYSTEM}/{name}/e")}
        tree[f"{SYSTEM}/{name}/e"] = members(f"{SYSTEM}/{name}/e/7")
        tree[f"{SYSTEM}/{name}/e/7"] = entry
    tree[f"{SYSTEM}/logs"] = members(f"{SYSTEM}/SEL", f"{SYSTEM}/EventLog")
    tree.link(SYSTEM, "LogServices", ref(f"{SYSTEM}/logs"))
    silent = {"Name": "slot", "Status": {"State": "Enabled"}}
    for owner in (CHASSIS, chassis(tree, "board")):
        tree.add(owner, "Sensors", {"Name": "inlet", "ReadingType": "Temperature", "Reading": 21.5}, silent)
    device = read(tree)
    assert [item.message for item in device.log] == ["Fan 1 failed"]
    assert sorted(item.name for item in device.sensors) == ["inlet", "slot", "slot"], "nobody knows that of silent ones"


def test_names_that_are_addresses_are_no_models(tree):
    device = pcie(tree, 1, "dev1")
    tree.add(CHASSIS, "NetworkAdapters", {"Name": "n", "Controllers": [{"Links": {"PCIeDevices": [ref(device)]}}]})
    found = read(tree)
    assert (found.nics[0].model, found.nics[0].pci_vendor_id, found.pcie_devices[0].model) == (None, "10de", None)


def test_words_that_say_nothing_do_not_hide_those_that_do(tree):
    pcie(tree, 1, "Accelerator 9000", Model="N/A", Manufacturer="", FirmwareVersion="Not Available", Version="3")
    (device,) = read(tree).pcie_devices
    assert (device.model, device.firmware.installed) == ("Accelerator 9000", "3")


@pytest.mark.parametrize(
    ("family", "model"), [("Xeon Platinum 8480CL", "Xeon Platinum 8480CL"), ("0x6", None), ("Zen", None)]
)
def test_the_model_of_a_cpu_where_its_family_belongs(tree, family, model):
    tree.add(SYSTEM, "Processors", {"ProcessorType": "CPU", "ProcessorId": {"EffectiveFamily": family}})
    assert read(tree).cpus[0].model == model


def test_firmware_of_memory(tree):
    tree.add(
        SYSTEM,
        "Memory",
        {"SerialNumber": "D1", "CapacityMiB": 1024, "FirmwareRevision": "0"},
        {"SerialNumber": "D2", "CapacityMiB": 1024, "FirmwareRevision": "02.2.0.1553", "SKU": "S-1"},
    )
    first, second = read(tree).memory
    assert (first.firmware, second.firmware.installed, dict(second.metadata)) == (None, "02.2.0.1553", {"sku": "S-1"})


def test_a_chassis_that_is_a_power_supply_is_no_enclosure(tree):
    supply = {"SerialNumber": "PS1", "PartNumber": "PP", "Model": "PSU"}
    tree[f"{CHASSIS}/p"] = {"PowerSupplies": [{"Name": "bay 1", **supply}]}
    tree.link(CHASSIS, "Power", ref(f"{CHASSIS}/p"))
    chassis(tree, "FRU of the supply", ChassisType="Card", **supply)
    chassis(tree, "riser", ChassisType="Card", SerialNumber="RI")
    device = read(tree)
    assert sorted(item.id for item in device.enclosures) == ["riser", "yy"]
    assert [item.serial for item in device.power_supplies] == ["PS1"]


def test_cards_that_an_ilo_lists_in_one_of_two_places(tree):
    """Some are NetworkAdapters, all are among the iLO's own adapters and devices."""
    tree.add(CHASSIS, "NetworkAdapters", {"Name": "A", "Model": "A", "SerialNumber": "N1"})
    tree.add(
        SYSTEM, "own", {"SerialNumber": "N1"}, {"SerialNumber": "N2", "Name": "B"}, at="Oem.Hpe.Links.NetworkAdapters"
    )
    tree.add(
        CHASSIS,
        "devices",
        {"Name": "B", "SerialNumber": "N2", "ProductPartNumber": "PPN", "PartNumber": "SPARE", "Location": "Slot 2"},
        at="Oem.Hpe.Links.Devices",
    )
    device = read(tree)
    assert [(nic.model, nic.serial, nic.part_number) for nic in device.nics] == [("A", "N1", None), ("B", "N2", "PPN")]
    assert dict(device.pcie_devices[0].metadata) == {"oem_part_number": "SPARE"}
