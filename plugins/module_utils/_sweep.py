# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module ``bmc_sweep`` does with its options: machines -> sweep -> result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import select
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Optional
from urllib.parse import unquote

from ._bmc_info import cache_of, capture_facts, document_facts, new_record, write_capture
from ._bmc_options import BMC
from ._boundary import Plan
from ._server import server_client
from .fleetcore.document.model import Device, Source, device_from_dict, to_dict
from .fleetcore.errors import FleetError, InvalidInput, NotFound, TransientError
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.files import safe_name
from .fleetcore.host.spool import Spool
from .fleetcore.net.client import ServerClient, check_id
from .fleetcore.ports import Clock
from .fleetcore.power.options import BmcOptions, bmc_options
from .fleetcore.redfish.capture import read as read_capture
from .fleetcore.sweep.collect import collect_async, replay
from .fleetcore.sweep.delivery import sweep_spool
from .fleetcore.sweep.done import DoneMachines
from .fleetcore.sweep.dump import DumpOptions, dump_options, write_dump
from .fleetcore.sweep.engine import Summary, Sweep, Target

IPMI_THREADS = 8
BMC_FIELDS = tuple(name for name in BMC if name != "address")


def _without_default(option: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in option.items() if key != "default"}


# The options of a BMC, once for all and once for each; the defaults are those of the fragment `bmc`, applied by bmc_options.
SHARED: dict[str, Any] = {name: _without_default(BMC[name]) for name in BMC_FIELDS}
ENTRY: dict[str, Any] = {
    "machine": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "credential": {"type": "str"},
    **{name: {key: value for key, value in SHARED[name].items() if key != "fallback"} for name in BMC_FIELDS},
}
SELECT: dict[str, Any] = {
    "all": {"type": "bool"},
    "machines": {"type": "list", "elements": "str"},
    "site": {"type": "str"},
    "rack": {"type": "str"},
    "labels": {"type": "dict"},
}


def plan(params: Mapping[str, Any]) -> Plan:
    """Find the machines, check all that can be checked before the first BMC is asked.

    :raises InvalidInput: options that can't be used, or nothing selected.
    """
    if params["from_captures"]:
        _only_offline(params)
    for name in ("concurrency", "ipmi_threads"):
        if params[name] is not None and params[name] < 1:
            raise InvalidInput(f"{name}: {params[name]} is less than 1", field=name)
    client = server_client(params) if params["server_url"] else None
    try:
        dump = dump_options(params["dump_dir"], os.environ) if client is not None else None
        if params["dump_dir"] and client is None:
            raise InvalidInput(
                "dump_dir: compares with the machine server; give server_url or FLEETD_URL", field="dump_dir"
            )
        if params["from_captures"]:
            targets = _captured(params["from_captures"])
        else:
            targets = _listed(params, client) if params["bmcs"] is not None else _selected(params, client)
    except BaseException:
        if client is not None:
            client.close()
        raise

    def preview() -> Mapping[str, Any]:
        if client is not None:
            client.close()
        return _preview(params, targets)

    def apply() -> Mapping[str, Any]:
        try:
            return _run(params, targets, client, dump)
        finally:
            if client is not None:
                client.close()

    return Plan({}, {}, preview, apply, always=True)


# -- which machines --------------------------------------------------------------------------------------------------------


def _listed(params: Mapping[str, Any], client: Optional[ServerClient]) -> list[Target]:
    entries = params["bmcs"]
    if not entries:
        raise InvalidInput("bmcs: the list is empty, so nothing is selected", field="bmcs")
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
                raise InvalidInput(
                    f"credential: {target.credential} is kept by the machine server; give server_url or FLEETD_URL",
                    field="credential",
                )
        except InvalidInput as error:
            field = error.details.get("field", "bmcs")
            raise InvalidInput(f"bmcs[{number}] ({machine}): {error.message}", field=field, machine=machine) from error
        targets.append(target)
    return targets


def _selected(params: Mapping[str, Any], client: Optional[ServerClient]) -> list[Target]:
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
    own = {key: value for key, value in (bmc or {}).items() if value is not None and key in ENTRY and key != "machine"}
    credential = own.pop("credential", None)
    if own.get("username"):
        credential = None
    return Target(machine, partial(_options, params, machine, own), credential)


def _options(params: Mapping[str, Any], machine: str, own: Mapping[str, Any]) -> BmcOptions:
    if not own.get("address"):
        raise NotFound(f"machine {machine}: no address of its BMC is known", machine=machine)
    return bmc_options({**{name: params[name] for name in BMC_FIELDS}, **own})


CAPTURE_END = ".capture.tar.gz"


def _only_offline(params: Mapping[str, Any]) -> None:
    if params["capture_dir"]:
        raise InvalidInput("capture_dir: nothing new is said when captures are read", field="capture_dir")


def _captured(folder: str) -> list[Target]:
    """The machines whose captures are in a folder, as ``capture_dir`` names them."""
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


# -- check mode ------------------------------------------------------------------------------------------------------------


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
    return {"changed": summary.total > summary.skipped, "plan": rows, "summary": _counts(summary), "failures": []}


