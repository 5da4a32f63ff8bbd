# SPDX-License-Identifier: BSD-2-Clause

"""The inventory: hosts with their variables and groups, as the inventory plugin reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .base import Api, place, with_query


@dataclass(frozen=True)
class Inventory:
    """The answer to one question; ``data`` is None when the server's state is still the one of ``etag``."""

    etag: Optional[str]
    data: Optional[dict[str, Any]]


class Inventories(Api):
    """``/api/v1/inventory``"""

    def inventory(
        self,
        site: Optional[str] = None,
        rack: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        etag: Optional[str] = None,
    ) -> Inventory:
        """Hosts with their variables and groups, ``{"hosts": {id: {...}}, "groups": {name: {"hosts": [...]}}}``.

        :param etag: of an earlier answer to the same question; the same state then costs no body.
        """
        path = with_query("/api/v1/inventory", place(site, rack, labels))
        response = self._exchange("GET", path, None, {"If-None-Match": etag} if etag else {}, True)
        if response.status == 304:
            return Inventory(etag, None)
        data = self._decode(response, path)
        if not _is_inventory(data):
            raise self._not_ours(path, "hosts and groups")
        return Inventory(response.headers.get("etag"), data)


def _is_inventory(data: Any) -> bool:
    hosts, groups = (data.get("hosts"), data.get("groups")) if isinstance(data, dict) else (None, None)
    if not isinstance(hosts, dict) or not isinstance(groups, dict):
        return False
    if not all(name and isinstance(variables, dict) for name, variables in hosts.items()):
        return False
    members = [group.get("hosts") if isinstance(group, dict) else None for group in groups.values()]
    return all(groups) and all(isinstance(names, list) and all(name in hosts for name in names) for names in members)
