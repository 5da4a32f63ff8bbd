# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``bmc_sweep``: options -> machines -> plan. Private to this collection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Optional
from urllib.parse import unquote

from ._bmc_info import READING_OPTIONS
from ._bmc_options import BMC_OPTIONS
from ._sweep_report import counts
from ._sweep_run import CAPTURE_END, Client, run
from .fleetcore.errors import FleetError, InvalidInput, NotFound
from .fleetcore.host.clock import SystemClock
from .fleetcore.net.client.base import check_id
from .fleetcore.option import Options, option
from .fleetcore.ports import Plan
from .fleetcore.power.options import BmcOptions, bmc_options
from .fleetcore.sweep.done import DoneMachines
from .fleetcore.sweep.dump import dump_options
from .fleetcore.sweep.engine import Summary, Target

BMC_FIELDS = tuple(name for name in BMC_OPTIONS if name != "address")


def _shared(option: Mapping[str, Any]) -> dict[str, Any]:
    """An option of a BMC without its default, which :func:`bmc_options` applies, that of the fragment ``bmc``."""
    default = option.get("default")
    words = ", ".join(f"V({item})" for item in (default if isinstance(default, list) else [str(default).lower()]))
    said = option["description"] + (f"\n\nDefault is {words}." if default is not None else "")
    return {**{key: value for key, value in option.items() if key != "default"}, "description": said}


SHARED_OPTIONS: Options = {name: _shared(BMC_OPTIONS[name]) for name in BMC_FIELDS}
"""The options of a BMC, once for all machines."""
OPTIONS: Options = {
    "bmcs": option(
        "list",
        """
            The machines to read and how to reach their BMCs. Options that an entry does not have are those of the task.

            An empty list is an error.
        """,
        elements="dict",
        options={
            "machine": option("str", "Name of the machine, under which it is published.", required=True),
            "address": BMC_OPTIONS["address"],
            "credential": option(
                "str",
                """
                    Name of the login that the machine server keeps for this BMC, see M(baremetal.fleet.credential).
                    Each is read once.

                    Used in place of O(username) and O(password). An O(bmcs[].username) goes before it.

                    Needs O(server_url) and a O(server_token) of scope C(runner). When it can't be read, the machines
                    that name it are in RV(failures).
                """,
            ),
            **{
                name: {key: SHARED_OPTIONS[name][key] for key in SHARED_OPTIONS[name] if key != "env"}
                for name in BMC_FIELDS
            },
        },
    ),
    "select": option(
        "dict",
        """
            Read the machines of the machine server that match every filter, and use the addresses and drivers that the
            server knows.

            Where the server knows the name of a login for a machine's BMC, that is used in place of O(username) and
            O(password), as with O(bmcs[].credential).

            A selection that is empty or names unknown machines is an error.
        """,
        options={
            "all": option("bool", "Say V(true) to read every machine."),
            "machines": option("list", "Names of machines.", elements="str"),
            "site": option("str", "All machines of this site."),
            "rack": option("str", "All machines of this rack."),
            "labels": option("dict", "All machines that have these labels."),
        },
    ),
    "concurrency": option("int", "How many BMCs are read at once.", default=64),
    "ipmi_threads": option("int", "How many of them over IPMI.", default=8),
    "directory": option("path", "Write each document as C(<machine>.json) into this directory, too."),
    "capture_dir": option(
        "path",
        """
            Write what each BMC said into this directory as C(<machine>.capture.tar.gz), with its secrets taken out, as
            O(baremetal.fleet.bmc_info#module:capture) does. Also of a BMC that fails, as far as it came.
        """,
    ),
    "from_captures": option(
        "path",
        """
            Read the files C(<machine>.capture.tar.gz) of this directory instead of BMCs. No BMC is contacted.

            A machine's document is the one of its capture, interpreted by this version of the collection.
        """,
    ),
    "dump_dir": option(
        "path",
        """
            Write what is compared with the machine server into this directory before each document is published, as
            O(baremetal.fleet.device_publish#module:dump_dir) does. The environment variables E(DEBUG_DUMP_FIXTURES)
            and E(DEBUG_DUMP_DIFFERS) work as there.
        """,
    ),
    "return_documents": option(
        "bool",
        """
            Return all documents. They are then all held in memory, and crossing Ansible they take much more. For small
            fleets.
        """,
        default=False,
    ),
    "state_file": option(
        "path",
        """
            File that notes which machines are done. If the sweep is interrupted, the next one with the same file
            leaves them out.

            After a sweep that came to its end the next one begins anew. Machines that failed are not noted as done.
        """,
    ),
    "spool": option(
        "path",
        """
            Directory for documents that could not be brought to the machine server. The next sweep sends what is in it
            first.

            Default is C(baremetal.fleet/spool) in E(XDG_STATE_HOME), or in C(~/.local/state).
        """,
    ),
    "progress_file": option(
        "path",
        """
            File that gets a JSON line for every failure and, every O(progress_seconds), for how far the sweep is.

            Ansible shows the same lines while the task runs.
        """,
    ),
    "progress_seconds": option("float", "Seconds between two lines about the progress.", default=10),
    "failure_budget": option(
        "float",
        """
            Percentage of machines that may fail before the task counts as failed. Failures are returned as
            RV(failures) in any case.

            When every machine fails the task always fails.
        """,
        default=100,
    ),
    **SHARED_OPTIONS,
}
SPEC: Options = {**READING_OPTIONS, **OPTIONS}


