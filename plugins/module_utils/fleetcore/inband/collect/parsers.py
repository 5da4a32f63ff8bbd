# SPDX-License-Identifier: BSD-2-Clause

"""The parsers that the sources use, each read when its tool has answered: Python compiles what Ansible ships anew for
every run, and most machines have few of the tools.

What the import statements name is what Ansible ships.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from ...ipmi import answers  # noqa: F401
    from ..parse import (  # noqa: F401
        amd_smi,
        arcconf,
        asrr_bioscontrol,
        devlink,
        dmidecode,
        dsu,
        ethtool,
        hdparm,
        hpe_bios,
        ipmicfg,
        ipmitool,
        iproute,
        lldpctl,
        lsblk,
        lsblk_tree,
        lshw,
        lspci,
        mdadm,
        megacli,
        mellanox,
        mnv_cli,
        msecli,
        mvcli,
        nvidia_smi,
        nvme,
        onecli,
        racadm,
        rocm_smi,
        smartctl,
        smbios,
        ssacli,
        storcli,
        supermicro_sum,
        zpool,
    )


def lazy(path: str) -> Callable[..., Any]:
    """A parser by its module and name, such as ``lsblk.parse_lsblk``."""
    module, _dot, name = path.rpartition(".")

    def parse(*args: Any, **kwargs: Any) -> Any:
        found = importlib.import_module(module if module.startswith(".") else f"..parse.{module}", __package__)
        return getattr(found, name)(*args, **kwargs)

    return parse
