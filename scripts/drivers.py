# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive files from the power drivers, which describe themselves in plugins/module_utils/fleetcore/power/<name>.py.

They are the registry with its static imports (Ansible ships to a machine only what is imported by name), the names for
those that need no more than names, the documentation fragments, and the defaults of the playbooks. `check_docs.py`
writes and checks them.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))
POWER = ROOT / "plugins" / "module_utils" / "fleetcore" / "power"
FRAGMENTS = ROOT / "plugins" / "doc_fragments"
MARK = "written by scripts/check_docs.py"
"""Ends a line whose list is the names of the drivers; begins and ends a part of a file."""

ATTRIBUTES: Mapping[str, Any] = {
    "platform": {
        "description": "Runs anywhere with a network path to the BMC, usually the controller.",
        "support": "full",
        "platforms": "posix",
    },
}
NOTE = """
The module talks to the BMC and not to the machine's operating system. In a play over the machines themselves use
C(connection: local) and C(gather_facts: false), and set C(ansible_python_interpreter) to C({{ ansible_playbook_python
}}).
"""


def derived() -> dict[Path, str]:
    """Path and content of every file that follows from the drivers."""
    drivers = _drivers()
    bmc = [driver for driver in drivers if driver.needs_bmc]
    others = [driver for driver in drivers if not driver.needs_bmc]
    names = [driver.name for driver in drivers]
    out = {
        POWER / "registry.py": _registry(drivers),
        POWER / "names.py": _names([driver.name for driver in bmc], [driver.name for driver in others]),
        **_fragments(bmc, others, names),
    }
    for path in [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "playbooks").rglob("*.yml")]:
        text = path.read_text(encoding="utf-8")
        if path not in out and MARK in text:
            out[path] = _marked(text, names, others)
    return out


def _drivers() -> list[Any]:
    """The descriptions of all drivers: first those that need a BMC, each kind in its order."""
    modules = [path.stem for path in POWER.glob("*.py") if re.search(r"^DRIVER = ", path.read_text("utf-8"), re.M)]
    drivers = [importlib.import_module(f"fleetcore.power.{name}").DRIVER for name in modules]
    return sorted(drivers, key=lambda driver: (not driver.needs_bmc, driver.order, driver.name))


# -- code --------------------------------------------------------------------------------------------------------------


def _head(path: Path) -> str:
    """The lines about licence and copyright, as another file of the folder has them."""
    return path.read_text(encoding="utf-8").partition("\n\n")[0]


def _registry(drivers: Iterable[Any]) -> str:
    names = [driver.name for driver in drivers]
    rows = "".join(f"        {name}.DRIVER,\n" for name in names)
    return f'''{_head(POWER / "driver.py")}

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
    return f'''{_head(POWER / "driver.py")}

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


# -- documentation -----------------------------------------------------------------------------------------------------


def _fragments(bmc: list[Any], others: list[Any], names: list[str]) -> dict[Path, str]:
    from fleetcore.power import controllers, expected, options, pdu, wake_on_lan  # noqa: PLC0415

    reach = {**options.OPTIONS, **{name: option for driver in bmc for name, option in driver.options.items()}}
    choices = {"choices": names, "default": [driver.name for driver in bmc]}
    reach["drivers"] = {**reach["drivers"], **choices}  # the names in memory may be those of before
    own = {name: option for driver in others for name, option in driver.options.items()}
    address = {**reach["address"], "required": False}
    of_bmc = ", ".join(f"V({driver.name})" for driver in bmc)
    address["description"] = f"{address['description']}\n\nNeeded only by the drivers that talk to a BMC ({of_bmc})."
    parts = {"outlet": pdu.OUTLET, "wake": wake_on_lan.WAKE}
    # What a module with many BMCs says once for all of them.
    parts_of_bmc = {"reach": {name: option for name, option in reach.items() if name != "address"}}
    documents = {
        "bmc": {
            "options": _documented(reach, parts_of_bmc),
            "attributes": {"action_group": _group("bmc"), **ATTRIBUTES},
            "requirements": [driver.requires for driver in bmc if driver.requires],
            "notes": [" ".join(NOTE.split())],
        },
        "acting": {
            "options": _documented(expected.OPTIONS),
            "attributes": {"action_group": _group("bmc", "acting")},
        },
        "power": {
            "options": _documented({"address": address, **own, **controllers.OPTIONS}, parts),
            "attributes": {"action_group": _group("bmc", "acting", "power")},
            "requirements": [driver.requires for driver in others if driver.requires],
        },
    }
    return {
        **{FRAGMENTS / f"{name}.py": _fragment(document) for name, document in documents.items()},
        **{FRAGMENTS / f"{name}.py": _part(options) for name, options in {**parts, **parts_of_bmc}.items()},
    }


