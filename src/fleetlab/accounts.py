# SPDX-License-Identifier: BSD-2-Clause
"""Accounts of a virtual BMC: who may log in with which password."""

from __future__ import annotations

from collections.abc import Callable

from fleetlab.identity import Identity
from fleetlab.replies import Refused, Reply, missing, reply
from fleetlab.sessions import Access
from fleetlab.state import State
from fleetlab.tree import ROOT, Resource, link, members


class Accounts:
    """The collection of accounts, kept in step with what logs in.

    :param show: the resource at a path as a client sees it, or None.
    """

    def __init__(
        self, state: State, access: Access, identity: Identity, show: Callable[[str], Resource | None]
    ) -> None:
        self._state = state
        self._access = access
        self._identity = identity
        self._show = show
        service = state.follow(state.get(ROOT), "AccountService") or {}
        self.path = link(service.get("Accounts"))
        self._passwords: dict[str, str] = {}

    def change(self, resource: Resource, changes: Resource) -> None:
        """When this was the resource of an account, it logs in with the new name and password, or no longer."""
        if "ManagerAccount." not in str(resource.get("@odata.type")):
            return
        path = resource["@odata.id"]
        if "Password" in changes:
            self._state.update(path, {"Password": None})
        name = self._identity.fill_in(str(resource.get("UserName", "")).encode()).decode()
        now = self._show(path) or {}
        if name == self._access.username:
            self._access.username = str(changes.get("UserName", self._access.username))
            self._access.password = str(changes.get("Password", self._access.password))
            return
        password = str(changes.get("Password", self._passwords.get(path, "")))
        self._passwords[path] = password
        self._access.others.pop(name, None)
        if now.get("Enabled") and not now.get("Locked") and now.get("UserName"):
            self._access.others[str(now["UserName"])] = password

    def add(self, body: Resource) -> Reply:
        for needed in ("UserName", "Password", "RoleId"):
            if not body.get(needed):
                text = f"The create operation failed because the required property {needed} was missing."
                raise Refused(400, "CreateFailedMissingReqProperties", text, needed)
        number = max((int(item.rpartition("/")[2]) for item in members(self._state.get(self.path))), default=0) + 1
        path = f"{self.path}/{number}"
        made = {
            "@odata.id": path,
            "@odata.type": "#ManagerAccount.v1_12_1.ManagerAccount",
            "Id": str(number),
            "Name": "User Account",
            "Enabled": True,
            "Locked": False,
            **body,
        }
        self._state.add_member(self.path, made)
        self.change(made, body)
        return reply(201, self._show(path), Location=path)

    def remove(self, path: str) -> Reply:
        account = self._show(path)
        if account is None:
            raise missing(path)
        if account.get("UserName") == self._access.username:
            raise Refused(400, "ResourceCannotBeDeleted", "This account can't be deleted.")
        self._access.others.pop(str(account.get("UserName")), None)
        self._state.remove_member(self.path, path)
        return Reply(204)
