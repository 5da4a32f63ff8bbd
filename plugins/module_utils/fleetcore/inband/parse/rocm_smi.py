# SPDX-License-Identifier: BSD-2-Clause

"""``rocm-smi --showproductname --showserial --showuniqueid --showvbios --showbus --showmeminfo vram --json``: AMD
GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.model import Device
from ...document.outputs import document, expect, first_word, mapping, parser
from ...document.parts import Gpu
from ...document.values import clean_serial, firmware, pci_address, pci_id, positive


@parser("rocm-smi")
def parse_rocm_smi(raw: str) -> Device:
    """GPUs; versions of the tool differ in the spelling of keys, which are compared without case and blanks."""
    body = mapping(document(raw, "rocm-smi"))
    cards = [(str(key)[:40], value) for key, value in body.items() if str(key).startswith("card")]
    expect("rocm-smi", cards, "no cards in the output")
    return Device(gpus=tuple(_gpu(name, fields) for name, fields in cards[:1000] if isinstance(fields, Mapping)))


def _gpu(name: str, fields: Mapping[str, Any]) -> Gpu:
    plain = {"".join(str(key).lower().split()): value for key, value in fields.items()}

    address = pci_address(first_word(plain, "pcibus", "pcibusid"))
    # Some versions put the PCI id in place of a name.
    names = (first_word(plain, "cardseries"), first_word(plain, "cardmodel"), first_word(plain, "devicename"))
    model = next((name for name in names if name and not name.startswith("0x")), None)
    unique = first_word(plain, "uniqueid")
    return Gpu(
        id=address or name,
        bus_info=address,
        vendor="AMD",
        model=model,
        product_name=model,
        serial=clean_serial(first_word(plain, "serialnumber")),
        uuid=unique.lower() if unique else None,
        part_number=first_word(plain, "cardsku"),
        pci_vendor_id="1002",
        pci_product_id=pci_id(first_word(plain, "deviceid", "gpuid")),
        firmware=firmware(first_word(plain, "vbiosversion")),
        memory_bytes=positive(first_word(plain, "vramtotalmemory(b)")),
    )