GROUPS = {
    "bmc": "the options of the BMC",
    "acting": "the machine that is expected",
    "power": "the drivers that are no BMC",
}


def _group(*names: str) -> dict[str, Any]:
    uses = [f"C(group/baremetal.fleet.{name}) for {GROUPS[name]}" for name in names]
    listed = ", ".join(uses[:-1]) + (" and " if len(uses) > 1 else "") + uses[-1]
    return {
        "description": f"Set options once in C(module_defaults): use {listed}.",
        "support": "full",
        "membership": [f"baremetal.fleet.{name}" for name in names],
    }


def _documented(
    options: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """Options as Ansible's documentation has them; ``@name`` stands for those that a fragment of its own has."""
    out: dict[str, Any] = {}
    for part, inner in parts.items():
        if inner.items() <= options.items():
            out[f"@{part}"] = None
            options = {name: option for name, option in options.items() if name not in inner}
    for name, option in options.items():
        paragraphs = [" ".join(text.split()) for text in inspect.cleandoc(option["description"]).split("\n\n")]
        if "env" in option:
            paragraphs.append(
                f"Without it, the environment variable E({option['env']}) of the host that runs the module is used."
            )
        said: dict[str, Any] = {"description": paragraphs if len(paragraphs) > 1 else paragraphs[0]}
        said.update({word: option[word] for word in ("type", "elements", "required") if word in option})
        for word in ("choices", "default"):
            if word in option:
                said[word] = _Line(option[word]) if isinstance(option[word], list) else option[word]
        if "options" in option:
            said["suboptions"] = _documented(option["options"], parts)
        out[name] = said
    return out


class _Line(list[Any]):
    """A list that stands in one line."""


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, as the documentation of modules has them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Line, lambda dumper, line: dumper.represent_sequence("tag:yaml.org,2002:seq", line, flow_style=True)
)


def _dumped(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=116, allow_unicode=True)


# The annotation keeps yamllint away, which wants one literal.
_JOINED = """DOCUMENTATION: str = (
        {}
    )"""


def _fragment(document: Mapping[str, Any]) -> str:
    """A fragment, which takes the options of parts from their fragments."""
    texts = re.split(r"^( +)'@(\w+)':.*\n", _dumped(document), flags=re.MULTILINE)
    names = texts[2::3]
    imports = "".join(
        f"from ansible_collections.baremetal.fleet.plugins.doc_fragments.{name} import OPTIONS as {name.upper()}\n"
        for name in sorted(names)
    )
    pieces = [f'r"""\n{texts[0]}"""']
    for indent, name, text in zip(texts[1::3], names, texts[3::3], strict=True):
        pieces += [f'textwrap.indent({name.upper()}, "{indent[2:]}")', f'r"""{text}"""']
    return f"""{_head(FRAGMENTS / "server.py")}

# It is {MARK} --write, from what fleetcore/power says of its options.

from __future__ import annotations
{f"{chr(10)}import textwrap{chr(10)}{chr(10)}{imports}" if names else ""}

class ModuleDocFragment:
    {"DOCUMENTATION = " + pieces[0] if not names else _JOINED.format((chr(10) + 8 * " " + "+ ").join(pieces))}
"""


def _part(options: Mapping[str, Any]) -> str:
    """A fragment whose options are a part of another one, too."""
    text = textwrap.indent(_dumped(_documented(options)), "  ")
    return f'''{_head(FRAGMENTS / "server.py")}

# It is {MARK} --write, from what fleetcore/power says of its options.

from __future__ import annotations

OPTIONS = r"""
{text}"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS  # the annotation keeps yamllint, which wants one literal, away
'''


# -- parts of files ----------------------------------------------------------------------------------------------------


def _marked(text: str, names: list[str], others: list[Any]) -> str:
    """Renew the marked lines and parts of a file."""

    def line(found: re.Match[str]) -> str:
        json_like = '"' in found[1]
        return f"[{_quoted(names) if json_like else ', '.join(names)}]{found[2]}"

    text = re.sub(rf"\[([^\[\]\n]*)\](,? +# {MARK})$", line, text, flags=re.MULTILINE)
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
