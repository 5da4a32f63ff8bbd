# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``credential``. Private to this collection."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from .fleetcore.errors import InvalidInput, NotFound
from .fleetcore.net.client.credentials import Credentials
from .fleetcore.ports import Plan

ON_CREATE = "on_create"


def plan(client: Credentials, params: Mapping[str, Any]) -> Plan:
    """Store or remove a login of the machine server. Only the server can compare passwords: nobody else may read them.

    :raises InvalidInput: an option is missing or can't be used.
    """
    name = params["name"]
    have = next((item for item in client.credentials() if item["name"] == name), None)
    before = {"name": name, "username": have["username"]} if have else {}
    if params["state"] == "absent":

        def remove() -> Mapping[str, Any]:
            with contextlib.suppress(NotFound):  # somebody was faster
                client.delete_credential(name)
            return {}

        return Plan(before, {}, dict, remove)
    for option in ("username", "password"):
        if not params[option]:
            raise InvalidInput.of(option, "needed to store a login")
    after = {"name": name, "username": params["username"]}
    kept = have is not None and params["update_password"] == ON_CREATE
    if kept and before != after:
        raise InvalidInput.of(
            "username", f"{name} is stored for {before['username']}; another user needs update_password: always"
        )

    def apply() -> Mapping[str, Any]:
        stored = client.put_credential(name, params["username"], params["password"])
        return {"changed": have is None or stored["updated_at"] != have["updated_at"], "credential": stored}

    return Plan(before, after, lambda: {"credential": have or after}, apply, always=not kept)
