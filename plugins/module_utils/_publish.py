# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``device_publish``. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from ._server import if_there
from .fleetcore.document.model import device_from_dict, to_dict
from .fleetcore.errors import InvalidInput
from .fleetcore.net.client.base import check_id
from .fleetcore.net.client.devices import Devices
from .fleetcore.net.client.machines import Machines
from .fleetcore.ports import Plan
from .fleetcore.sweep.dump import dump_options, write_dump

# Differ in every observation without a change of the machine.
NOISE = frozenset(["attempts", "collected_at", "collector", "coverage", "log", "sensors", "source", "stats"])


class Client(Machines, Devices):
    """The resources of the machine server that the module needs."""


def plan(client: Client, params: Mapping[str, Any]) -> Plan:
    """Check the document and plan to publish it. What is a change is the server's judgement; the preview comes close
    to it.

    Nothing is sent before both errors are excluded.

    :raises ParseError: the document is none; ``details["field"]`` is the place.
    :raises InvalidInput: machine, source or dump_dir can't be used.
    """
    machine = check_id(params["machine"])
    device = device_from_dict(params["device"])
    document = to_dict(device)
    source = _source(params["source"], document.get("source"))
    dump = dump_options(params.get("dump_dir"), os.environ)

    def preview() -> Mapping[str, Any]:
        changed = _facts(_published(client, machine, source)) != _facts(document)
        return {"changed": changed, "changes": int(changed)}

    def apply() -> Mapping[str, Any]:
        dumped: dict[str, Any] = {}
        if dump is not None:
            known = _published(client, machine, source)
            dumped["dumped"] = write_dump(dump, machine, device_from_dict(known) if known else None, device)
        answer = client.publish_device(machine, {**document, "source": source}, source)
        return {"changed": answer["changed"], "changes": answer.get("changes", 0), **dumped}

    return Plan({}, {}, preview, apply, always=True)


def _source(option: Optional[str], said: Optional[str]) -> str:
    if option and said and option != said:
        raise InvalidInput.of("source", f"is {option}, but the document says {said}")
    source = option or said
    if source not in ("oob", "inband"):
        raise InvalidInput.of("source", "the document does not say who looked; give oob or inband")
    return source


def _published(client: Client, machine: str, source: str) -> Mapping[str, Any]:
    client.machine(machine)  # NotFound here is the operator's mistake, below it is not
    return if_there(lambda: client.device(machine, source)) or {}


def _facts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in document.items() if key not in NOISE}
