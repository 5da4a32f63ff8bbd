# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many lives of `fleetd runner` at little cost: a process that has imported everything forks one per request.

A life is the real runner with its journal, sessions and HTTP, and real Redfish to the virtual BMCs; what it does not
have is Ansible: its runs are forks that call the power driver, or jobs of a simulated AWX. A life can be told to kill
itself at an exact point.

As a program: reads lines of JSON from standard input, `{"env", "argv", "point", "log"}` starts a life and answers its
process id, `{"wait": pid}` answers its exit status.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from fleetcore.errors import FleetError
from fleetcore.host.clock import SystemClock
from fleetcore.net.claim import Claim
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from fleetcore.power.attempts import open_power
from fleetcore.power.base import PowerController, PowerOptions, PowerStep
from fleetcore.power.options import bmc_options

from fleetd.cli import main
from fleetd.runner import app as runner_app
from fleetd.runner.adapters import awx
from fleetd.runner.adapters.ansible_runner import AnsibleRunner
from fleetd.runner.adapters.awx import AwxRunner
from fleetd.runner.adapters.journal import SqliteJournal
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.ports import EntryState, HostOutcome
from fleetlab.process import LabError, wait_until


class ForkingRunner(AnsibleRunner):
    """Runs are forks of this process, in sessions of their own."""

    def hosts(
        self, inventories: Sequence[str], pattern: str, variables: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        found = json.loads(Path(inventories[0]).read_text())["all"]["hosts"]
        return {n: {k: v for k, v in found[n].items() if k in variables} for n in found}

    def _spawn(self, directory: Path, env: Mapping[str, str], lock: int, log: BinaryIO) -> Any:
        pid = os.fork()
        if pid:
            return _Forked(pid)
        status = 1
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _work(directory)
            status = 0
        finally:
            os._exit(status)
        raise AssertionError


class _Forked:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status


def _work(directory: Path) -> None:
    """What the worker of ansible-runner does, without Ansible."""
    spec = json.loads((directory / "run.json").read_text())
    hosts = json.loads(Path(spec["inventories"][0]).read_text())["all"]["hosts"]
    with open(directory / "events.jsonl", "a") as events:

        def write(line: Mapping[str, Any]) -> None:
            events.write(json.dumps(line) + "\n")
            events.flush()

        write({"launched": True})
        for name in spec["hosts"]:
            claim = (spec["extra_vars"].get("powercycle_claims") or {}).get(name)
            write(asdict(_act(spec["playbook"], name, hosts[name], directory / "progress" / name, claim)))
        write({"done": "successful", "problem": ""})


def _act(
    playbook: str, name: str, variables: Mapping[str, Any], progress: Path, given_claim: Mapping[str, Any] | None
) -> HostOutcome:
    if playbook.endswith("_check"):
        return HostOutcome(name, True)
    time.sleep(variables.get("begins_after", 0))
    url = os.environ["FLEETD_RUNNER__SERVER_URL"]
    server = ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token=os.environ["FLEETD_TOKEN"])
    claim = Claim.of(given_claim) if given_claim else None

    def note(step: PowerStep) -> None:
        with open(progress, "a") as file:
            file.write(json.dumps(step.to_dict()) + "\n")
        if step.action == "wait for off" and "off_until" in variables:
            wait_until(Path(variables["off_until"]).exists, 250, "the test's word to go on", 0.02)
        if step.action == "wait for off":
            _let_strike("off")

    clock = SystemClock()
    defaults = {"timeout": 30.0, "deadline": 60.0, "validate_certs": True, "redfish_scheme": "https", "ipmi_port": 623}
    given = {k.removeprefix("bmc_"): v for k, v in variables.items()}
    empty = dict.fromkeys(("ca_path", "system", "fingerprint", "redfish_port", "username", "password"))
    stays_off = variables.get("stays_off", 0.2)
    options = PowerOptions(graceful_timeout=0, off_seconds=stays_off, verify_timeout=60, poll_seconds=0.1)
    try:
        driver = open_power(bmc_options({**empty, **defaults, **given}), clock).driver
        controller = PowerController(
            driver, clock, options, note, (lambda: claim.renew(server)) if claim else (lambda: None)
        )
        result = controller.run("on" if playbook.endswith("power_on") else "cycle")
        driver.close()
        _let_strike("on")
    except FleetError as error:
        return HostOutcome(name, False, {}, error.to_dict())
    reported = claim is not None and claim.done(server, "done")
    return HostOutcome(name, True, {"power": {**result.to_dict(), "reported": reported}})


