# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Settings resources (DSP0266, ``@Redfish.Settings``): where a change is written that holds after a restart only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .service import Service
from .values import at, link


class Settings:
    """The settings resource of one resource, for one object in it, such as ``Attributes`` of a Bios.

    :ivar path: where to write; the resource itself where it has no settings resource.
    :ivar apply_time: what to write besides, so that it is applied at the next restart; empty where nobody wants that
        said.
    """

    def __init__(self, service: Service, path: str, body: Mapping[str, Any], name: str) -> None:
        self.path = link(at(body, "@Redfish.Settings.SettingsObject"), path) or path
        times = at(body, "@Redfish.Settings.SupportedApplyTimes")
        self.apply_time: dict[str, Any] = {}
        if isinstance(times, list) and "OnReset" in times:
            kind = "#Settings.v1_3_5.PreferredApplyTime"
            self.apply_time = {"@Redfish.SettingsApplyTime": {"@odata.type": kind, "ApplyTime": "OnReset"}}
        self._service = service
        self._separate = self.path != path
        self._name = name

    def staged(self) -> Mapping[str, Any]:
        """Read what waits for a restart. Some services show everything there, some only what differs."""
        found = at(self._service.find(self.path), self._name) if self._separate else None
        return found if isinstance(found, Mapping) else {}
