# SPDX-License-Identifier: BSD-2-Clause

"""Accounts over Redfish (AccountService, ManagerAccount)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import AuthenticationFailed, InvalidInput, PasswordChangeRequired, Unsupported
from ..power.options import BmcOptions
from ..power.redfish import open_service
from ..redfish.service import Service
from ..redfish.values import integer, link, text

_PROPERTIES = {"role": "RoleId", "enabled": "Enabled", "locked": "Locked"}
_NOT_OFFERED = ("actionnotsupported", "operationnotallowed", "notsupported")


class RedfishAccounts:
    """The accounts of one BMC, see ``account.py``. ``where`` is the path of a ManagerAccount.

    :raises Unsupported: the BMC does not show its accounts (from the constructor).
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.host = service.host
        self.clock = service.clock
        self.to_change: Optional[str] = None
        self._home: Mapping[str, Any] = {}
        self._collection: Optional[str] = None
        self._members: list[tuple[str, Mapping[str, Any]]] = []
        home = link(service.root.get("AccountService")) or "/redfish/v1/AccountService"
        try:
            self._home = service.find(home) or {}
            self._collection = link(self._home.get("Accounts"), home)
        except PasswordChangeRequired as error:
            self.to_change = error.details["account"]
            if self.to_change is None:
                raise
            return
        if self._collection is None:
            raise Unsupported(f"{service.host}: the BMC does not show its accounts")

    def find(self, name: str) -> Optional[tuple[str, Mapping[str, Any]]]:
        if self.to_change is not None:
            body = self.service.find(self.to_change) or {}
            return (self.to_change, _shown(body)) if body.get("UserName") == name else None
        self._members = self.service.members(self._collection)
        return next(((path, _shown(body)) for path, body in self._members if body.get("UserName") == name), None)

    def roles(self) -> list[str]:
        found = self.service.members(link(self._home.get("Roles")))
        return [text(body.get("RoleId")) or text(body.get("Id")) or path.rsplit("/", 1)[-1] for path, body in found]

    def check(self, name: str, password: Optional[str]) -> None:  # noqa: ARG002  (names have no limit that is told)
        low, high = (integer(self._home.get(limit)) for limit in ("MinPasswordLength", "MaxPasswordLength"))
        if password is not None and ((low and len(password) < low) or (high and len(password) > high)):
            raise InvalidInput(
                f"account_password: the BMC takes {low or 0} to {high or 'any number of'} characters",
                field="account_password",
            )

    def create(self, name: str, password: str, role: str, enabled: bool) -> None:
        body = {"UserName": name, "Password": password, "RoleId": role, "Enabled": enabled}
        response = self.service.send("POST", str(self._collection), json.dumps(body).encode())
        if response.status < 300:
            return
        # Some BMCs have a fixed number of accounts: the first empty one is used. The one called 1 is theirs.
        slot = next((path for path, item in self._members if not item.get("UserName") and item.get("Id") != "1"), None)
        words = response.body.decode(errors="replace").lower()
        fixed = response.status in (404, 405, 501) or any(word in words for word in _NOT_OFFERED)
        if not fixed:
            self.service.accepted(response)
        if slot is None:
            raise Unsupported(f"{self.host}: the BMC has no room for another account")
        self.service.patch(slot, body)

    def change(self, where: str, account: Mapping[str, Any]) -> None:
        """Write what is in ``account`` of role, enabled and locked."""
        self.service.patch(where, {_PROPERTIES[name]: value for name, value in account.items()})

    def remove(self, where: str) -> None:
        response = self.service.write("DELETE", where)
        if response.status in (400, 404, 405, 501):  # accounts are fixed slots there, which are emptied
            with contextlib.suppress(Unsupported):
                self.service.patch(where, {"Enabled": False, "UserName": ""})
                return
        self.service.accepted(response)

    def write_password(self, where: str, password: str) -> None:
        self.service.patch(where, {"Password": password})

    def log_in(self, options: BmcOptions) -> bool:
        try:
            open_service(options, self.clock).close()
        except AuthenticationFailed:
            return False
        return True

    def remember(self, password: str) -> None:
        self.service.remember(password)


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    enabled = body.get("Enabled")
    return {
        "name": text(body.get("UserName")),
        "role": text(body.get("RoleId")),
        "enabled": enabled if isinstance(enabled, bool) else None,
        "locked": body.get("Locked") is True,
    }
