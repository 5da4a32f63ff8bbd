# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Accounts of the BMC. A password is changed, tried with a new login, and put back when the new login fails."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Optional

from ..drivers.options import BmcOptions, bmc_options
from ..errors import AuthenticationFailed, FleetError, InvalidInput, NotFound, NotVerified, TransientError, Unsupported
from ..redfish.service import Service
from ..redfish.values import at, integer, link, text
from .base import Change, open_service, read_back, seconds

Found = Optional[tuple[str, Mapping[str, Any]]]


def prepare_account(service: Service, params: Mapping[str, Any]) -> Change:
    """What is to be done to one account.

    :raises InvalidInput: it would lock the caller out, or the password or role can't be.
    """
    return _Account(service, params).change()


class _Account:
    def __init__(self, service: Service, params: Mapping[str, Any]) -> None:
        self.service = service
        self.params = params
        self.name: str = params["name"]
        self.options = bmc_options(params)
        self.own = self.name == self.options.username
        self.new: Optional[str] = params.get("account_password")
        home = link(service.root.get("AccountService")) or "/redfish/v1/AccountService"
        self.home = service.find(home) or {}
        self.collection = link(self.home.get("Accounts"), home)
        if self.collection is None:
            raise Unsupported(f"{service.host}: the BMC does not show its accounts")
        self.accounts = service.members(self.collection)
        self.found: Found = next((item for item in self.accounts if item[1].get("UserName") == self.name), None)

    # -- plan -------------------------------------------------------------------------------------------------------------

    def change(self) -> Change:
        if not self.name.strip():
            raise InvalidInput("name: an empty name is no account", field="name")
        if self.params["state"] == "absent":
            return self._absent()
        self._check()
        have = self.shown(self.found[1]) if self.found else None
        want = self._wanted(have)
        rotate = self._password_differs()
        before: dict[str, Any] = {"account": have}
        after: dict[str, Any] = {"account": {**(have or {}), **want}}
        if rotate:
            before["password"], after["password"] = "(as it is)", "(a new one)"
        todo = {name: value for name, value in want.items() if (have or {}).get(name) != value}
        return Change(before, after, lambda: self._apply(todo, rotate), self._facts(after["account"], rotate, False))

    def _absent(self) -> Change:
        if self.own:
            raise InvalidInput(f"name: {self.name!r} is the account that is logged in; it is not removed", field="name")
        path, body = self.found or ("", None)
        have = {"account": None if body is None else self.shown(body)}

        def apply() -> Mapping[str, Any]:
            response = self.service.send("DELETE", path)
            if response.status >= 400:  # accounts are fixed slots there, which are emptied
                self.service.patch(path, {"Enabled": False, "UserName": ""})
            read_back(
                self.service.clock,
                lambda: (self.service.find(path) or {}).get("UserName"),
                lambda name: name != self.name,
                "the account",
                timeout=seconds(self.params, "verify_timeout"),
            )
            return self._facts(None, False, True)

        return Change(have, {"account": None}, apply, self._facts(None, False, False))

    def _check(self) -> None:
        role = self.params.get("role")
        roles = self.service.members(link(self.home.get("Roles")))
        ids = [text(body.get("RoleId")) or text(body.get("Id")) or path.rsplit("/", 1)[-1] for path, body in roles]
        if role is not None and ids and role not in ids:
            raise InvalidInput(f"role: {role!r} is not one of {', '.join(ids)}", field="role", roles=ids)
        if self.found is None and (self.new is None or role is None):
            raise InvalidInput(
                f"{self.service.host}: there is no account {self.name!r}; to make it, give account_password and role",
                field="account_password",
            )
        if self.own and self.found is not None:
            now = self.shown(self.found[1])
            if self.params.get("enabled") is False or (role is not None and now["role"] not in (None, role)):
                raise InvalidInput(
                    f"name: {self.name!r} is the account that is logged in; it is not disabled and its role is not changed",
                    field="name",
                )
        if self.new is not None:
            low, high = (integer(self.home.get(name)) for name in ("MinPasswordLength", "MaxPasswordLength"))
            if (low and len(self.new) < low) or (high and len(self.new) > high):
                raise InvalidInput(
                    f"account_password: the BMC takes {low or 0} to {high or 'any number of'} characters",
                    field="account_password",
                )

    def _wanted(self, have: Optional[Mapping[str, Any]]) -> dict[str, Any]:
        want: dict[str, Any] = {"name": self.name}
        if self.params.get("role") is not None:
            want["role"] = self.params["role"]
        if self.params.get("enabled") is not None or have is None:
            want["enabled"] = self.params.get("enabled") is not False
        if have is not None and have["locked"]:
            want["locked"] = False
        return want

    def _password_differs(self) -> bool:
        """Whether the password has to be written: one login with it, and only one, because logins that fail count."""
        always = self.params["update_password"] == "always"  # noqa: S105  (a choice)
        if self.new is None or self.found is None or not always:
            return self.found is None
        if self.own:
            return self.new != self.options.password
        if at(self.found[1], "Enabled") is False or at(self.found[1], "Locked") is True:
            return True  # no login would work
        return not self._login_works(self.new)

    # -- apply ------------------------------------------------------------------------------------------------------------

    def _apply(self, todo: Mapping[str, Any], rotate: bool) -> Mapping[str, Any]:
        if self.found is None:
            self._create()
        else:
            path = self.found[0]
            names = {"role": "RoleId", "enabled": "Enabled", "locked": "Locked"}
            changes = {names[name]: value for name, value in todo.items() if name in names}
            if changes:
                self.service.patch(path, changes)
            if rotate and self.new is not None:
                self._rotate(path, self.new)
        account = read_back(
            self.service.clock,
            self._read,
            lambda found: bool(found) and all(found[name] == value for name, value in todo.items()),
            "the account",
            timeout=seconds(self.params, "verify_timeout"),
        )
        if self.found is None and self.new is not None and account.get("enabled"):
            self._must_work(self.new, "the account was made, and its login does not work")
        return self._facts(account, rotate, True)

    def _create(self) -> None:
        body = {
            "UserName": self.name,
            "Password": self.new,
            "RoleId": self.params["role"],
            "Enabled": self.params.get("enabled") is not False,
        }
        response = self.service.send("POST", str(self.collection), json.dumps(body).encode())
        if response.status < 300:
            return
        # Some BMCs have a fixed number of accounts: the first empty one is used. The one called 1 is theirs.
        slot = next((path for path, item in self.accounts if not item.get("UserName") and item.get("Id") != "1"), None)
        if response.status not in (404, 405, 501) or slot is None:
            self.service.accepted(response)
            raise Unsupported(f"{self.service.host}: the BMC has no room for another account")
        self.service.patch(slot, body)

    def _rotate(self, path: str, new: str) -> None:
        """Change, try, and put back: the session that is open now stays usable until the new password was seen to work."""
        old = self.options.password if self.own else self.params.get("current_password")
        failure: Optional[FleetError] = None
        try:
            self.service.patch(path, {"Password": new})
        except TransientError as error:
            failure = error  # it may have happened
        try:
            self._must_work(new, "the BMC accepted the new password, and a login with it does not work")
        except FleetError as error:
            failure = failure or error
        else:
            return
        failure.details["restored"] = self._restore(path, old)
        words = {
            True: "The old password was put back and works",
            False: "THE OLD PASSWORD COULD NOT BE PUT BACK: log in with either and check",
            None: "The old password is not known and was not put back; this login still works",
        }[failure.details["restored"]]
        failure.message = f"{failure.message}. {words}"
        failure.args = (failure.message,)
        raise failure

    def _restore(self, path: str, old: Optional[str]) -> Optional[bool]:
        if old is None:
            return None
        with contextlib.suppress(FleetError):  # perhaps it never changed: the login tells
            self.service.patch(path, {"Password": old})
        try:
            return self._login_works(old)
        except FleetError:
            return False

    def _must_work(self, password: str, words: str) -> None:
        """A login of its own, some seconds later again: BMCs take a while until a new password counts."""
        for pause in (1.0, 5.0, 0.0):
            if self._login_works(password):
                return
            if pause:
                self.service.clock.sleep(pause if seconds(self.params, "verify_timeout") >= 10 else 0.1)
        raise NotVerified(f"{self.service.host}: {words}", account=self.name)

    def _login_works(self, password: str) -> bool:
        options: BmcOptions = dataclasses.replace(self.options, username=self.name, password=password)
        try:
            open_service(options, self.service.clock).close()
        except AuthenticationFailed:
            return False
        return True

    # -- read -------------------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, Any]:
        for _path, body in self.service.members(self.collection):
            if body.get("UserName") == self.name:
                return self.shown(body)
        raise NotFound(f"{self.service.host}: the account {self.name!r} is not there", account=self.name)

    @staticmethod
    def shown(body: Mapping[str, Any]) -> dict[str, Any]:
        enabled = body.get("Enabled")
        return {
            "name": text(body.get("UserName")),
            "role": text(body.get("RoleId")),
            "enabled": enabled if isinstance(enabled, bool) else None,
            "locked": body.get("Locked") is True,
        }

    def _facts(self, account: Optional[Mapping[str, Any]], rotate: bool, done: bool) -> dict[str, Any]:
        changed = rotate and self.new is not None
        return {"account": account, "password": {"changed": changed, "verified": changed and done}}
