# SPDX-License-Identifier: BSD-2-Clause

"""``/proc/cpuinfo``: model, topology and microcode of the processors that the kernel runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, pairs, parser, said
from ...document.parts import Capability, Cpu
from ...document.values import listed, positive, word

# Of the kernel's flags (x86) and features (ARM): virtualisation, encryption and vectors that people choose machines by,
# and memory that is encrypted or isolated.
_FLAGS = listed(
    """
    vmx svm hypervisor aes sha_ni avx2 avx512f amx_tile sve sve2 sgx sme sev sev_es sev_snp tdx_host_platform tdx_guest
    """
)
_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon", "0x41": "ARM", "0xc0": "Ampere"}


@parser("cpuinfo")
def parse_cpuinfo(raw: str) -> Device:
    """One CPU per physical package. Where the kernel gives no packages (ARM), one with the number of threads.

    :raises ParseError: no processor in it.
    """
    packages: dict[str, list[Mapping[str, str]]] = {}
    for block in decoded(raw).split("\n\n")[:10_000]:
        values = pairs(block.splitlines()[:200])
        if "processor" in values:
            packages.setdefault(values.get("physical id", "0"), []).append(values)
    expect("cpuinfo", packages, "no processor in it")
    return Device(cpus=tuple(_cpu(key, found) for key, found in sorted(packages.items(), key=_by_number)))


def _by_number(item: tuple[str, object]) -> tuple[int, str]:
    return (int(item[0]) if item[0].isdecimal() and len(item[0]) < 10 else 1 << 30, item[0])


def _cpu(package: str, threads: list[Mapping[str, str]]) -> Cpu:
    first = threads[0]
    distinct = {item["core id"] for item in threads if "core id" in item}
    maker: Optional[str] = word(first.get("vendor_id")) or word(first.get("CPU implementer"))
    return Cpu(
        id=package[:40],
        vendor=_VENDORS.get(maker or "", maker),
        model=word(first.get("model name")) or word(first.get("Model")),
        cores=len(distinct) or positive(first.get("cpu cores")),
        threads=len(threads),
        microcode=word(first.get("microcode")),
        capabilities=tuple(
            Capability(name=flag, enabled=True)
            for flag in (first.get("flags") or first.get("Features") or "").split()
            if flag in _FLAGS
        ),
        metadata=said(**{name.split()[-1]: word(first.get(name)) for name in ("cpu family", "model", "stepping")}),
    )