# -- the sweep -------------------------------------------------------------------------------------------------------------


def _run(
    params: Mapping[str, Any], targets: Sequence[Target], client: Optional[ServerClient], dump: Optional[DumpOptions]
) -> Mapping[str, Any]:
    clock = SystemClock()
    documents: Optional[dict[str, Any]] = {} if params["return_documents"] else None
    for name, mode in (("directory", 0o777), ("capture_dir", 0o700), ("cache_dir", 0o700)):
        if params[name]:
            _make_directory(name, params[name], mode)
    with contextlib.ExitStack() as stack:
        done = None
        if params["state_file"]:
            done = stack.enter_context(contextlib.closing(DoneMachines(params["state_file"], clock.now())))
        spool = sweep_spool(params["spool"] or _default_spool()) if client is not None else None
        progress = stack.enter_context(Progress(params["progress_file"], clock, params["progress_seconds"]))
        pool = stack.enter_context(ThreadPoolExecutor(params["ipmi_threads"], thread_name_prefix="ipmi"))
        logins = stack.enter_context(Logins(partial(server_client, params)))
        collect = partial(_collect, params, clock, pool, logins)
        sweep = Sweep(
            targets,
            collect,
            clock,
            publish=partial(_publish, client, dump) if client is not None else None,
            spool=spool,
            directory=params["directory"],
            done=done,
            keep=documents,
            concurrency=params["concurrency"],
            on_event=progress.event,
        )
        asyncio.run(_supervised(sweep, progress))
        progress.end(sweep)
    result = _result(sweep.summary, params, spool)
    if documents is not None:
        result["documents"] = documents
    return result


class Logins:
    """The logins that machines name, from the machine server: each is read when the first machine needs it, and once.

    :param connect: a client of its own, as they are read in a thread of their own.
    """

    def __init__(self, connect: Callable[[], ServerClient]) -> None:
        self._connect = connect
        self._client: Optional[ServerClient] = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logins")
        self._asked: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def __enter__(self) -> Logins:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._thread.shutdown()
        if self._client is not None:
            self._client.close()

    async def login(self, name: str) -> Mapping[str, Any]:
        """``{"username", "password"}``. Why it can't be read is remembered too, unless that may pass.

        :raises FleetError: there is none of that name, this token may not read it, or the server does not answer.
        """
        asked = self._asked.get(name)
        if asked is None:
            asked = self._asked[name] = asyncio.get_running_loop().run_in_executor(self._thread, self._read, name)
        try:
            found = await asyncio.shield(asked)
        except FleetError as error:
            if isinstance(error, TransientError) and self._asked.get(name) is asked:
                del self._asked[name]
            raise type(error)(f"credential {name}: {error.message}", **error.details) from error
        return {"username": found["username"], "password": found["password"]}

    def _read(self, name: str) -> Mapping[str, Any]:
        if self._client is None:
            self._client = self._connect()
        return self._client.read_credential(name)


async def _collect(params: Mapping[str, Any], clock: Clock, pool: Executor, logins: Logins, target: Target) -> Device:
    """Read a BMC, or a capture of one. With ``capture_dir`` what a BMC says is kept, also when it fails."""
    source = target.source()
    loop = asyncio.get_running_loop()
    if isinstance(source, str):
        return await loop.run_in_executor(None, _replayed, source, params["sections"], params["system"])
    if target.credential is not None:
        source = dataclasses.replace(source, **await logins.login(target.credential))
    cache = await loop.run_in_executor(None, cache_of, params, source)
    if not params["capture_dir"]:
        device = await collect_async(source, clock, params["sections"], pool, cache=cache)
        if cache is not None:
            await loop.run_in_executor(None, cache.save)
        return device
    record = new_record(source)
    path = os.path.join(params["capture_dir"], safe_name(target.machine) + CAPTURE_END)
    facts = capture_facts(source, params["sections"])
    try:
        device = await collect_async(source, clock, params["sections"], pool, record, cache)
    except FleetError as error:
        await loop.run_in_executor(
            None, write_capture, path, record, {**facts, "error": error.to_dict()}, "capture_dir"
        )
        raise
    if cache is not None:
        await loop.run_in_executor(None, cache.save)
    facts.update(document_facts(to_dict(device)))
    await loop.run_in_executor(None, write_capture, path, record, facts, "capture_dir")
    return device


def _replayed(path: str, sections: Optional[list[str]], system: Optional[str]) -> Device:
    return replay(read_capture(path), sections, system)


