# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a sweep: reads the BMCs or captures of its targets and publishes what was read. Private to this collection."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Optional

from ._bmc_info import read_bmc
from ._server import if_there, server_client
from ._sweep_report import Progress, result
from .fleetcore.document.model import Device, Source, device_from_dict
from .fleetcore.errors import FleetError, InvalidInput, TransientError
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.files import safe_name
from .fleetcore.net.client.credentials import Credentials
from .fleetcore.net.client.devices import Devices
from .fleetcore.net.client.machines import Machines
from .fleetcore.ports import Clock
from .fleetcore.redfish.capture import read as read_capture
from .fleetcore.sweep.collect import replay
from .fleetcore.sweep.delivery import sweep_spool
from .fleetcore.sweep.done import DoneMachines
from .fleetcore.sweep.dump import DumpOptions, write_dump
from .fleetcore.sweep.engine import Sweep, Target

CAPTURE_END = ".capture.tar.gz"


class Client(Machines, Devices, Credentials):
    """The resources of the machine server that a sweep needs."""


def run(
    params: Mapping[str, Any], targets: Sequence[Target], client: Optional[Client], dump: Optional[DumpOptions]
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
        logins = stack.enter_context(Logins(partial(server_client, params, Client)))
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
    found = result(sweep.summary, params, spool.folder if spool is not None else "")
    if documents is not None:
        found["documents"] = documents
    return found


class Logins:
    """Reads the logins that machines name from the machine server, each once, when the first machine needs it.

    :param connect: a client of its own, as they are read in a thread of their own.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Optional[Client] = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logins")
        self._asked: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def __enter__(self) -> Logins:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._thread.shutdown()
        if self._client is not None:
            self._client.close()

    async def login(self, name: str) -> Mapping[str, Any]:
        """Read ``{"username", "password"}``. A failure is remembered, too, unless it may pass.

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
    if isinstance(source, str):
        return await asyncio.get_running_loop().run_in_executor(None, _replayed, source, params)
    if target.credential is not None:
        source = dataclasses.replace(source, **await logins.login(target.credential))
    folder = params["capture_dir"]
    path = os.path.join(folder, safe_name(target.machine) + CAPTURE_END) if folder else None
    device, _written = await read_bmc(source, clock, params, path=path, field="capture_dir", pool=pool)
    return device


def _replayed(path: str, params: Mapping[str, Any]) -> Device:
    return replay(read_capture(path), params["sections"], params["system"])


def _publish(
    client: Client, dump: Optional[DumpOptions], items: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Publish documents. With ``dump`` files are written first that show what they are compared with."""
    for machine, document in items if dump is not None else ():
        known = if_there(lambda machine=machine: client.device(machine, Source.OOB.value))
        if dump is not None:
            write_dump(dump, machine, device_from_dict(known) if known else None, device_from_dict(document))
    return client.publish_devices(items)


async def _supervised(sweep: Sweep, progress: Progress) -> None:
    """Run the sweep, with signals that stop it, and report how far it is."""
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


def _make_directory(name: str, path: str, mode: int) -> None:
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise InvalidInput.of_path(name, path, "made", error) from error


def _default_spool() -> str:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "baremetal.fleet", "spool")
