# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The components of a device document as one flat list. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .match import labels
from .sections import Document, plain

SLUGS: Mapping[str, Optional[str]] = {
    "bios": "BIOS",
    "bmc": "BMC",
    "mainboard": "Mainboard",
    "cplds": "CPLD",
    "tpms": "TPM",
    "cpus": "CPU",
    "gpus": "GPU",
    "accelerators": None,
    "memory": "PhysicalMemory",
    "drives": "Drive",
    "volumes": None,
    "storage_controller": "StorageController",
    "backplanes": "Backplane-Expander",
    "nics": "NIC",
    "fabric_ports": None,
    "transceivers": None,
    "dpus": None,
    "pcie_devices": None,
    "power_supplies": "Power-Supply",
    "batteries": None,
    "fans": None,
    "enclosures": "Enclosure",
    "licences": None,
}
"""Kinds of components by their field of the document, with the slug that FleetDB has for them, if any."""


def components(document: Optional[Document]) -> list[dict[str, Any]]:
    """All components in the order of :data:`SLUGS`: ``component`` as in a change and unique, ``slug``, and the fields."""
    data = plain(document) if document is not None else {}
    out = []
    for field, slug in SLUGS.items():
        found = data.get(field) or []
        if isinstance(found, list):
            named = [(f"{field}:{title}", item) for title, item in zip(labels(found), found)]
        else:
            named = [(field, found)]
        out += [{"component": name, **({"slug": slug} if slug else {}), **item} for name, item in named]
    return out
