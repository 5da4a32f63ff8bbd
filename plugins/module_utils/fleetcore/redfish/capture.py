# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Replay: a recorded Redfish tree as a transport. The layout is DMTF's mockup: ``redfish/v1/.../index.json``."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from typing import Optional
from urllib.parse import unquote

from ..errors import InvalidInput
from ..model import Device, Verdict
from ..ports import HttpResponse
from .interpret import interpret
from .session import outcome_of
from .walker import Limits, Outcome, Walker


def load(path: str) -> dict[str, bytes]:
    """Bodies by resource path of a mockup directory or of a tar archive of one.

    :raises InvalidInput: no ``redfish/v1/index.json`` in it.
    """
    bodies: dict[str, bytes] = {}
    if os.path.isdir(path):
        for folder, _folders, files in os.walk(path):
            if "index.json" in files:
                with open(os.path.join(folder, "index.json"), "rb") as handle:
                    bodies[_resource(folder)] = handle.read()
    elif os.path.isfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and os.path.basename(member.name) == "index.json":
                    bodies[_resource(os.path.dirname(member.name))] = content.read()
    if "/redfish/v1" not in bodies:
        raise InvalidInput(f"{path}: no Redfish mockup (redfish/v1/index.json) here")
    return bodies


def _resource(folder: str) -> str:
    unix = "/" + folder.replace(os.sep, "/").strip("/")
    index = unix.find("/redfish/v1")
    return unix[index:] if index >= 0 else unix


def from_capture(bodies: Mapping[str, bytes], system: Optional[str] = None, limits: Optional[Limits] = None) -> Device:
    """The device document of a recorded tree.

    :raises FleetError: as :func:`collector.collect`: no or several systems.
    """
    walker = Walker(None, system, limits)
    lower = {path.lower(): path for path in bodies}
    while not walker.done:
        for want in walker.wants():
            walker.took(want, _answer(bodies, lower, want.path))
    if walker.problem is not None:
        raise walker.problem
    return interpret(walker.tree, walker.coverage())


def _answer(bodies: Mapping[str, bytes], lower: Mapping[str, str], path: str) -> Outcome:
    found = bodies.get(path) or bodies.get(unquote(path)) or bodies.get(lower.get(path.lower(), ""))
    if found is None:
        return Outcome(Verdict.ABSENT, reason="not in the capture", status=404)
    return outcome_of(HttpResponse(200, {}, found))
