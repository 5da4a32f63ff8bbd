# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a BMC for ``bmc_info``, and keeps captures of what it said. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from .fleetcore.document.model import to_dict
from .fleetcore.errors import FleetError
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.files import safe_name, write_private
from .fleetcore.ports import Plan
from .fleetcore.power.options import BmcOptions, bmc_options
from .fleetcore.redfish.cache import Cache
from .fleetcore.redfish.capture import Record
from .fleetcore.redfish.capture import read as read_capture
from .fleetcore.sweep.collect import collect, replay


def info_plan(params: Mapping[str, Any]) -> Plan:
    """Read the hardware. Check mode reads, too, and writes no capture and no cache."""
    if params.get("from_capture"):
        recording = read_capture(params["from_capture"])
        old = to_dict(replay(recording, params.get("sections"), params.get("system")))
        found = {"device": old, "attempts": old.get("attempts", [])}
        return Plan(before={}, after={}, preview=lambda: found, apply=lambda: found)
    options = bmc_options(params)
    path = params.get("capture")
    record = new_record(options) if path else None
    cache = cache_of(params, options)

    def collected() -> dict[str, Any]:
        return to_dict(collect(options, SystemClock(), params.get("sections"), record, cache))

    def preview() -> Mapping[str, Any]:
        device = collected()
        return {"device": device, "attempts": device.get("attempts", [])}

    def apply() -> Mapping[str, Any]:
        result = read()
        if cache is not None:
            cache.save()
        return result

    def read() -> Mapping[str, Any]:
        if not path or record is None:
            return preview()
        facts = capture_facts(options, params.get("sections"))
        try:
            found = collected()
        except FleetError as error:
            write_capture(path, record, {**facts, "error": error.to_dict()})
            raise
        written = write_capture(path, record, {**facts, **document_facts(found)})
        return {"device": found, "attempts": found.get("attempts", []), **written}

    return Plan(before={}, after={}, preview=preview, apply=apply, always=True)


def cache_of(params: Mapping[str, Any], options: BmcOptions) -> Optional[Cache]:
    """Open the cache of what the BMC said before, if there is a folder for it."""
    folder = params.get("cache_dir")
    return Cache(folder, urlsplit(options.base_url).netloc) if folder else None


def new_record(options: BmcOptions) -> Record:
    """Make a record for one BMC.

    The password is looked for everywhere; the salt keeps user names from being guessed from their hashes.
    """
    return Record(secrets=(options.password or "",), salt=os.urandom(16))


def capture_facts(options: BmcOptions, sections: Optional[list[str]]) -> dict[str, Any]:
    """Say what a capture keeps of the question."""
    return {"address": options.host, "system": options.system, "sections": sections}


def document_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a capture keeps of the document that was made of it."""
    return {name: document.get(name) for name in ("collected_at", "collector", "attempts")}


def write_capture(path: str, record: Record, facts: Mapping[str, Any], field: str = "capture") -> Mapping[str, Any]:
    """Write what was recorded; return the module's return values about it. Nothing to write is a warning."""
    if record.silent:
        return {"warnings": [f"{field}: the BMC said nothing; no {path}"]}
    name = safe_name(os.path.basename(path).split(".tar", maxsplit=1)[0])
    write_private(path, record.pack(name, facts), field=field)
    return {
        "capture": {"path": path, "requests": len(record.requests) + len(record.commands), "redacted": record.redacted}
    }
