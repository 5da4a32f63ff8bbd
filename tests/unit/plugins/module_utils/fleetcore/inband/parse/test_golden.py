# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``golden/<parser>/<case>/{raw, expected.json}``: what a tool prints and the document that it means.

The outputs are of our own making, in the form that the tools have; captures of real machines are checked in
tests/service/collect. After a wanted change: ``FLEET_GOLDEN=write pytest ...``, then read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.parse import (
    amd_smi,
    arcconf,
    asrr_bioscontrol,
    cpuinfo,
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
    ssacli,
    storcli,
    supermicro_sum,
    zpool,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ipmi import answers as openipmi

GOLDEN = Path(__file__).resolve().parent / "golden"
PARSERS = {
    "amd_smi": amd_smi.parse_amd_smi,
    "arcconf": arcconf.parse_arcconf,
    "asrr_bioscontrol": asrr_bioscontrol.parse_asrr_bios,
    "cpuinfo": cpuinfo.parse_cpuinfo,
    "devlink": devlink.parse_devlink,
    "dmidecode": dmidecode.parse_dmidecode,
    "dsu_inventory": dsu.parse_dsu_inventory,
    "ethtool_driver": lambda raw: ethtool.parse_ethtool_driver(raw, "eno1"),
    "ethtool_module": lambda raw: ethtool.parse_ethtool_module(raw, "eno1"),
    "ethtool_permanent": lambda raw: ethtool.parse_ethtool_permanent(raw, "eno1"),
    "hdparm": hdparm.parse_hdparm,
    "hpe_bios": hpe_bios.parse_hpe_bios,
    "ip_address": iproute.parse_ip_address,
    "ip_route": iproute.parse_ip_route,
    "ipmicfg": ipmicfg.parse_ipmicfg,
    "ipmitool_fru": ipmitool.parse_ipmitool_fru,
    "ipmitool_lan": ipmitool.parse_ipmitool_lan,
    "ipmitool_mc": ipmitool.parse_ipmitool_mc,
    "lldpctl": lldpctl.parse_lldpctl,
    "lsblk": lsblk.parse_lsblk,
    "lsblk_tree": lsblk_tree.parse_lsblk_tree,
    "lshw": lshw.parse_lshw,
    "lspci": lspci.parse_lspci,
    "mdadm": mdadm.parse_mdadm,
    "megacli": megacli.parse_megacli,
    "mlxup": mellanox.parse_mlxup,
    "msecli": msecli.parse_msecli,
    "mnv_cli": mnv_cli.parse_mnv_cli,
    "mstflint": lambda raw: mellanox.parse_mstflint(raw, "3b:00.0"),
    "mvcli_hba": mvcli.parse_mvcli_hba,
    "mvcli_pd": mvcli.parse_mvcli_pd,
    "mvcli_vd": mvcli.parse_mvcli_vd,
    "nvidia_smi": nvidia_smi.parse_nvidia_smi,
    "nvme_id_ctrl": lambda raw: nvme.parse_nvme_id_ctrl(raw, "/dev/nvme0"),
    "nvme_list": nvme.parse_nvme_list,
    "nvme_smart_log": lambda raw: nvme.parse_nvme_smart_log(raw, "/dev/nvme0"),
    "onecli": onecli.parse_onecli,
    "openipmi": openipmi.parse_openipmi,
    "racadm": racadm.parse_racadm,
    "rocm_smi": rocm_smi.parse_rocm_smi,
    "smartctl": smartctl.parse_smartctl,
    "smartctl_scan": smartctl.parse_smartctl_scan,
    "ssacli": ssacli.parse_ssacli,
    "storcli": storcli.parse_storcli,
    "supermicro_sum": supermicro_sum.parse_sum,
    "zpool": zpool.parse_zpool,
}
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/raw"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_golden(case):
    raw = (case / "raw").read_text(encoding="utf-8")
    found = to_dict(PARSERS[case.parent.name](raw))
    expected = case / "expected.json"
    if os.environ.get("FLEET_GOLDEN") == "write":
        expected.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert found == json.loads(expected.read_text(encoding="utf-8"))


def test_every_parser_of_the_list_has_a_case():
    assert {case.parent.name for case in CASES} == set(PARSERS)
