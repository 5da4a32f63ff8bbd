# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting import (
    account,
    bios,
    boot,
    firmware,
    led,
    log,
    reset,
    secure_boot,
    virtual_media,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power import expected
from ansible_collections.baremetal.fleet.plugins.plugin_utils._documentation import documentation


class ModuleDocFragment:
    """One attribute for each kind of change: ``baremetal.fleet.acting.boot`` is ``BOOT``."""


for kind in (account, bios, boot, firmware, led, log, reset, secure_boot, virtual_media):
    text = documentation(
        {**kind.CHANGE.options, **expected.OPTIONS},
        "bmc",
        "acting",
        seealso=[{"module": "baremetal.fleet.bmc_power"}],
    )
    setattr(ModuleDocFragment, kind.__name__.rpartition(".")[2].upper(), text)