def plan(client: Optional[Client], params: Mapping[str, Any]) -> Plan:
    """Find the machines, check all that can be checked before the first BMC is asked.

    :raises InvalidInput: options that can't be used, or nothing selected.
    """
    if params["from_captures"] and params["capture_dir"]:
        raise InvalidInput.of("capture_dir", "nothing new is said when captures are read")
    for name in ("concurrency", "ipmi_threads"):
        if params[name] is not None and params[name] < 1:
            raise InvalidInput.of(name, f"{params[name]} is less than 1")
    if params["dump_dir"] and client is None:
        raise InvalidInput.of("dump_dir", "compares with the machine server; give server_url or FLEETD_URL")
    dump = dump_options(params["dump_dir"], os.environ) if client is not None else None
    if params["from_captures"]:
        targets = _captured(params["from_captures"])
    else:
        targets = _listed(params, client) if params["bmcs"] is not None else _selected(params, client)
    return Plan({}, {}, lambda: _preview(params, targets), lambda: run(params, targets, client, dump), always=True)


# -- which machines ---------------------------------------------------------------------------------------------------


def _listed(params: Mapping[str, Any], client: Optional[Client]) -> list[Target]:
    entries = params["bmcs"]
    if not entries:
        raise InvalidInput.of("bmcs", "the list is empty, so nothing is selected")
    targets = []
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        machine = check_id(entry["machine"], f"bmcs[{number}].machine")
        if machine in seen:
            raise InvalidInput(f"bmcs[{number}]: machine {machine!r} is in the list twice", field="bmcs")
        seen.add(machine)
        target = _target(params, machine, entry)
        try:
            target.source()
            if target.credential is not None and client is None:
                raise InvalidInput.of(
                    "credential", f"{target.credential} is kept by the machine server; give server_url or FLEETD_URL"
                )
        except InvalidInput as error:
            field = error.details.get("field", "bmcs")
            raise InvalidInput(f"bmcs[{number}] ({machine}): {error.message}", field=field, machine=machine) from error
        targets.append(target)
    return targets


def _selected(params: Mapping[str, Any], client: Optional[Client]) -> list[Target]:
    select_by = {key: value for key, value in (params["select"] or {}).items() if value is not None}
    if client is None:
        raise InvalidInput("select: asks the machine server; give server_url or FLEETD_URL", field="server_url")
    if not any(select_by.values()):
        raise InvalidInput(
            "select: nothing is selected. Name machines, a site, a rack or labels, or say all: true", field="select"
        )
    wanted = [check_id(name, "select.machines") for name in select_by.get("machines", [])]
    if select_by.get("machines") == []:
        raise InvalidInput("select.machines: the list is empty, so nothing is selected", field="select")
    labels = {str(key): str(value) for key, value in (select_by.get("labels") or {}).items()}
    found = {
        str(machine["id"]): machine.get("bmc")
        for machine in client.machines(site=select_by.get("site"), rack=select_by.get("rack"), labels=labels)
        if not wanted or machine["id"] in wanted
    }
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise NotFound(
            f"select.machines: the server does not have {', '.join(missing[:10])}"
            + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
            + (" among those of the other filters" if len(select_by) > 1 else ""),
            machines=missing,
        )
    if not found:
        raise NotFound("select: no machine of the server matches", field="select")
    return [_target(params, machine, bmc) for machine, bmc in found.items()]


def _target(params: Mapping[str, Any], machine: str, bmc: Optional[Mapping[str, Any]]) -> Target:
    known = ("address", "credential", *BMC_FIELDS)
    own = {key: value for key, value in (bmc or {}).items() if value is not None and key in known}
    credential = own.pop("credential", None)
    if own.get("username"):
        credential = None
    return Target(machine, partial(_options, params, machine, own), credential)


def _options(params: Mapping[str, Any], machine: str, own: Mapping[str, Any]) -> BmcOptions:
    if not own.get("address"):
        raise NotFound(f"machine {machine}: no address of its BMC is known", machine=machine)
    return bmc_options({**{name: params[name] for name in BMC_FIELDS}, **own})


def _captured(folder: str) -> list[Target]:
    """List the machines whose captures are in a folder, as ``capture_dir`` names them."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(CAPTURE_END))
    except OSError as error:
        raise InvalidInput(
            f"from_captures {folder}: can't be read ({(error.strerror or str(error)).lower()})", field="from_captures"
        ) from error
    if not names:
        raise InvalidInput(f"from_captures {folder}: no file *{CAPTURE_END} is in it", field="from_captures")
    targets = []
    for name in names:
        machine = check_id(unquote(name[: -len(CAPTURE_END)]), f"from_captures: {name}")
        targets.append(Target(machine, partial(os.path.join, folder, name)))
    return targets


# -- check mode -------------------------------------------------------------------------------------------------------


def _preview(params: Mapping[str, Any], targets: Sequence[Target]) -> Mapping[str, Any]:
    done: set[str] = set()
    if params["state_file"] and os.path.exists(params["state_file"]):
        with contextlib.closing(DoneMachines(params["state_file"], SystemClock().now(), read_only=True)) as before:
            done = before.machines
    rows = []
    for target in targets:
        row: dict[str, Any] = {"machine": target.machine, "skipped": target.machine in done}
        try:
            source = target.source()
            if isinstance(source, str):
                row["capture"] = source
            else:
                row.update(address=source.host, drivers=list(source.drivers))
                if target.credential is not None:
                    row["credential"] = target.credential
        except FleetError as error:
            row["error"] = error.message
        rows.append(row)
    summary = Summary(total=len(targets), skipped=sum(row["skipped"] for row in rows))
    return {"changed": summary.total > summary.skipped, "plan": rows, "summary": counts(summary), "failures": []}
