# SPDX-License-Identifier: BSD-2-Clause

"""``lshw -json -notime -numeric``: a tree of what the kernel, DMI and PCI say. Broad, and wrong in places.

It is longer than other files: one function for each class of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ...document.model import Device
from ...document.outputs import at, document, expect, first, mapping, nic_firmware, one_port, parser, said
from ...document.parts import (
    Bios,
    Capability,
    Cpu,
    Gpu,
    Mainboard,
    Memory,
    NicPort,
    PowerSupply,
    StorageController,
)
from ...document.values import (
    MAX_ITEMS,
    clean_mac,
    clean_serial,
    clean_uuid,
    firmware,
    pci_address,
    positive,
    text,
    word,
    wwn,
)
from .drives import device_name, drive, is_virtual, protocol_of

_IDS = re.compile(r"\s*\[(?:([0-9A-Fa-f]{4}):)?([0-9A-Fa-f]{4})\]\s*$")
_DISK_NAME = re.compile(r"^/dev/(sd|hd|vd|xvd|nvme\d|mmcblk|dasd)")
Node = Mapping[str, Any]


@parser("lshw")
def parse_lshw(raw: str) -> Device:
    """Everything of the tree that is hardware. Empty memory slots, USB and virtual network and storage devices are not.

    :raises ParseError: no tree in it.
    """
    nodes = _nodes(document(raw, "lshw"))
    expect("lshw", any(node.get("class") for node, _parents in nodes), "no hardware tree in the output")
    parts: dict[str, Any] = {}
    for node, parents in nodes:
        kind = text(node.get("class"))
        if not parents and kind == "system":
            parts.update(_system(node))
        elif text(node.get("id")) == "core":
            board = _mainboard(node)
            parts["mainboard"] = board if board.model or board.serial else None
        elif text(node.get("id")) == "firmware":
            parts["bios"] = _bios(node)
        else:
            make = _KINDS.get(kind or "")
            found = make(node, parents) if make else None
            if found is not None:
                parts[found[0]] = (*parts.get(found[0], ()), found[1])
    slots = sum(1 for node, _parents in nodes if node.get("class") == "memory" and _is_bank(node))
    return Device(**parts, metadata=said(memory_slots=slots or None))


def _nodes(tree: Any) -> list[tuple[Node, tuple[Node, ...]]]:
    """All nodes with their parents, root first, in the order of the document."""
    out: list[tuple[Node, tuple[Node, ...]]] = []
    start = tree if isinstance(tree, list) else [tree]
    waiting: list[tuple[Any, tuple[Node, ...]]] = [(node, ()) for node in reversed(start)]
    while waiting and len(out) < MAX_ITEMS:
        node, parents = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        out.append((node, parents))
        children = node.get("children")
        if isinstance(children, list) and len(parents) < 64:
            waiting += [(child, (*parents, node)) for child in reversed(children)]
    return out


Found = Optional[tuple[str, Any]]


def _text(node: Node, name: str) -> str:
    return text(node.get(name)) or ""


def _product(node: Node) -> tuple[Optional[str], Optional[str], Optional[str]]:
    """Product without the numbers that ``-numeric`` appends, PCI vendor id and product id."""
    name = _text(node, "product")
    found = _IDS.search(name)
    vendor, product = (found[1], found[2]) if found and found[1] else (None, None)
    maker = _IDS.search(_text(node, "vendor"))
    vendor = vendor or (maker[2] if maker else None)
    clean = name[: found.start()] if found else name
    return word(clean), vendor.lower() if vendor else None, product.lower() if product else None


def _vendor(node: Node) -> Optional[str]:
    return word(_IDS.sub("", _text(node, "vendor")))


def _common(node: Node) -> dict[str, Any]:
    product, vendor_id, product_id = _product(node)
    return {
        "vendor": _vendor(node),
        "model": product if product != _vendor(node) else None,  # lshw repeats the maker where it knows no product
        "description": word(node.get("description")),
        "pci_vendor_id": vendor_id,
        "pci_product_id": product_id,
        "metadata": said(driver=word(at(node, "configuration", "driver"))),
    }


def _at(node: Node, address: str) -> dict[str, Any]:
    return {**_common(node), "id": address, "bus_info": address}


def _capabilities(node: Node) -> tuple[Capability, ...]:
    """By name; lshw gives a description, or true or false."""
    found = mapping(node.get("capabilities"))
    return tuple(
        Capability(
            name=str(name)[:80],
            description=word(value) if isinstance(value, str) else None,
            enabled=value is not False,
        )
        for name, value in sorted(found.items())[:500]
    )


def _first_name(node: Node) -> Optional[str]:
    return text(first(node.get("logicalname")))


def _made(node: Node, product: Optional[str]) -> dict[str, Any]:
    serial = clean_serial(node.get("serial"))
    return {"vendor": _vendor(node), "model": product, "product_name": product, "serial": serial}


def _system(node: Node) -> dict[str, Any]:
    product, sku = _product(node)[0] or "", text(at(node, "configuration", "sku"))
    kind = word(node.get("description"))
    # lshw writes the SKU behind it.
    bare = product[: -len(f"({sku})")] if sku and product.endswith(f"({sku})") else product
    return {
        **_made(node, word(bare)),
        "uuid": clean_uuid(at(node, "configuration", "uuid")),
        "sku": clean_serial(sku),
        "hardware_type": kind if kind not in ("Computer", "System") else None,
    }


def _mainboard(node: Node) -> Mainboard:
    return Mainboard(
        **_made(node, _product(node)[0]),
        description=word(node.get("description")),
        physid=text(node.get("physid")),
        metadata=said(version=clean_serial(node.get("version"))),
    )


def _bios(node: Node) -> Bios:
    return Bios(
        vendor=_vendor(node),
        firmware=firmware(node.get("version")),
        release_date=word(node.get("date")),
        capabilities=_capabilities(node),
        size_bytes=positive(node.get("size")),
        capacity_bytes=positive(node.get("capacity")),
    )


def _cpu(node: Node, _parents: tuple[Node, ...]) -> Found:
    if not _text(node, "id").startswith("cpu") or node.get("disabled") is True:
        return None
    cores = positive(at(node, "configuration", "cores"))
    if "[empty]" in _text(node, "description") or (not node.get("product") and cores is None):
        return None
    microcode = positive(at(node, "configuration", "microcode"))
    return "cpus", Cpu(
        vendor=_vendor(node),
        model=_product(node)[0],
        description=word(node.get("description")),
        slot=word(node.get("slot")),
        cores=cores,
        threads=positive(at(node, "configuration", "threads")),
        capabilities=_capabilities(node),
        clock_speed_hz=_clock(node),
        microcode=f"0x{microcode:x}" if microcode else None,
        architecture=next((name for sign, name in _ARCHITECTURES if sign in mapping(node.get("capabilities"))), None),
    )


# What only processors of an architecture can do.
_ARCHITECTURES = (("x86-64", "x86_64"), ("fpu", "x86"), ("asimd", "aarch64"))


def _clock(node: Node) -> Optional[int]:
    """The clock that the processor is made for.

    With frequency scaling ``size`` is what it ran at in that moment, ``capacity`` its limit.
    """
    named = re.search(r"@ ([0-9.]{1,6}) ?GHz", _text(node, "product"))
    if named:
        return positive(named[1], 1e9)
    scaling = "cpufreq" in mapping(node.get("capabilities"))
    return positive(node.get("capacity" if scaling else "size"))


def _is_bank(node: Node) -> bool:
    """A slot for a memory module; chips with firmware are listed among them."""
    return _text(node, "id").startswith("bank") and "FLASH" not in _text(node, "description").upper().split()


def _memory(node: Node, _parents: tuple[Node, ...]) -> Found:
    size = positive(node.get("size"))
    serial, part = clean_serial(node.get("serial")), clean_serial(node.get("product"))
    # Where lshw cannot read a size it writes "[empty]" behind modules, too: what has a serial number and a part
    # number is one.
    if not _is_bank(node) or (size is None and not (serial and part)):
        return None
    description = _text(node, "description").replace("[empty]", "")
    words = description.split()
    kind = next((item for item in words if re.match(r"^(LP)?DDR[0-9]?$|^HBM[0-9]?$", item)), None)
    return "memory", Memory(
        vendor=_vendor(node),
        model=part,
        part_number=part,
        description=word(description),
        serial=serial,
        slot=word(node.get("slot")),
        size_bytes=size,
        type=kind,
        form_factor=words[0] if words and words[0].endswith("IMM") else None,
        clock_speed_hz=positive(node.get("clock")),
    )


def _nic(node: Node, parents: tuple[Node, ...]) -> Found:
    address = pci_address(node.get("businfo"))
    if _text(node, "businfo").startswith("virtio@") and parents:
        address = pci_address(parents[-1].get("businfo"))
    if address is None:
        return None  # bonds, bridges, and the BMC's USB network are no NICs of the machine
    name = _first_name(node)
    link = word(at(node, "configuration", "link"))
    fast = word(at(node, "configuration", "speed"))
    common = _at(node, address)
    # The speed that the port is made for is known without a link, too.
    fastest = said(max_speed_bits=positive(node.get("capacity")))
    port = NicPort(
        **{**common, "metadata": {**common["metadata"], **fastest}},
        physid=text(node.get("physid")),
        logical_name=name,
        macaddress=clean_mac(text(node.get("serial"))),
        speed_bits=positive(node.get("size")) or _speed(fast),
        link_status={"yes": "up", "no": "down"}.get(link or ""),
        auto_neg={"on": True, "off": False}.get(text(at(node, "configuration", "autonegotiation")) or ""),
        firmware=nic_firmware(at(node, "configuration", "firmware")),
    )
    return "nics", one_port(port, **_common(node), capabilities=_capabilities(node))


def _speed(fast: Optional[str]) -> Optional[int]:
    """``10Gbit/s`` in bits."""
    found = re.match(r"^(\d{1,6})\s*([KMG])bit/s$", fast or "")
    return int(found[1]) * {"K": 10**3, "M": 10**6, "G": 10**9}[found[2]] if found else None


# How lshw's names and descriptions of storage controllers begin, and what they speak to their drives.
_PROTOCOLS = {
    **{name.lower(): name for name in ("SATA", "SAS", "RAID", "SCSI", "IDE", "NVMe")},
    "serial attached scsi": "SAS",
    "non-volatile memory": "NVMe",
}


def _storage(node: Node, _parents: tuple[Node, ...]) -> Found:
    address = pci_address(node.get("businfo"))
    if address is None:
        return None
    words = (_text(node, "id").replace("nvme", "non-volatile memory"), _text(node, "description"))
    protocol = next(
        (name for word_ in words for sign, name in _PROTOCOLS.items() if word_.lower().startswith(sign)), None
    )
    name = device_name(_first_name(node))
    # Controllers that show their volumes as NVMe drives are controllers.
    if (protocol == "NVMe" or (name or "").startswith("/dev/nvme")) and not is_virtual(_product(node)[0]):
        # Older versions know nothing of the drive but the chip that is its controller.
        model = _product(node)[0] if name else None
        return "drives", drive(
            model,
            "nvme",
            maker=_vendor(node),
            description=word(node.get("description")),
            serial=clean_serial(node.get("serial")),
            logical_name=name,
            firmware=firmware(node.get("version")) if name else None,
            bus_info=address,
        )
    return "storage_controller", StorageController(
        **_at(node, address), physid=text(node.get("physid")), supported_device_protocol=protocol
    )


def _disk(node: Node, parents: tuple[Node, ...]) -> Found:
    name = device_name(_first_name(node))
    bus = _text(node, "businfo")
    identity = _text(node, "id")
    # Newer kernels show every NVMe namespace as /dev/ngXnY, too, and its thermometer as a child.
    if not name or not _DISK_NAME.match(name) or identity.startswith(("cdrom", "medium")):
        return None
    if any(_is_usb(item) for item in (node, *parents)):
        return None
    controllers = [found for found in (pci_address(item.get("businfo")) for item in reversed(parents)) if found]
    product = _product(node)[0]
    nvme = name.startswith("/dev/nvme")
    if is_virtual(_vendor(node), product) or (nvme and parents and is_virtual(_product(parents[-1])[0])):
        return None
    maker = _vendor(node)
    ata = maker == "ATA"  # what the kernel says in place of a maker that ATA does not know
    return "drives", drive(
        product,
        "nvme" if nvme else "sata" if ata else protocol_of(text(node.get("description"))),
        _rotating(node, product),
        None if ata else maker,
        description=word(node.get("description")),
        serial=clean_serial(node.get("serial")) if not nvme else None,
        logical_name=name,
        firmware=firmware(node.get("version")) if not nvme else None,
        capacity_bytes=positive(node.get("size")),
        block_size_bytes=positive(at(node, "configuration", "logicalsectorsize")),
        wwn=wwn(at(node, "configuration", "wwid")),
        storage_controller=None if nvme else next(iter(controllers), None),
        bus_info=None if nvme else word(bus),
    )


def _is_usb(node: Node) -> bool:
    return _text(node, "businfo").startswith("usb") or at(node, "configuration", "driver") == "usb-storage"


def _rotating(node: Node, product: Optional[str]) -> Optional[bool]:
    """Yes where lshw knows a rotation speed, no where the model number says so: lshw does not."""
    if any(re.match(r"^\d{4,5}rpm$", str(key)) for key in list(mapping(node.get("capabilities")))[:100]):
        return True
    return False if re.search(r"\bSSD", product or "") else None


def _display(node: Node, _parents: tuple[Node, ...]) -> Found:
    address = pci_address(node.get("businfo"))
    return ("gpus", Gpu(**_at(node, address))) if address else None


def _generic(node: Node, parents: tuple[Node, ...]) -> Found:
    """GPUs for computing are no displays: processing accelerators, or devices with a GPU's driver."""
    driver = text(at(node, "configuration", "driver"))
    named = _text(node, "description").lower()
    vendor = _product(node)[1] or (_vendor(node) or "").lower()
    maker = vendor in ("10de", "1002") or vendor.startswith(("nvidia", "advanced micro devices, inc. [amd/ati]"))
    if driver in ("nvidia", "amdgpu", "nouveau") or (maker and named in ("processing accelerators", "3d controller")):
        return _display(node, parents)
    return None


def _power(node: Node, _parents: tuple[Node, ...]) -> Found:
    """Batteries are of this class, too."""
    part = clean_serial(node.get("product"))
    made = {**_made(node, part), "product_name": word(node.get("description"))}
    if not _text(node, "id").startswith("power") or not (made["serial"] or part):
        return None
    return "power_supplies", PowerSupply(
        **made,
        id=text(node.get("physid")),
        part_number=part,
        description=made["product_name"],
        firmware=firmware(node.get("version")),
        power_capacity_watts=positive(node.get("capacity")),
    )


_KINDS: dict[str, Callable[[Node, tuple[Node, ...]], Found]] = {
    "processor": _cpu,
    "memory": _memory,
    "network": _nic,
    "storage": _storage,
    "disk": _disk,
    "display": _display,
    "generic": _generic,
    "power": _power,
}
