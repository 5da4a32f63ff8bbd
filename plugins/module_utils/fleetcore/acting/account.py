# SPDX-License-Identifier: BSD-2-Clause

"""One account of the BMC, or its password: made, changed, removed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from ..errors import FleetError, InvalidInput
from ..ipmi.session import Session as Ipmi
from ..option import Options, option
from ..ports import Plan
from ..power.options import bmc_options, seconds
from ..redfish.service import Service
from .account_ipmi import IpmiAccounts
from .account_password import Rotation
from .account_redfish import RedfishAccounts
from .base import Change, reach

Right = Callable[[Optional[Mapping[str, Any]]], bool]
"""Tells whether an account is as it is to be; it is told None where there is none."""


Accounts = Union[RedfishAccounts, IpmiAccounts]
"""The accounts of one BMC.

An account is shown as ``{"name", "role", "enabled", "locked"}``; what the BMC does not tell is None. ``where`` is how
the BMC names it. ``to_change`` is the account whose password the BMC wants changed before it lets in: nothing else can
be read then.
"""


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for an account over Redfish.

    :raises InvalidInput: it would lock the caller out, or the password or role can't be.
    """
    return _Account(RedfishAccounts(service), params).plan()


def plan_ipmi(ipmi: Ipmi, params: Mapping[str, Any]) -> Plan:
    """Plan for an account over IPMI; errors as of :func:`plan_redfish`."""
    return _Account(IpmiAccounts(ipmi), params).plan()


