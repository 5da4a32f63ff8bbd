# SPDX-License-Identifier: BSD-2-Clause

"""Machines: what the server knows of each, apart from its device documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .base import PAGE, Api, given, machine_path, place


class Machines(Api):
    """``/api/v1/machines``"""

    def machines(
        self,
        site: Optional[str] = None,
        rack: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        q: Optional[str] = None,
        page: int = PAGE,
    ) -> Iterator[dict[str, Any]]:
        """All machines that match every filter, fetched page by page as the iterator goes on."""
        return self._pages("/api/v1/machines", place(site, rack, labels) + given(q=q), page)

    def machine(self, machine: str) -> dict[str, Any]:
        """:raises NotFound: no such machine."""
        return self._object("GET", machine_path(machine))

    def create_machine(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Create ``{"id", "labels", "site", "rack", "position", "bmc"}`` and return it as the server has it.

        :raises ConflictError: the id is taken.
        """
        return self._object("POST", "/api/v1/machines", dict(machine))

    def patch_machine(self, machine: str, patch: Mapping[str, Any], version: Optional[int] = None) -> dict[str, Any]:
        """Apply a JSON merge patch (null removes) and return the machine.

        :param version: the ``version`` that the patch was made for; the server refuses it for any other.
        :raises ConflictError: somebody changed the machine since ``version``.
        """
        return self._object("PATCH", machine_path(machine), dict(patch), headers=_if_match(version))

    def delete_machine(self, machine: str, version: Optional[int] = None) -> None:
        """:raises NotFound: no such machine; also when a first attempt deleted it and its answer was lost."""
        self._send("DELETE", machine_path(machine), headers=_if_match(version))


def _if_match(version: Optional[int]) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
