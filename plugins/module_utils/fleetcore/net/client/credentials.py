# SPDX-License-Identifier: BSD-2-Clause

"""Credentials: logins that the server keeps, and who read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional
from urllib.parse import quote

from ...errors import InvalidInput
from .base import PAGE, Api, given


class Credentials(Api):
    """``/api/v1/credentials`` and ``/api/v1/audit``"""

    def credentials(self) -> list[dict[str, Any]]:
        """All credentials by name, ``[{"name", "username", "created_at", "updated_at"}]``: never a password."""
        return self._list("GET", "/api/v1/credentials")

    def read_credential(self, name: str) -> dict[str, Any]:
        """Read a login, ``{"name", "username", "password"}``. The server writes down who read it.

        :raises NotFound: there is none.
        :raises PermissionDenied: the token is not of scope runner or admin.
        """
        return self._object("GET", _credential(name))

    def put_credential(self, name: str, username: str, password: str) -> dict[str, Any]:
        """Store a login in place of the one of that name, and return it without its password. ``updated_at`` stays if
        nothing changed.
        """
        return self._object("PUT", _credential(name), {"username": username, "password": password})

    def delete_credential(self, name: str) -> None:
        """Remove a login.

        :raises NotFound: there is none.
        """
        self._send("DELETE", _credential(name))

    def audit(self, subject: Optional[str] = None, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """Who did what to which credential, ``{"at", "actor", "action", "subject"}``, newest first."""
        return self._pages("/api/v1/audit", given(subject=subject), page)


def _credential(name: str) -> str:
    if name in ("", ".", ".."):
        raise InvalidInput(f"name: {name!r} can't be the name of a credential", field="name")
    return f"/api/v1/credentials/{quote(name, safe='')}"
