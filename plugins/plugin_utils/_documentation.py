# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says options in the words of Ansible's documentation, for the fragments. Private to this collection."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import yaml

_GROUPS = {
    "bmc": "the options of the BMC",
    "acting": "the machine that is expected",
    "power": "the drivers that are no BMC",
}


def documentation(options: Mapping[str, Any], *groups: str, **more: Any) -> str:
    """Make the text of a fragment.

    :param options: as ``fleetcore/power/driver.py`` has them.
    :param groups: of ``module_defaults``, for these options.
    :param more: other parts of the documentation.
    """
    out: dict[str, Any] = {"options": _documented(options), **more}
    if groups:
        uses = [f"C(group/baremetal.fleet.{name}) for {_GROUPS[name]}" for name in groups]
        listed = ", ".join(uses[:-1]) + (" and " if len(uses) > 1 else "") + uses[-1]
        out.setdefault("attributes", {})["action_group"] = {
            "description": f"Set options once in C(module_defaults): use {listed}.",
            "support": "full",
            "membership": [f"baremetal.fleet.{name}" for name in groups],
        }
    return str(yaml.safe_dump(out))


def _documented(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as Ansible documents them. What only the module itself needs is left out."""
    out: dict[str, Any] = {}
    for name, option in options.items():
        said = {word: option[word] for word in ("type", "elements", "required", "choices", "default") if word in option}
        paragraphs = [" ".join(text.split()) for text in inspect.cleandoc(option["description"]).split("\n\n")]
        if "env" in option:
            paragraphs.append(
                f"Without it, the environment variable E({option['env']}) of the host that runs the module is used."
            )
        said["description"] = paragraphs if len(paragraphs) > 1 else paragraphs[0]
        if "options" in option:
            said["suboptions"] = _documented(option["options"])
        out[name] = said
    return out
