# SPDX-License-Identifier: BSD-2-Clause

"""``nvidia-smi -q -x``: NVIDIA GPUs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, parser, said, xml
from ...document.parts import Firmware, Gpu, Status
from ...document.values import MAX_ITEMS, clean_serial, number, pci_address, pci_id, size_bytes, text, word

# Counters of memory errors and signs of memory that is given up, as generations of GPUs name them.
_UNCORRECTABLE = (
    "double_bit/total",
    "dram_uncorrectable",
    "sram_uncorrectable",
    "sram_uncorrectable_parity",
    "sram_uncorrectable_secded",
)
_GIVEN_UP = (
    "retired_pages/pending_retirement",
    "retired_pages/pending_blacklist",
    "remapped_rows/remapped_row_pending",
    "remapped_rows/remapped_row_failure",
)


# What the driver says in place of values of a GPU that it can't reach.
_LOST = re.compile(r"GPU is lost|GPU requires reset|fallen off the bus", re.IGNORECASE)
_UNREACHED = re.compile(r"device handle for GPU\s?(?:\d+: )?([0-9A-Fa-f:.]{7,16}): (.{1,100}?)(?:\.|$)", re.MULTILINE)


@parser("nvidia-smi")
def parse_nvidia_smi(raw: str) -> Device:
    """GPUs with serial, UUID, VBIOS, memory and the number of active NVLinks; those that the driver has lost with their
    place and that they are.

    :raises ParseError: not the XML of ``nvidia-smi -q -x``.
    """
    lost = {pci_address(place): text(words) for place, words in _UNREACHED.findall(decoded(raw)[:100_000])}
    found: list[Gpu] = []
    if "<" in decoded(raw) or not lost:
        root = xml(raw, "nvidia-smi")
        expect("nvidia-smi", root.tag == "nvidia_smi_log", "not its log")
        driver = word(root.findtext("driver_version"))
        found = [_gpu(item, driver) for item in root.findall("gpu")[:MAX_ITEMS]]
    known = {item.bus_info for item in found}
    found += [
        Gpu(id=address, bus_info=address, vendor="NVIDIA", status=Status(Health="Critical", State=words))
        for address, words in lost.items()
        if address and address not in known
    ]
    return Device(gpus=tuple(found))


def _gpu(item: ET.Element, driver: Optional[str]) -> Gpu:
    address = pci_address(item.get("id") or item.findtext("pci/pci_bus_id"))
    device = text(item.findtext("pci/pci_device_id")) or ""
    model = word(item.findtext("product_name"))
    vbios = Firmware(
        installed=word(item.findtext("vbios_version")),
        metadata=said(
            inforom_image=word(item.findtext("inforom_version/img_version")),
            gsp=word(item.findtext("gsp_firmware_version")),
        ),
    )
    links = [link for link in item.findall("nvlink/link")[:64] if number(link.findtext("link_speed"))]
    return Gpu(
        id=address,
        bus_info=address,
        vendor="NVIDIA",
        model=model,
        product_name=model,
        description=word(item.findtext("product_architecture")),
        serial=clean_serial(item.findtext("serial")),
        uuid=(word(item.findtext("uuid")) or "").lower() or None,
        part_number=word(item.findtext("gpu_part_number")) or word(item.findtext("board_part_number")),
        pci_vendor_id=pci_id(device[4:]) if len(device) == 8 else None,
        pci_product_id=pci_id(device[:4]) if len(device) == 8 else None,
        firmware=vbios if vbios != Firmware() else None,
        memory_bytes=size_bytes(item.findtext("fb_memory_usage/total"), binary=True),
        status=_status(item),
        metadata=said(driver="nvidia", driver_version=driver, nvlinks=len(links) or None),
    )


def _status(item: ET.Element) -> Optional[Status]:
    lost = next((found[0] for found in map(_LOST.search, list(item.itertext())[:5000]) if found), None)
    if lost:
        return Status(Health="Critical", State=lost)
    bad = any(number(item.findtext(f"ecc_errors/aggregate/{name}")) for name in _UNCORRECTABLE)
    bad = bad or any(text(item.findtext(path)) == "Yes" for path in _GIVEN_UP)
    return Status(Health="Warning", State="uncorrectable memory errors") if bad else None