def _publish(
    client: ServerClient, dump: Optional[DumpOptions], items: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Publish documents; with ``dump`` what they are compared with is written first."""
    for machine, document in items if dump is not None else ():
        known: Optional[Mapping[str, Any]] = None
        with contextlib.suppress(NotFound):
            known = client.device(machine, Source.OOB.value)
        if dump is not None:
            write_dump(dump, machine, device_from_dict(known) if known else None, device_from_dict(document))
    return client.publish_devices(items)


async def _supervised(sweep: Sweep, progress: Progress) -> None:
    """The sweep, with signals that stop it and somebody who says how far it is."""
    loop = asyncio.get_running_loop()

    def interrupted(number: int) -> None:
        loop.remove_signal_handler(number)  # the second time it is not asked
        sweep.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted, number)
    reporting = asyncio.ensure_future(progress.watch(sweep))
    try:
        await sweep.run()
    finally:
        reporting.cancel()


def _result(summary: Summary, params: Mapping[str, Any], spool: Optional[Spool]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": bool(summary.changed) or bool(params["directory"] and summary.collected),
        "summary": _counts(summary),
        "failures": summary.failures,
    }
    warnings = []
    if spool is not None and summary.spooled:
        warnings.append(
            f"{summary.spooled} documents could not be brought to the machine server; they are in {spool.folder} and "
            "the next sweep sends them"
        )
    bad = summary.failed + summary.refused
    if bad:
        kinds = ", ".join(f"{count} {code}" for code, count in summary.by_error.most_common(5))
        warnings.append(f"{bad} of {summary.total} machines failed: {kinds}")
    if warnings:
        result["warnings"] = warnings
    attempted = summary.total - summary.skipped
    again = "run it again with the same state_file to go on" if params["state_file"] else "there was no state_file"
    if summary.problem is not None:
        problem = summary.problem
        result.update(
            failed=True,
            msg=f"The machine server takes no documents: {problem.message} {summary.spooled} wait in the spool, "
            f"{summary.done} of {summary.total} machines are done; {again}",
            failure={"code": problem.code, "details": problem.details},
        )
    elif summary.interrupted:
        result.update(
            failed=True,
            msg=f"The sweep was interrupted: {summary.done} of {summary.total} machines are done; {again}",
            failure={"code": "interrupted", "details": {}},
        )
    elif attempted and (bad == attempted or 100 * bad > params["failure_budget"] * attempted):
        first = summary.failures[0]
        result.update(
            failed=True,
            msg=f"{bad} of {attempted} machines failed. {first['machine']}: {first['message']}",
            failure={"code": summary.by_error.most_common(1)[0][0], "details": {"by_error": dict(summary.by_error)}},
        )
    return result


def _counts(summary: Summary) -> dict[str, Any]:
    return {
        "total": summary.total,
        "skipped": summary.skipped,
        "collected": summary.collected,
        "incomplete": summary.incomplete,
        "failed": summary.failed,
        "published": summary.published,
        "changed": summary.changed,
        "refused": summary.refused,
        "spooled": summary.spooled,
        "interrupted": summary.interrupted,
        "requests": summary.requests,
        "logins": summary.logins,
        "bytes": summary.bytes,
        "seconds": summary.seconds,
        "by_driver": dict(summary.by_driver),
        "by_error": dict(summary.by_error),
    }


def _make_directory(name: str, path: str, mode: int) -> None:
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"{name} {path}: can't be made ({(error.strerror or str(error)).lower()})", field=name
        ) from error


def _default_spool() -> str:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "baremetal.fleet", "spool")


# -- progress --------------------------------------------------------------------------------------------------------------


class Progress:
    """What happens, as JSON lines in a file that others may follow; None: nowhere.

    Events: ``progress`` (all counts), ``failure``, ``server_down``, ``server_up``, ``stopping``, ``end``.

    :raises InvalidInput: the file can't be written.
    """

    def __init__(self, path: Optional[str], clock: SystemClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = max(0.2, seconds)
        self._begin = clock.monotonic()
        self._file = None
        if path:
            try:
                self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  (closed by __exit__)
            except OSError as error:
                raise InvalidInput(
                    f"progress_file {path}: can't be written ({(error.strerror or str(error)).lower()})",
                    field="progress_file",
                ) from error

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def event(self, event: str, facts: Mapping[str, Any]) -> None:
        """Add a line. A full disk does not end a sweep."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(json.dumps({"at": self._clock.now(), "event": event, **facts}) + "\n")
                self._file.flush()

    async def watch(self, sweep: Sweep) -> None:
        """Report how far the sweep is, and stop it when nobody waits for the result any more."""
        reported = 0.0
        while True:
            await asyncio.sleep(min(1.0, self._seconds))
            if _abandoned():
                sweep.stop()
            if self._clock.monotonic() - reported >= self._seconds:
                reported = self._clock.monotonic()
                self.event("progress", self._figures(sweep))

    def end(self, sweep: Sweep) -> None:
        self.event("end", self._figures(sweep))

    def _figures(self, sweep: Sweep) -> dict[str, Any]:
        summary = sweep.summary
        seconds = self._clock.monotonic() - self._begin
        now_done = summary.done - summary.skipped
        left = summary.total - summary.done
        return {
            "done": summary.done,
            "running": sweep.running,
            **{name: getattr(summary, name) for name in ("total", "skipped", "collected", "failed", "published")},
            "seconds": round(seconds, 1),
            "seconds_left": round(seconds / now_done * left, 1) if now_done else None,
        }


def _abandoned() -> bool:
    """Has whoever reads our output gone away? Ansible, killed, leaves its modules running."""
    try:
        poll = select.poll()
        poll.register(1, 0)
        return any(event & select.POLLERR for _fd, event in poll.poll(0))
    except (OSError, ValueError):
        return False
