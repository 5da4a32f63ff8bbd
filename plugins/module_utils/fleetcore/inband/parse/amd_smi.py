# SPDX-License-Identifier: BSD-2-Clause

"""``amd-smi static --json``: AMD GPUs, of the tool that follows ``rocm-smi``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, document, expect, first_word, mapping, parser, said
from ...document.parts import Gpu
from ...document.values import clean_serial, firmware, integer, items, pci_address, pci_id, positive, size_bytes, word


@parser("amd-smi")
def parse_amd_smi(raw: str) -> Device:
    """GPUs of a list, which newer versions have under ``gpu_data``.

    :raises ParseError: no GPU in the output.
    """
    body = document(raw, "amd-smi")
    found = [item for item in items(at(body, "gpu_data") or body) if "asic" in item or "bus" in item]
    expect("amd-smi", found, "no GPU in the output")
    return Device(gpus=tuple(map(_gpu, found)))


def _gpu(fields: Mapping[str, Any]) -> Gpu:
    asic, board, vbios = (mapping(fields.get(name)) for name in ("asic", "board", "vbios"))
    vbios = vbios or mapping(at(fields, "ifwi"))
    address = pci_address(at(fields, "bus", "bdf"))
    model = first_word(asic, "market_name") or first_word(board, "product_name")
    unique = first_word(asic, "asic_serial")
    return Gpu(
        id=address or f"gpu{integer(fields.get('gpu'))}",
        bus_info=address,
        vendor="AMD",
        model=model,
        product_name=first_word(board, "product_name") or model,
        serial=clean_serial(board.get("product_serial")),
        uuid=unique.lower() if unique else None,
        part_number=clean_serial(board.get("model_number")),
        pci_vendor_id=pci_id(asic.get("vendor_id")),
        pci_product_id=pci_id(asic.get("device_id")),
        firmware=firmware(vbios.get("version"), software_id=vbios.get("part_number")),
        memory_bytes=_bytes(at(fields, "vram", "size")),
        memory_type=word(at(fields, "vram", "type")),
        metadata=said(
            driver=word(at(fields, "driver", "name")),
            driver_version=first_word(mapping(fields.get("driver")), "version", "driver_version"),
            fru_id=clean_serial(board.get("fru_id")),
        ),
    )


def _bytes(size: Any) -> Optional[int]:
    """``{"value": 65520, "unit": "MB"}`` or, of older versions, ``65520 MB`` or a number of MB."""
    value, unit = (size.get("value"), size.get("unit")) if isinstance(size, Mapping) else (size, "MB")
    return (
        size_bytes(f"{value} {unit}", binary=True)
        if positive(value) and not isinstance(value, str)
        else (size_bytes(value, binary=True))
    )
