# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``nvidia-smi -q -x``: NVIDIA GPUs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Optional

from ..errors import ParseError
from ..model import Device, Firmware, Gpu, Status, clean_serial
from .values import MAX_ITEMS, number, parser, pci_address, pci_id, size_bytes, text, word, xml


@parser("nvidia-smi")
def parse_nvidia_smi(raw: str) -> Device:
    """GPUs with serial, UUID, VBIOS, memory and the number of active NVLinks.

    :raises ParseError: not the XML of ``nvidia-smi -q -x``.
    """
    root = xml(raw, "nvidia-smi")
    if root.tag != "nvidia_smi_log":
        raise ParseError("nvidia-smi: not its log", field="nvidia-smi")
    driver = word(root.findtext("driver_version"))
    return Device(gpus=tuple(_gpu(item, driver) for item in root.findall("gpu")[:MAX_ITEMS]))


def _gpu(item: ET.Element, driver: Optional[str]) -> Gpu:
    address = pci_address(item.get("id") or item.findtext("pci/pci_bus_id"))
    device = text(item.findtext("pci/pci_device_id")) or ""
    model = word(item.findtext("product_name"))
    versions = {
        name: found
        for name, path in (("inforom_image", "inforom_version/img_version"), ("gsp", "gsp_firmware_version"))
        for found in [word(item.findtext(path))]
        if found
    }
    metadata = {"driver": "nvidia", **({"driver_version": driver} if driver else {})}
    links = [
        found for found in (number(link.findtext("link_speed")) for link in item.findall("nvlink/link")[:64]) if found
    ]
    if links:
        metadata["nvlinks"] = str(len(links))
    errors = number(item.findtext("ecc_errors/aggregate/dram_uncorrectable"))
    retired = word(item.findtext("retired_pages/pending_retirement")) or word(
        item.findtext("retired_pages/pending_blacklist")
    )
    bad = bool(errors) or retired == "Yes"
    return Gpu(
        id=address,
        bus_info=address,
        vendor="NVIDIA",
        model=model,
        product_name=model,
        description=word(item.findtext("product_architecture")),
        serial=clean_serial(word(item.findtext("serial"))),
        uuid=(word(item.findtext("uuid")) or "").lower() or None,
        part_number=word(item.findtext("gpu_part_number")) or word(item.findtext("board_part_number")),
        pci_vendor_id=pci_id(device[4:]) if len(device) == 8 else None,
        pci_product_id=pci_id(device[:4]) if len(device) == 8 else None,
        firmware=_version(word(item.findtext("vbios_version")), versions),
        memory_bytes=size_bytes(item.findtext("fb_memory_usage/total"), binary=True),
        status=Status(Health="Warning", State="uncorrectable memory errors") if bad else None,
        metadata=metadata,
    )


def _version(vbios: Optional[str], others: dict[str, str]) -> Optional[Firmware]:
    return Firmware(installed=vbios, metadata=others) if vbios or others else None