class _Account:
    def __init__(self, accounts: Accounts, params: Mapping[str, Any]) -> None:
        self.accounts = accounts
        self.params = params
        self.name: str = params["name"]
        self.options = bmc_options(params)
        self.own = self.name == self.options.username
        self.new: Optional[str] = params.get("account_password")
        self.found = accounts.find(self.name) if self.name.strip() else None

    # -- plan ---------------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        if not self.name.strip():
            raise InvalidInput.of("name", "an empty name is no account")
        if self.accounts.to_change is not None and not (self.own and self.new):
            raise InvalidInput(
                f"{self.accounts.host}: the BMC lets {self.options.username!r} do nothing before its password is "
                "changed: give this name and account_password",
                field="account_password",
            )
        if self.params["state"] == "absent":
            return self._absent()
        self._check()
        have = self.found[1] if self.found else None
        want = self._wanted(have)
        rotate = self._password_differs()
        before: dict[str, Any] = {"account": have}
        after: dict[str, Any] = {"account": {**(have or {}), **want}}
        if rotate:
            before["password"], after["password"] = "(as it is)", "(a new one)"
        todo = {name: value for name, value in want.items() if (have or {}).get(name) != value}
        facts = self._facts(after["account"], rotate, False)
        return Plan(before, after, lambda: facts, lambda: self._apply(todo, rotate))

    def _absent(self) -> Plan:
        if self.own:
            raise InvalidInput.of("name", f"{self.name!r} is the account that is logged in; it is not removed")
        where, have = self.found or ("", None)

        def apply() -> Mapping[str, Any]:
            self._reach(lambda: self.accounts.remove(where), lambda found: found is None)
            return self._facts(None, False, True)

        return Plan({"account": have}, {"account": None}, lambda: self._facts(None, False, False), apply)

    def _check(self) -> None:
        role = self.params.get("role")
        roles = self.accounts.roles()
        if role is not None and roles and role not in roles:
            raise InvalidInput(f"role: {role!r} is not one of {', '.join(roles)}", field="role", roles=roles)
        if self.found is None and (self.new is None or role is None):
            raise InvalidInput(
                f"{self.accounts.host}: there is no account {self.name!r}; to make it, give account_password and role",
                field="account_password",
            )
        if self.own and self.found is not None:
            now = self.found[1]
            if self.params.get("enabled") is False or (role is not None and now["role"] not in (None, role)):
                raise InvalidInput.of(
                    "name",
                    f"{self.name!r} is the account that is logged in; it is not disabled and its role is not changed",
                )
        self.accounts.check(self.name, self.new)

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
        if self.found[1]["enabled"] is False or self.found[1]["locked"]:
            return True  # no login would work
        return not self._login_works(self.new)

    # -- apply --------------------------------------------------------------------------------------------------------

    def _apply(self, todo: Mapping[str, Any], rotate: bool) -> Mapping[str, Any]:
        def right(found: Optional[Mapping[str, Any]]) -> bool:
            return found is not None and all(found[name] == value for name, value in todo.items())

        if self.found is None:
            enabled = self.params.get("enabled") is not False
            self._reach(lambda: self.accounts.create(self.name, str(self.new), self.params["role"], enabled), right)
        else:
            self._change_existing(self.found[0], todo, rotate, right)
        if self.accounts.to_change is not None and self.found is not None:
            return self._facts(self.found[1], rotate, True)  # this login stays shut out; the new one was tried
        account = self._reach(lambda: None, right) or {}  # once more: the password came last
        if self.found is None and self.new is not None and account.get("enabled") is not False:
            self._rotation().must_work(self.new, "the account was made, and its login does not work")
        return self._facts(account, rotate, True)

    def _change_existing(self, where: str, todo: Mapping[str, Any], rotate: bool, right: Right) -> None:
        changes = {name: value for name, value in todo.items() if name != "name"}
        if changes:
            self._reach(lambda: self.accounts.change(where, changes), right)
        if rotate and self.new is not None:
            old = self.options.password if self.own else self.params.get("current_password")
            self._rotation(where).run(self.new, old)
            if self.own:
                self.accounts.remember(self.new)

    def _rotation(self, where: str = "") -> Rotation:
        """The connection that is open now stays usable until the new password was seen to work."""
        patience = seconds(self.params, "verify_timeout")
        return Rotation(
            self.accounts.host,
            self.name,
            self.accounts.clock,
            write=lambda password: self.accounts.write_password(where, password),
            log_in=self._login_works,
            unlock=self._unlock,
            pause=min(5.0, patience / 5),
            patience=10 * patience,
        )

    def _unlock(self) -> None:
        """Others who still use the old password may have locked the account meanwhile."""
        with contextlib.suppress(FleetError):
            found = self.accounts.find(self.name)
            if found is not None and found[1]["locked"]:
                self.accounts.change(found[0], {"locked": False})

    def _login_works(self, password: str) -> bool:
        return self.accounts.log_in(self.options.as_user(self.name, password))

    # -- read ---------------------------------------------------------------------------------------------------------

    def _reach(self, write: Callable[[], None], good: Right) -> Optional[Mapping[str, Any]]:
        """Write, then read the account until it is ``good``; None: there is none."""

        def read() -> Optional[Mapping[str, Any]]:
            found = self.accounts.find(self.name)
            return found[1] if found else None

        return reach(self.accounts.clock, self.params, write, read, good, f"the account {self.name!r}")

    def _facts(self, account: Optional[Mapping[str, Any]], rotate: bool, done: bool) -> dict[str, Any]:
        changed = rotate and self.new is not None
        return {"account": account, "password": {"changed": changed, "verified": changed and done}}


OPTIONS: Options = {
    "name": option("str", "Name of the account.", required=True),
    "state": option("str", "Whether the account exists.", choices=["present", "absent"], default="present"),
    "account_password": option(
        "str",
        """
            Password that the account is to have. Required for a new account.

            The password of another account than O(username) is looked at by one login with it. BMCs count logins that
            fail.
        """,
        no_log=True,
    ),
    "current_password": option(
        "str",
        "Password that another account than O(username) has now, to be put back when the new one does not work.",
        no_log=True,
    ),
    "update_password": option(
        "str",
        "With V(on_create) the password of an account that exists is left as it is.",
        choices=["always", "on_create"],
        default="always",
        no_log=False,
    ),
    "role": option(
        "str",
        "Role of the account, for example V(Administrator), V(Operator) or V(ReadOnly). Required for a new account.",
    ),
    "enabled": option("bool", "Whether the account can log in. A new one can by default."),
    "verify_timeout": option("float", "Seconds that the BMC has to show the change.", default=30),
}

CHANGE = Change("accounts", OPTIONS, plan_redfish, plan_ipmi)
