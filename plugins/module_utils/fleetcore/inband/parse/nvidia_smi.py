# SPDX-License-Identifier: BSD-2-Clause

"""``nvidia-smi -q -x``: NVIDIA GPUs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Optional

from ...document.model import Device
from ...document.outputs import expect, parser, said, xml
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


@parser("nvidia-smi")
def parse_nvidia_smi(raw: str) -> Device:
    """GPUs with serial, UUID, VBIOS, memory and the number of active NVLinks.

    :raises ParseError: not the XML of ``nvidia-smi -q -x``.
    """
    root = xml(raw, "nvidia-smi")
    expect("nvidia-smi", root.tag == "nvidia_smi_log", "not its log")
    driver = word(root.findtext("driver_version"))
    return Device(gpus=tuple(_gpu(item, driver) for item in root.findall("gpu")[:MAX_ITEMS]))


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
    bad = any(number(item.findtext(f"ecc_errors/aggregate/{name}")) for name in _UNCORRECTABLE)
    bad = bad or any(text(item.findtext(path)) == "Yes" for path in _GIVEN_UP)
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
        status=Status(Health="Warning", State="uncorrectable memory errors") if bad else None,
        metadata=said(driver="nvidia", driver_version=driver, nvlinks=len(links) or None),
    )
