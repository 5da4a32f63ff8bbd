# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says options in the words of Ansible's documentation, for the fragments. Private to this collection."""

from __future__ import annotations

import inspect
from typing import Any

import yaml
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.option import Options

_WORDS = ("type", "elements", "required", "choices", "default", "aliases")
_GROUPS = {
    "bmc": "the options of the BMC",
    "acting": "the machine that is expected",
    "power": "the drivers that are no BMC",
    "server": "the machine server",
}


def documentation(options: Options, *groups: str, plugin: bool = False, **more: Any) -> str:
    """Make the text of a fragment.

    :param options: as ``fleetcore/option.py`` has them, and with ``variable``: one of Ansible's, for a plugin.
    :param groups: of ``module_defaults``, for these options.
    :param plugin: it runs where Ansible does, and Ansible looks its environment variables up.
    :param more: other parts of the documentation.
    """
    out: dict[str, Any] = {"options": _documented(options, plugin), **more}
    if groups:
        uses = [f"C(group/baremetal.fleet.{name}) for {_GROUPS[name]}" for name in groups]
        listed = ", ".join(uses[:-1]) + (" and " if len(uses) > 1 else "") + uses[-1]
        out.setdefault("attributes", {})["action_group"] = {
            "description": f"Set options once in C(module_defaults): use {listed}.",
            "support": "full",
            "membership": [f"baremetal.fleet.{name}" for name in groups],
        }
    return str(yaml.safe_dump(out))


def paragraphs(text: str) -> list[str]:
    """Split a text at its blank lines."""
    return [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n")]


def _documented(options: Options, plugin: bool) -> dict[str, Any]:
    """Options as Ansible documents them. What only the module itself needs is left out."""
    out: dict[str, Any] = {}
    for name, option in options.items():
        said = {word: option[word] for word in _WORDS if word in option}
        description = paragraphs(option["description"])
        if plugin:
            names = {"env": option.get("env"), "vars": option.get("variable")}
            said.update({source: [{"name": name}] for source, name in names.items() if name})
        elif "env" in option:
            description.append(
                f"Without it, the environment variable E({option['env']}) of the host that runs the module is used."
            )
        said["description"] = description if len(description) > 1 else description[0]
        if "options" in option:
            said["suboptions"] = _documented(option["options"], plugin)
        out[name] = said
    return out
