# SPDX-License-Identifier: BSD-2-Clause

"""GPUs: processors that are, else graphics controllers, else PCIe devices. The graphics of BMCs are none."""

from __future__ import annotations

from ...document.parts import Gpu
from ..quirks import BMC_GRAPHICS_VENDORS, BMC_GRAPHICS_WORDS, GPU_CLASSES, GPU_WORDS, NOT_A_GPU_WORDS
from ..rules import Follow, Topic
from ..tree import Tree
from . import pcie_devices
from .accelerators import fields
from .cpus import packages


def read(tree: Tree) -> tuple[Gpu, ...]:
    """GPUs among the processors; GraphicsControllers count when there is none."""
    found = [(path, body) for kind, path, body in packages(tree) if kind == "GPU"]
    return tuple(Gpu(**fields(tree, path, body)) for path, body in found or tree.of("graphics_controller"))


def of_pcie(tree: Tree) -> tuple[Gpu, ...]:
    """GPUs that a service shows as PCIe devices only; the graphics of BMCs are none."""
    out = []
    for device in pcie_devices.read(tree):
        name = f"{device.vendor or ''} {device.model or ''} {device.description or ''}".lower()
        shows = device.device_class in GPU_CLASSES or (
            device.device_class is None and any(item in name for item in GPU_WORDS)
        )
        shows = shows or (device.device_class == "GPU" and not any(item in name for item in NOT_A_GPU_WORDS))
        if (
            shows
            and device.pci_vendor_id not in BMC_GRAPHICS_VENDORS
            and not any(w in name for w in BMC_GRAPHICS_WORDS)
        ):
            same = ("description", "vendor", "model", "serial", "pci_vendor_id", "pci_product_id", "firmware", "status")
            out.append(Gpu(**{name: getattr(device, name) for name in (*same, "id", "slot", "part_number")}))
    return tuple(out)


TOPIC = Topic(
    "gpus",
    read,
    rules={
        "system": (Follow(("GraphicsControllers",), "graphics_controller"),),
        "system_part": (Follow(("GraphicsControllers",), "graphics_controller"),),
    },
    otherwise=("pcie", of_pcie),
)
