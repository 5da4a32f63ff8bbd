# SPDX-License-Identifier: BSD-2-Clause

"""The device document in the exact shape of bmc-toolbox/common's ``Device``, for whoever feeds an existing FleetDB.

Their spelling (``clock_speeed_hz``), their types (whole gigabits) and their always-present fields (``oem``,
``cplds``) included. What they have no field for is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Device, to_dict
from .values import in_order

_COMMON = in_order(
    "description, vendor, model, serial, product_name, logical_name, pci_vendor_id, pci_product_id, metadata, "
    "firmware, status"
)
# Own fields by kind; ``ours=theirs`` where the names differ.
_FIELDS: dict[str, tuple[str, ...]] = {
    "bios": in_order("size_bytes, capacity_bytes"),
    "bmc": in_order("id"),
    "mainboard": in_order("physid"),
    "cplds": (),
    "tpms": in_order("interface_type"),
    "gpus": (),
    "cpus": in_order("id, slot, architecture, clock_speed_hz=clock_speeed_hz, cores, threads"),
    "memory": in_order("id, slot, type, size_bytes, form_factor, part_number, clock_speed_hz"),
    "nics": in_order("id"),
    "nic_ports": in_order(
        """
        id, speed_bits, physid, bus_info, active_link_technology, macaddress, link_status, auto_neg, mtu_size
        """
    ),
    "drives": in_order(
        """
        id, oem_id, drive_type, storage_controller, bus_info, wwn, protocol, smart_status, smart_errors,
        smart_attributes, capacity_bytes, block_size_bytes, capable_speed_gbps, negotiated_speed_gbps,
        storage_controller_drive_id
        """
    ),
    "storage_controller": in_order(
        """
        id, supported_controller_protocol, supported_device_protocol, supported_raid_types, physid, bus_info,
        speed_gbps, max_physical_disks, max_virtual_disks
        """
    ),
    "power_supplies": in_order("id, power_capacity_watts"),
    "enclosures": in_order("id, chassis_type"),
}
# Drives by protocol and type, where they have a word for both.
_DRIVE_TYPES = {
    ("nvme", "nvme"): "NVMe-PCIe-SSD",
    ("sata", "ssd"): "Sata-SSD",
    ("sata", "hdd"): "Sata-HDD",
}
_ATTRIBUTE = {"name": "name", "value": "normalized_value", "worst": "worst", "threshold": "threshold"}


def to_alloy(device: Device) -> dict[str, Any]:
    """Their JSON of a device document; plain data."""
    data = to_dict(device)
    out: dict[str, Any] = {"cplds": [], **_common(data)}
    for name in ("hardware_type", "chassis", *_FIELDS):
        found = data.get(name)
        if isinstance(found, list):
            out[name] = [_component(name, item) for item in found]
        elif found:
            out[name] = found if isinstance(found, str) else _component(name, found)
    return out


def _component(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    out = _common(data)
    for field in _FIELDS[kind]:
        ours, _equals, theirs = field.partition("=")
        value = data.get(ours)
        if isinstance(value, float):
            value = int(value)  # whole numbers on their side
        if value is not None:
            out[theirs or ours] = value
    if kind == "drives":
        out.setdefault("storage_controller_drive_id", -1)
        if "drive_type" in out:
            out["drive_type"] = _DRIVE_TYPES.get((str(data.get("protocol")), out["drive_type"]), out["drive_type"])
        if "smart_attributes" in out:
            out["smart_attributes"] = [
                {theirs: item[ours] for ours, theirs in _ATTRIBUTE.items() if ours in item}
                for item in out["smart_attributes"]
            ]
    if kind == "cpus" and data.get("microcode"):
        out["firmware"] = {"installed": data["microcode"]}
    if kind == "nics" and data.get("nic_ports"):
        out["nic_ports"] = [_port(port) for port in data["nic_ports"]]
    if kind == "bmc" and data.get("nic"):
        out["nic"] = _component("nics", data["nic"])
    return out


def _port(data: Mapping[str, Any]) -> dict[str, Any]:
    """Their ``id`` is always there, and their speed is what the port is made for."""
    out = _component("nic_ports", data)
    fastest = data.get("metadata", {}).get("max_speed_bits")
    if fastest:
        out["speed_bits"] = int(fastest)
    return {"id": "", **out}


def _common(data: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"oem": bool(data.get("oem"))}
    out.update({name: data[name] for name in _COMMON if data.get(name)})
    if data.get("model"):
        out.setdefault("product_name", data["model"])
    if data.get("capabilities"):
        out["capabilities"] = [
            {
                "Name": item.get("name", ""),
                "Description": item.get("description", ""),
                "Enabled": bool(item.get("enabled")),
            }
            for item in data["capabilities"]
        ]
    return out
