# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module ``work_lease`` decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._boundary import Plan
from .fleetcore.errors import ConflictError, FleetError, InvalidInput
from .fleetcore.net.client import ServerClient, check_id
from .fleetcore.ports import Clock

POLL = 5.0  # seconds between two tries while waiting


def plan(client: ServerClient, clock: Clock, params: Mapping[str, Any]) -> Plan:
    """Take, renew or give back the lock of ``machine`` for ``process``.

    :raises InvalidInput: options that do not go together.
    """
    machine, process, session = check_id(params["machine"]), params["process"], params["session"]
    if params["seconds"] < 1:
        raise InvalidInput(f"seconds: {params['seconds']:g} is less than 1", field="seconds")
    if params["state"] == "released":
        if not session:
            raise InvalidInput(
                "session: say which lease is to be released, lease.session of its result", field="session"
            )
        return _release(client, machine, process, session)
    if session:
        return _renew(client, machine, process, session)
    return _take(client, clock, machine, params)


def _take(client: ServerClient, clock: Clock, machine: str, params: Mapping[str, Any]) -> Plan:
    process = params["process"]

    def preview() -> Mapping[str, Any]:
        client.machine(machine)
        explained = client.explain(machine, process)
        if explained["work"]:
            raise ConflictError(f"{process} of {machine} is locked", machine=machine, reason="work_conflict")
        return {"lease": None}

    def apply() -> Mapping[str, Any]:
        end = clock.monotonic() + params["wait"]
        while True:
            made = client.start_session(params["component"], params["seconds"])
            try:
                work = client.take_work(made["id"], machine, process, params["needed"])
            except FleetError as error:
                _quietly_end(client, made["id"])
                left = end - clock.monotonic()
                if error.details.get("reason") != "work_conflict" or left <= 0:
                    raise
                clock.sleep(min(POLL, left))
            else:
                return {"lease": _lease(made, work)}

    return Plan({"held": False}, {"held": True}, preview, apply)


def _renew(client: ServerClient, machine: str, process: str, session: str) -> Plan:
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


def _release(client: ServerClient, machine: str, process: str, session: str) -> Plan:
    held = any(work["session"] == session for work in client.work(machine, process))

    def apply() -> Mapping[str, Any]:
        client.end_session(session)
        return {"lease": None}

    return Plan({"held": held}, {"held": False}, lambda: {"lease": None}, apply)


def _quietly_end(client: ServerClient, session: str) -> None:
    """Of a session that holds nothing; if it can't be told, it dies by itself."""
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