# -- points at which a life ends, or is asked to end


def _let_strike(step: str) -> None:
    """Wait in a run for its runner to come to the point of this step, which a slow one would see only with the end."""
    if os.environ["LIFE_POINT"].endswith(f":{step}"):
        with contextlib.suppress(LabError):
            wait_until(Path(os.environ["LIFE_STRUCK"]).exists, 60, "the point", 0.02)


def _die(*_: object) -> None:
    name, struck = os.environ.get("LIFE_SIGNAL", "SIGKILL"), Path(os.environ["LIFE_STRUCK"])
    if not struck.exists():  # a second SIGTERM would mean: leave at once
        struck.touch()
        os.kill(os.getpid(), getattr(signal, name))


def _around(when: str, cls: type, name: str, match: Callable[..., bool]) -> None:
    original = getattr(cls, name)

    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        hit = match(*args)
        if hit and when == "before":
            _die()
        try:
            return original(self, *args, **kwargs)
        finally:  # refused or not: a run may have told it all before the runner does
            if hit and when == "after":
                _die()

    setattr(cls, name, wrapped)


POINTS = [
    f"{when}:{what}"
    for what in ("claim", "running", "start", "off", "on", "verified", "report", "done")
    for when in ("before", "after")
]

AWX_POINTS = [
    *("before:running", "after:running", "before:launch", "after:launch", "before:remembered", "after:remembered"),
    *("before:verified", "after:verified", "before:report", "after:report", "after:done"),
]


def _arm(point: str) -> None:
    when, what = point.split(":")
    if what == "claim":
        _around(when, HttpWorkServer, "claim", lambda wanted, known: bool(wanted))
    elif what == "start":
        _around(when, AnsibleRunner, "start", lambda run: run.id.startswith("cycle-"))
    elif what == "launch":
        _around(
            when, AwxRunner, "_call", lambda method, path, body=None: path.endswith("7/launch/") and body is not None
        )
    elif what == "remembered":
        _around(when, AwxRunner, "_remember", lambda directory, spec, job: spec["id"].startswith("cycle-"))
    elif what in ("off", "on"):
        _around(when, HttpWorkServer, "step", lambda entry, state, message: state == what)
    elif what == "report":
        _around(when, HttpWorkServer, "verified", lambda entry: True)
    else:
        _around(when, SqliteJournal, "save", lambda entries: any(e.state is EntryState(what) for e in entries))


def _live(order: Mapping[str, Any]) -> None:
    log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["env"])
    os.environ["LIFE_POINT"], os.environ["LIFE_STRUCK"] = order["point"], f"{order['log']}.{os.getpid()}"
    if order["point"]:
        _arm(order["point"])
    runner_app.AnsibleRunner = ForkingRunner  # type: ignore[attr-defined,misc]
    awx._LATE_SECONDS = 1.0  # a launch that is not shown by then did not happen: the simulated AWX is quick
    awx._LOOK_SECONDS = 0.1
    main(["runner", *order["argv"]])


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                try:
                    _live(order)
                except SystemExit as ended:
                    os._exit(int(ended.code or 0))
                finally:
                    os._exit(70)
        print(answer, flush=True)  # noqa: T201


class Lives:
    """The tests' side."""

    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._left: set[int] = set()

    def start(self, argv: Sequence[str], env: Mapping[str, str], log: Path, point: str = "") -> int:
        pid = self._ask({"argv": list(argv), "env": dict(env), "point": point, "log": str(log)})
        self._left.add(pid)
        return pid

    def wait(self, pid: int, seconds: float = 60) -> int:
        """Its exit code, negative for a signal. After that time it is killed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not _ended(pid):
            time.sleep(0.01)
        if not _ended(pid):
            os.kill(pid, signal.SIGABRT)
        self._left.discard(pid)
        return self._ask({"wait": pid})

    def stop(self, pid: int, number: int = signal.SIGTERM) -> int:
        os.kill(pid, number)
        return self.wait(pid)

    def close(self) -> None:
        for pid in list(self._left):
            self.stop(pid, signal.SIGKILL)
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _ended(pid: int) -> bool:
    """Gone, or a zombie that nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


if __name__ == "__main__":
    _serve()
