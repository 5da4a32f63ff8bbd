# SPDX-License-Identifier: BSD-2-Clause
"""OpenStack's sushy-emulator as a virtual BMC: over invented systems (its fake driver), or over libvirt's machines.

What the fake driver is good for: log in, power, boot device, network cards. It has neither processors nor BIOS, and
like hardware it lags: a new PowerState shows 1 to 11 s after the request, so poll. Over libvirt everything is real and
prompt.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from fleetlab.process import Child, Missing, Running, json_lines

ADVICE = "pip install 'fleetd[lab]' (it brings sushy-tools)"


def available() -> tuple[bool, str]:
    """Tell whether sushy-emulator is installed, and else what to do."""
    return (True, "") if importlib.util.find_spec("sushy_tools") else (False, ADVICE)


@dataclass(frozen=True)
class FakeSystem:
    """One system of the fake driver. `uuid` is its id in Redfish (default: made from the name, so always the same)."""

    name: str
    uuid: str = ""
    power_state: str = "On"
    macs: Sequence[str] = ()

    @property
    def id(self) -> str:
        return self.uuid or str(uuid5(NAMESPACE_DNS, f"{self.name}.fleetlab"))


@dataclass
class SushyEmulator(Running):
    """Run a sushy-emulator on 127.0.0.1; a context manager. Give either `systems` or `libvirt_uri`.

    `workdir` is private to one instance: the fake driver's state lives there and survives a restart. `port` 0 takes a
    free one; `url` is valid once started. `auth` is (username, password): HTTP basic; the service root stays open,
    there are no sessions. `tls` is (certificate file, key file).
    """

    workdir: Path
    port: int = 0
    systems: Sequence[FakeSystem] = ()
    libvirt_uri: str | None = None
    auth: tuple[str, str] | None = None
    tls: tuple[Path, Path] | None = None
    start_timeout: float = 60.0
    _recorder: _Recorder | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if bool(self.systems) == bool(self.libvirt_uri):
            raise ValueError("give either systems or libvirt_uri")
        self.workdir = Path(self.workdir).absolute()

    @property
    def url(self) -> str:
        """The address without a path, as `https://127.0.0.1:8000`."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.workdir / "emulator.log"

    @property
    def power_log_path(self) -> Path:
        """JSON lines of the power changes of the fake driver; see power_log()."""
        return self.workdir / "power.log"

    def power_log(self) -> list[dict[str, str]]:
        """Return the power changes of the fake driver, oldest first: {"at", "system" (name), "action": "on" | "off"}.

        The driver applies a change when its time has come and somebody reads the system, so an unread one is not there
        yet. Empty over libvirt: ask libvirt, or look for a new boot.
        """
        return json_lines(self.power_log_path)

    def _stop(self) -> None:
        super()._stop()
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _start(self) -> None:
        usable, advice = available()
        if not usable:
            raise Missing(f"sushy-emulator is not installed: {advice}")
        self.workdir.mkdir(parents=True, exist_ok=True)
        config: dict[str, object] = {
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
            "SUSHY_EMULATOR_LISTEN_PORT": self.port,
            "SUSHY_EMULATOR_STATE_DIR": str(self.workdir / "state"),
        }
        if self.systems:
            self._recorder = _Recorder(self.power_log_path, {s.id: s.power_state for s in self.systems})
            config["SUSHY_EMULATOR_FAKE_DRIVER"] = True
            config["EXTERNAL_NOTIFICATION_URL"] = self._recorder.url
            config["SUSHY_EMULATOR_FAKE_SYSTEMS"] = [
                {
                    "uuid": system.id,
                    "name": system.name,
                    "power_state": system.power_state,
                    "external_notifier": True,
                    "nics": [{"mac": mac} for mac in system.macs],
                }
                for system in self.systems
            ]
        else:
            config["SUSHY_EMULATOR_LIBVIRT_URI"] = self.libvirt_uri
        if self.auth:
            config["SUSHY_EMULATOR_AUTH_FILE"] = str(self._write_auth_file(*self.auth))
        if self.tls:
            config["SUSHY_EMULATOR_SSL_CERT"], config["SUSHY_EMULATOR_SSL_KEY"] = map(str, self.tls)
        config_file = self.workdir / "emulator.conf.py"
        config_file.write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
        # The notifications of the fake driver must not go through a proxy.
        self._child = Child(
            [sys.executable, "-m", "sushy_tools.emulator.main", "--config", config_file],
            log=self.log,
            cwd=self.workdir,
            env={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONUNBUFFERED": "1"},
            name="sushy-emulator",
        ).start()
        match = self._child.wait_for_line(r"Running on https?://127\.0\.0\.1:(\d+)", self.start_timeout)
        self.port = int(match[1])

    def _write_auth_file(self, username: str, password: str) -> Path:
        import bcrypt  # noqa: PLC0415 (comes with sushy-tools)

        path = self.workdir / "htpasswd"
        # The cheapest hash: it is computed again for every request.
        digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        path.touch(0o600)
        path.write_text(f"{username}:{digest}\n")
        return path


class _Recorder:
    """Receives the fake driver's notifications (the whole system, after every change) and writes the power log."""

    def __init__(self, path: Path, states: dict[str, str]) -> None:
        self._states = states
        self._lock = threading.Lock()
        self._path = path
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                recorder.record(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def record(self, system: dict[str, Any]) -> None:
        with self._lock:
            state = system["power_state"]
            if self._states.get(system["uuid"]) == state:
                return
            self._states[system["uuid"]] = state
            entry = {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "system": system["name"],
                "action": state.lower(),
            }
            with self._path.open("a") as log:
                log.write(json.dumps(entry) + os.linesep)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
