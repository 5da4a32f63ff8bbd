# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive files from the power drivers, which describe themselves in plugins/module_utils/fleetcore/power/<name>.py.

They are the registry with its static imports (Ansible ships to a machine only what is imported by name), the names for
those that need no more than names, and the defaults of the playbooks. `check_docs.py` writes and checks them.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))
POWER = ROOT / "plugins" / "module_utils" / "fleetcore" / "power"
MARK = "written by scripts/check_docs.py"
"""Ends a line whose list is the names of the drivers; begins and ends a part of a file."""


def derived() -> dict[Path, str]:
    """Path and content of every file that follows from the drivers."""
    drivers = _drivers()
    bmc = [driver for driver in drivers if driver.needs_bmc]
    others = [driver for driver in drivers if not driver.needs_bmc]
    names = [driver.name for driver in drivers]
    out = {
        POWER / "registry.py": _registry(names),
        POWER / "names.py": _names([driver.name for driver in bmc], [driver.name for driver in others]),
    }
    for path in [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "playbooks").rglob("*.yml")]:
        text = path.read_text(encoding="utf-8")
        if path not in out and MARK in text:
            out[path] = _marked(text, bmc, others)
    return out


def _drivers() -> list[Any]:
    """The descriptions of all drivers: first those that need a BMC, each kind in its order."""
    modules = [path.stem for path in POWER.glob("*.py") if re.search(r"^DRIVER = ", path.read_text("utf-8"), re.M)]
    drivers = [importlib.import_module(f"fleetcore.power.{name}").DRIVER for name in modules]
    return sorted(drivers, key=lambda driver: (not driver.needs_bmc, driver.order, driver.name))


# -- code --------------------------------------------------------------------------------------------------------------


def _head() -> str:
    """The lines about licence and copyright, as another file of the folder has them."""
    return (POWER / "driver.py").read_text(encoding="utf-8").partition("\n\n")[0]


def _registry(names: list[str]) -> str:
    rows = "".join(f"        {name}.DRIVER,\n" for name in names)
    return f'''{_head()}

"""Lists the power drivers in their order. It is {MARK} --write."""

from __future__ import annotations

from collections.abc import Mapping

from . import {", ".join(sorted(names))}
from .driver import Driver

DRIVERS: Mapping[str, Driver] = {{
    driver.name: driver
    for driver in (
{rows}    )
}}
'''


def _names(bmc: list[str], others: list[str]) -> str:
    return f'''{_head()}

"""Names the power drivers in their order. It is {MARK} --write."""

from __future__ import annotations

from typing import Literal

DriverName = Literal[{_quoted([*bmc, *others])}]

BMC_DRIVERS: tuple[DriverName, ...] = ({_quoted(bmc)})
"""Those that talk to a BMC, and what is tried when none is named."""

POWER_DRIVERS: tuple[DriverName, ...] = (*BMC_DRIVERS, {_quoted(others)})
"""All that a machine may name. Those that don't talk to a BMC can only switch power; other modules pass over them."""
'''


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(json.dumps(name) for name in names)


# -- parts of files ----------------------------------------------------------------------------------------------------


def _marked(text: str, bmc: list[Any], others: list[Any]) -> str:
    """Renew the marked lines and parts of a file."""

    def line(found: re.Match[str]) -> str:
        names = [driver.name for driver in (bmc if "# of BMCs" in found[2] else [*bmc, *others])]
        json_like = '"' in found[1]
        return f"[{_quoted(names) if json_like else ', '.join(names)}]{found[2]}"

    text = re.sub(rf"\[([^\[\]\n]*)\](,? +# (?:of BMCs, )?{MARK})$", line, text, flags=re.MULTILINE)
    rows = "".join(_variable(name, option) for driver in others for name, option in driver.options.items())
    return re.sub(
        rf"(# Drivers that are no BMC, {MARK}\n).*?(?=# End of what is {MARK})",
        lambda found: found[1] + rows + "  ",
        text,
        flags=re.DOTALL,
    )


def _variable(name: str, option: Mapping[str, Any]) -> str:
    """An option of bmc_power, from the inventory variable of its name."""
    given = {inner: value["play"] for inner, value in option.get("options", {}).items() if "play" in value}
    usual = ", ".join(f"'{inner}': {value}" for inner, value in given.items())
    if not usual:
        return f'  {name}: "{{{{ power_{name} | default(omit) }}}}"\n'
    return (
        f"  {name}: >-\n    {{{{ {{{usual}}} | combine(power_{name})\n    if power_{name} is defined else omit }}}}\n"
    )
