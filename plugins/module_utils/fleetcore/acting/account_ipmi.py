# SPDX-License-Identifier: BSD-2-Clause

"""Accounts over IPMI (IPMI 2.0, 22.26 to 22.30): numbered slots with a name, a password and a privilege."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import AuthenticationFailed, FleetError, InvalidInput, Unsupported
from ..ipmi.session import Session as Ipmi
from ..power.ipmi import open_session
from ..power.options import BmcOptions

_APP = 6
_SET_ACCESS, _GET_ACCESS, _SET_NAME, _GET_NAME, _SET_PASSWORD = 0x43, 0x44, 0x45, 0x46, 0x47
_DISABLE, _ENABLE, _SET = 0, 1, 2  # operations of Set User Password
_THIS_CHANNEL = 0x0E
_NO_ACCESS = 0x0F
# Redfish's names, which every BMC with both shows for these privileges.
_ROLES = {"ReadOnly": 2, "Operator": 3, "Administrator": 4}
_NAME_BYTES, _SHORT, _LONG = 16, 16, 20
_FIRST_FREE = 2  # number 1 is the account without a name


class IpmiAccounts:
    """The accounts of one BMC, see ``account.py``. ``where`` is the number of the slot.

    IPMI does not tell whether an account is locked. Its Test Password is not used: some BMCs say yes to anything.
    """

    to_change: Optional[str] = None

    def __init__(self, ipmi: Ipmi) -> None:
        self.ipmi = ipmi
        self.host = ipmi.host
        self.clock = ipmi.clock
        self._names: dict[int, Optional[str]] = {}

    def find(self, name: str) -> Optional[tuple[str, Mapping[str, Any]]]:
        slot = self._slot(name)
        if slot is None:
            return None
        _count, flags, access = self._access(slot)
        enabled = {1: True, 2: False}.get(flags >> 6, True) and bool(access & 0x10)  # may send IPMI messages
        role = next((role for role, level in _ROLES.items() if level == access & 0x0F), None)
        return str(slot), {"name": name, "role": role, "enabled": enabled, "locked": None}

    def roles(self) -> list[str]:
        return list(_ROLES)

    def check(self, name: str, password: Optional[str]) -> None:
        if len(name.encode()) > _NAME_BYTES or not name.isascii():
            raise InvalidInput(f"name: IPMI takes at most {_NAME_BYTES} characters of ASCII", field="name")
        if password is not None and (not 0 < len(password.encode()) <= _LONG or "\0" in password):
            raise InvalidInput(
                f"account_password: IPMI takes 1 to {_LONG} bytes, and some BMCs not more than {_SHORT}; this one has "
                f"{len(password.encode())}",
                field="account_password",
            )

    def create(self, name: str, password: str, role: str, enabled: bool) -> None:
        slot = self._slot("")
        if slot is None:
            raise Unsupported(f"{self.host}: IPMI: the BMC has no room for another account")
        where = str(slot)
        try:
            self._put_name(slot, name)
            self.write_password(where, password)
            self.change(where, {"role": role, "enabled": enabled})
        except FleetError:
            with contextlib.suppress(FleetError):
                self.remove(where)
            raise

    def change(self, where: str, account: Mapping[str, Any]) -> None:
        """Write what is in ``account`` of role and enabled."""
        slot = int(where)
        _count, _flags, access = self._access(slot)
        role, enabled = account.get("role"), account.get("enabled")
        level = access & 0x0F if role is None else _ROLES[role]
        messages = bool(access & 0x10) if enabled is None else enabled
        self._put_access(slot, level, messages)
        if enabled is not None:
            self._switch(slot, _ENABLE if enabled else _DISABLE)

    def remove(self, where: str) -> None:
        slot = int(where)
        self._switch(slot, _DISABLE)
        self._put_access(slot, _NO_ACCESS, False)
        self._put_name(slot, "")

    def write_password(self, where: str, password: str) -> None:
        data = password.encode()
        size, flag = (_SHORT, 0) if len(data) <= _SHORT else (_LONG, 0x80)
        try:
            self._operate(int(where) | flag, _SET, data.ljust(size, b"\0"))
        except FleetError as error:
            if flag:
                error.message = (
                    f"{error.message}; it may take not more than {_SHORT} bytes, and the password has {len(data)}"
                )
            raise

    def log_in(self, options: BmcOptions) -> bool:
        connection = open_session(options, self.clock)
        try:
            connection.raw(netfn=0, command=1)  # Get Chassis Status
        except AuthenticationFailed:
            return False
        finally:
            connection.close()
        return True

    def remember(self, password: str) -> None:
        self.ipmi.remember(password)

    # -- commands -----------------------------------------------------------------------------------------------------

    def _slot(self, name: str) -> Optional[int]:
        """Number of the slot with this name; of the first empty one for an empty name.

        Each is read once, and the one that is found anew.
        """
        slot = next((slot for slot, known in self._names.items() if known == name), None)
        if slot is not None:
            self._names[slot] = self._name(slot)
            return slot if self._names[slot] == name else None
        for slot in range(_FIRST_FREE + len(self._names), self._access(1)[0] + 1):
            self._names[slot] = self._name(slot)
            if self._names[slot] == name:
                return slot
        return None

    def _name(self, slot: int) -> Optional[str]:
        """None of a slot that the BMC keeps to itself."""
        try:
            data = self.ipmi.raw(netfn=_APP, command=_GET_NAME, data=[slot])
        except Unsupported:
            return None
        return bytes(data).split(b"\0")[0].decode("ascii", "replace").strip("\xff ")

    def _access(self, slot: int) -> tuple[int, int, int]:
        """Number of slots, the byte with the state of this one, and the byte with its access."""
        data = self.ipmi.raw(netfn=_APP, command=_GET_ACCESS, data=[_THIS_CHANNEL, slot])
        if len(data) < 4:
            raise Unsupported(f"{self.host}: IPMI: the BMC does not show its accounts")
        return data[0] & 0x3F, data[1], data[3]

    def _put_name(self, slot: int, name: str) -> None:
        self.ipmi.raw(netfn=_APP, command=_SET_NAME, data=[slot, *name.encode().ljust(_NAME_BYTES, b"\0")])
        self._names[slot] = name

    def _put_access(self, slot: int, level: int, messages: bool) -> None:
        flags = 0x80 | (0x30 if messages else 0) | _THIS_CHANNEL
        self.ipmi.raw(netfn=_APP, command=_SET_ACCESS, data=[flags, slot, level, 0])

    def _switch(self, slot: int, operation: int) -> None:
        with contextlib.suppress(Unsupported):  # so some BMCs call what is so already; reading back tells
            self._operate(slot, operation)

    def _operate(self, slot: int, operation: int, password: bytes = b"") -> None:
        self.ipmi.raw(netfn=_APP, command=_SET_PASSWORD, data=[slot, operation, *password])
