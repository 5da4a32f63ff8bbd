# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``work_lease``. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fleetcore.errors import ConflictError, FleetError, InvalidInput
from .fleetcore.net.client.base import check_id
from .fleetcore.net.client.machines import Machines
from .fleetcore.net.client.work import Work
from .fleetcore.ports import Plan

POLL = 5.0  # seconds between two tries while waiting


class Client(Machines, Work):
    """The resources of the machine server that the module needs."""


def plan(client: Client, params: Mapping[str, Any]) -> Plan:
    """Take, renew or give back the lock of ``machine`` for ``process``.

    :raises InvalidInput: options that do not go together.
    """
    machine, process, session = check_id(params["machine"]), params["process"], params["session"]
    if params["seconds"] < 1:
        raise InvalidInput.of("seconds", f"{params['seconds']:g} is less than 1")
    if params["state"] == "released":
        if not session:
            raise InvalidInput.of("session", "say which lease is to be released, lease.session of its result")
        return _release(client, machine, process, session)
    if session:
        return _renew(client, machine, process, session)
    return _take(client, machine, params)


def _take(client: Client, machine: str, params: Mapping[str, Any]) -> Plan:
    process = params["process"]

    def preview() -> Mapping[str, Any]:
        client.machine(machine)
        explained = client.explain(machine, process)
        if explained["work"]:
            raise ConflictError(f"{process} of {machine} is locked", machine=machine, reason="work_conflict")
        return {"lease": None}

    def apply() -> Mapping[str, Any]:
        end = client.clock.monotonic() + params["wait"]
        while True:
            made = client.start_session(params["component"], params["seconds"])
            try:
                work = client.take_work(made["id"], machine, process, params["needed"])
            except FleetError as error:
                _quietly_end(client, made["id"])
                left = end - client.clock.monotonic()
                if error.details.get("reason") != "work_conflict" or left <= 0:
                    raise
                client.clock.sleep(min(POLL, left))
            else:
                return {"lease": _lease(made, work)}

    return Plan({"held": False}, {"held": True}, preview, apply)


def _renew(client: Client, machine: str, process: str, session: str) -> Plan:
    def preview() -> Mapping[str, Any]:
        return {"lease": None}

    def apply() -> Mapping[str, Any]:
        beat = client.heartbeat(session)
        for work in beat["work"]:
            if (work["machine"], work["process"]) == (machine, process):
                return {"lease": _lease(beat, work)}
        raise ConflictError(
            f"{process} of {machine} is not held by this session (any more)", machine=machine, reason="lease_lost"
        )

    return Plan({"held": True}, {"held": True}, preview, apply, always=True)


def _release(client: Client, machine: str, process: str, session: str) -> Plan:
    held = any(work["session"] == session for work in client.work(machine, process))

    def apply() -> Mapping[str, Any]:
        client.end_session(session)
        return {"lease": None}

    return Plan({"held": held}, {"held": False}, lambda: {"lease": None}, apply)


def _quietly_end(client: Client, session: str) -> None:
    """End a session that holds nothing. If the server can't be told, the session dies by itself."""
    try:
        client.end_session(session)
    except FleetError:
        return


def _lease(session: Mapping[str, Any], work: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "session": session["id"],
        "machine": work["machine"],
        "process": work["process"],
        "fencing_token": work["fencing_token"],
        "deadline": session["deadline"],
        "seconds": session["interval"],
    }
