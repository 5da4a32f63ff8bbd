# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a BMC, and keeps a capture of what it said and a cache of it. Private to this collection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, Optional
from urllib.parse import urlsplit

from .fleetcore.document.model import Device, to_dict
from .fleetcore.document.sections import SECTIONS
from .fleetcore.errors import FleetError
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.files import safe_name, write_private
from .fleetcore.option import Options, option
from .fleetcore.ports import Clock, Plan
from .fleetcore.power.options import BmcOptions, bmc_options
from .fleetcore.redfish.cache import Cache
from .fleetcore.redfish.capture import read as read_capture
from .fleetcore.redfish.record import Record
from .fleetcore.sweep.collect import collect, replay

READING_OPTIONS: Options = {
    "sections": option(
        "list",
        """
            Sections to read. Default is all.

            V(system) and V(power) are always read. V([power]) alone is a cheap check that the BMC answers and the
            login works.
        """,
        elements="str",
        choices=list(SECTIONS),
    ),
    "cache_dir": option(
        "path",
        """
            Directory that keeps, in one file for each BMC, what the BMC said and the ETags of it. The next run asks
            such a BMC whether it has changed, and is not sent again what has not. It saves bytes and the BMC's time,
            not requests.

            Only for BMCs that send ETags, and only for what is not fetched with C($expand). Power state, readings and
            logs are always read anew. A BMC whose ETags don't change when something does gives an old document.

            The files are readable by their owner only. They hold all that the BMC said, nothing is taken out.

            M(baremetal.fleet.bmc_sweep) makes the directory. For M(baremetal.fleet.bmc_info) it must exist; in check
            mode it is used and not written.
        """,
    ),
}
"""Of the modules that read BMCs."""
CAPTURE_OPTIONS: Options = {
    "capture": option(
        "path",
        """
            Write everything that the BMC said to this file, a C(.tar.gz) with a Redfish mockup and a manifest of all
            requests, for O(from_capture), for other tools, or to report a problem. It is written even when the module
            fails, as far as it came.

            Over IPMI it holds each command with its answer.

            Passwords, tokens, keys, community strings and session ids are replaced, user names are hashed. Serial
            numbers, addresses and the texts of log messages stay. See C(docs/capture.md).

            The file is replaced atomically, with mode V(0600). Its folder must exist. Writing it does not count as a
            change.

            With O(sections) it holds those sections only.
        """,
    ),
    "from_capture": option(
        "path",
        """
            Read this capture instead of a BMC. It gives the document that the BMC gave, interpreted by this version of
            the collection.

            It is a file that O(capture) wrote, or any DMTF Redfish mockup, as a directory or C(.tar.gz). One of IPMI
            needs pyghmi.

            Nothing is contacted, and options of the BMC other than O(system) are not used. O(system) and O(sections)
            default to those of the capture.
        """,
    ),
}


def info_plan(params: Mapping[str, Any]) -> Plan:
    """Read the hardware. Check mode reads, too, and writes no capture and no cache."""
    if params["from_capture"]:
        device = replay(read_capture(params["from_capture"]), params["sections"], params["system"])
        return Plan({}, {}, preview=lambda: _found(device), apply=lambda: _found(device))
    options = bmc_options(params)

    def read(**keep: Any) -> Mapping[str, Any]:
        return _found(*asyncio.run(read_bmc(options, SystemClock(), params, **keep)))

    return Plan({}, {}, preview=partial(read, cached=False), apply=partial(read, path=params["capture"]), always=True)


def _found(device: Device, written: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    found = to_dict(device)
    return {"device": found, "attempts": found.get("attempts", []), **(written or {})}


async def read_bmc(
    options: BmcOptions,
    clock: Clock,
    params: Mapping[str, Any],
    *,
    path: Optional[str] = None,
    field: str = "capture",
    pool: Optional[Executor] = None,
    cached: bool = True,
) -> tuple[Device, Mapping[str, Any]]:
    """Read one BMC. Returns the document, and the module's return values about the capture.

    :param params: has ``sections`` and ``cache_dir``.
    :param path: of the capture to write, also when reading fails; ``field`` is the option that asks for it.
    :param pool: threads for IPMI, as of :func:`fleetcore.sweep.collect.collect`.
    :param cached: keep what the BMC said, if there is a folder for it.
    """
    in_thread = partial(asyncio.get_running_loop().run_in_executor, None)
    sections, folder = params["sections"], params["cache_dir"]
    cache = await in_thread(Cache, folder, urlsplit(options.base_url).netloc) if folder else None
    # The password is looked for everywhere; the salt keeps user names from being guessed from their hashes.
    record = Record(secrets=(options.password or "",), salt=os.urandom(16)) if path else None
    facts = {"address": options.host, "system": options.system, "sections": sections}
    try:
        device = await collect(options, clock, sections, pool, record, cache)
    except FleetError as error:
        if path and record:
            await in_thread(_write_capture, path, record, {**facts, "error": error.to_dict()}, field)
        raise
    written: Mapping[str, Any] = {}
    if path and record:
        said = to_dict(device)
        facts.update({name: said.get(name) for name in ("collected_at", "collector", "attempts")})
        written = await in_thread(_write_capture, path, record, facts, field)
    if cache is not None and cached:
        await in_thread(cache.save)
    return device, written


def _write_capture(path: str, record: Record, facts: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Write what was recorded; return the module's return values about it. Nothing to write is a warning."""
    if record.silent:
        return {"warnings": [f"{field}: the BMC said nothing; no {path}"]}
    name = safe_name(os.path.basename(path).split(".tar", maxsplit=1)[0])
    write_private(path, record.pack(name, facts), field=field)
    return {
        "capture": {"path": path, "requests": len(record.requests) + len(record.commands), "redacted": record.redacted}
    }
