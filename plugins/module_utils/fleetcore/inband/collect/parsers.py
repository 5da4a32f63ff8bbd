# SPDX-License-Identifier: BSD-2-Clause

"""The parsers that the sources use, each read when its tool has answered: Python compiles what Ansible ships anew for
every run, and most machines have few of the tools.

A parser's name here is its name in :mod:`fleetcore.inband.parse`; what the import statements name is what Ansible
ships.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from ...ipmi import answers  # noqa: F401
    from ..parse import (  # noqa: F401
        asrr_bioscontrol,
        devlink,
        dmidecode,
        dsu,
        ethtool,
        hdparm,
        ipmicfg,
        ipmitool,
        lldpctl,
        lsblk,
        lshw,
        lspci,
        mdadm,
        mellanox,
        msecli,
        mvcli,
        nvidia_smi,
        nvme,
        racadm,
        rocm_smi,
        smartctl,
        smbios,
        ssacli,
        storcli,
        supermicro_sum,
        zpool,
    )


def _lazy(module: str, name: str) -> Callable[..., Any]:
    def parse(*args: Any, **kwargs: Any) -> Any:
        return getattr(
            importlib.import_module(module if module.startswith(".") else f"..parse.{module}", __package__), name
        )(*args, **kwargs)

    return parse


parse_asrr_bios = _lazy("asrr_bioscontrol", "parse_asrr_bios")
parse_devlink = _lazy("devlink", "parse_devlink")
parse_dmidecode = _lazy("dmidecode", "parse_dmidecode")
parse_dsu_inventory = _lazy("dsu", "parse_dsu_inventory")
parse_dsu_preview = _lazy("dsu", "parse_dsu_preview")
parse_ethtool_driver = _lazy("ethtool", "parse_ethtool_driver")
parse_ethtool_module = _lazy("ethtool", "parse_ethtool_module")
parse_ethtool_permanent = _lazy("ethtool", "parse_ethtool_permanent")
parse_hdparm = _lazy("hdparm", "parse_hdparm")
parse_ipmicfg = _lazy("ipmicfg", "parse_ipmicfg")
parse_ipmitool_fru = _lazy("ipmitool", "parse_ipmitool_fru")
parse_ipmitool_lan = _lazy("ipmitool", "parse_ipmitool_lan")
parse_ipmitool_mc = _lazy("ipmitool", "parse_ipmitool_mc")
parse_lldpctl = _lazy("lldpctl", "parse_lldpctl")
parse_lsblk = _lazy("lsblk", "parse_lsblk")
parse_lshw = _lazy("lshw", "parse_lshw")
parse_lspci = _lazy("lspci", "parse_lspci")
parse_mdadm = _lazy("mdadm", "parse_mdadm")
parse_mlxup = _lazy("mellanox", "parse_mlxup")
parse_mstflint = _lazy("mellanox", "parse_mstflint")
parse_msecli = _lazy("msecli", "parse_msecli")
parse_mvcli_hba = _lazy("mvcli", "parse_mvcli_hba")
parse_mvcli_pd = _lazy("mvcli", "parse_mvcli_pd")
parse_mvcli_vd = _lazy("mvcli", "parse_mvcli_vd")
parse_nvidia_smi = _lazy("nvidia_smi", "parse_nvidia_smi")
parse_nvme_id_ctrl = _lazy("nvme", "parse_nvme_id_ctrl")
parse_nvme_list = _lazy("nvme", "parse_nvme_list")
parse_nvme_smart_log = _lazy("nvme", "parse_nvme_smart_log")
parse_openipmi = _lazy("...ipmi.answers", "parse_openipmi")
parse_racadm = _lazy("racadm", "parse_racadm")
parse_rocm_smi = _lazy("rocm_smi", "parse_rocm_smi")
parse_smartctl = _lazy("smartctl", "parse_smartctl")
parse_smartctl_scan = _lazy("smartctl", "parse_smartctl_scan")
parse_smbios = _lazy("smbios", "parse_smbios")
parse_ssacli = _lazy("ssacli", "parse_ssacli")
parse_storcli = _lazy("storcli", "parse_storcli")
parse_sum = _lazy("supermicro_sum", "parse_sum")
parse_zpool = _lazy("zpool", "parse_zpool")
with_updates = _lazy("dsu", "with_updates")
