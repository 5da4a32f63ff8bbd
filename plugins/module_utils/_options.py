# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes an argument specification of options that hold their documentation. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback

from .fleetcore.power.driver import Options


def argument_spec(options: Options) -> dict[str, Any]:
    """Leave out what only the documentation says, and put the fallback to environment variables in."""
    spec: dict[str, Any] = {}
    for name, option in options.items():
        spec[name] = {word: value for word, value in option.items() if word not in ("description", "env", "play")}
        if "env" in option:
            spec[name]["fallback"] = (env_fallback, [option["env"]])
        if "options" in option:
            spec[name]["options"] = argument_spec(option["options"])
    return spec
