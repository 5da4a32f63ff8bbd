# SPDX-License-Identifier: BSD-2-Clause

"""Settings resources (DSP0266, ``@Redfish.Settings``): where a change is written that holds after a restart only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import BadResponse, Unsupported
from .service import Service
from .values import at, link


class Settings:
    """The settings resource of one resource, for one object in it, such as ``Attributes`` of a Bios.

    :param usual: names below the resource where services keep a settings resource that they don't link to.
    :ivar path: where to write; the resource itself where it has no settings resource.
    :ivar separate: there is one: what waits for a restart can be read.
    :ivar apply_time: what to write besides, so that it is applied at the next restart; empty where nobody wants that
        said.
    """

    def __init__(
        self, service: Service, path: str, body: Mapping[str, Any], name: str, usual: Iterable[str] = ()
    ) -> None:
        linked = link(at(body, "@Redfish.Settings.SettingsObject"), path)
        self.path = linked or next((f"{path}/{item}" for item in usual if _is_there(service, f"{path}/{item}")), path)
        times = at(body, "@Redfish.Settings.SupportedApplyTimes")
        self.apply_time: dict[str, Any] = {}
        if isinstance(times, list) and "OnReset" in times:
            kind = "#Settings.v1_3_5.PreferredApplyTime"
            self.apply_time = {"@Redfish.SettingsApplyTime": {"@odata.type": kind, "ApplyTime": "OnReset"}}
        self._service = service
        self.separate = self.path != path
        self._name = name

    def staged(self) -> Mapping[str, Any]:
        """Read what waits for a restart. Some services show everything there, some only what differs."""
        found = at(self._service.find(self.path), self._name) if self.separate else None
        return found if isinstance(found, Mapping) else {}


def _is_there(service: Service, path: str) -> bool:
    try:
        return service.find(path) is not None
    except (BadResponse, Unsupported):
        return False
