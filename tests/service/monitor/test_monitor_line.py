# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetd monitor` as a process, against the real machine server and against one that speaks `/json/v1` only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleetcore.errors import PermissionDenied
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from monitor_fakes import PlainServer, RealServer, eventually

from fleetd.server.kernel.auth.model import Scope

OPERATOR = Scope.OPERATOR
REPO = Path(__file__).resolve().parents[3]


def uptimes(events: list[dict[str, Any]]) -> list[float]:
    return [event["server"]["uptime"] for event in events]


def test_an_outage_of_the_server(server: RealServer, monitors: Any) -> None:
    monitor = monitors(server.url, token=server.token("m1"), device_seconds=5)
    monitor.start()
    eventually(lambda: monitor.said("device_published"))
    assert server.services.devices.get("m1", "inband")["source"] == "inband"
    server.stop()
    eventually(lambda: len(monitor.spooled()) >= 3)
    kept = [json.loads(path.read_text()) for path in monitor.spooled()]
    server.start()
    eventually(lambda: monitor.said("spool_sent") and not monitor.spooled())
    got = uptimes(server.accepted)
    assert got == sorted(got)
    missing = [event for event in kept if "server" in event and event not in server.accepted]
    assert not missing
    assert monitor.end() == 0
    assert len(monitor.said("server_down")) == len(monitor.said("server_back")) == 1


def test_killed_with_a_full_spool(server: RealServer, monitors: Any) -> None:
    token = server.token("m1")
    server.stop()
    monitor = monitors(server.url, token=token, spool_items=5, event_seconds=0.1)
    monitor.start()
    eventually((monitor.folder / "state" / "spool" / "dropped").exists)
    monitor.end(signal.SIGKILL)
    kept = [json.loads(path.read_text()) for path in monitor.spooled()]
    assert len(kept) in (4, 5)  # one may have been dropped for the next
    server.start()
    done = monitor.run("--once")
    assert done.returncode == 0, done.stderr
    assert server.accepted[: len(kept)] == kept
    assert len(server.accepted) == len(kept) + 1  # the one of --once; nothing twice
    assert server.accepted[-1]["monitor"]["dropped"] >= 1
    machine = server.services.machines.get("m1").machine
    assert machine.description.dimensions["tmm_dropped"] == (str(server.accepted[-1]["monitor"]["dropped"]),)


def test_a_token_of_another_machine(server: RealServer, monitors: Any) -> None:
    server.services.machines.create("m2", {})
    monitor = monitors(server.url, token=server.token("m2"))
    monitor.start()
    eventually(lambda: len(monitor.spooled()) >= 2)
    assert not server.accepted
    assert [line["code"] for line in monitor.said("server_down")] == ["permission_denied"]
    assert monitor.end() == 0
    done = monitor.run("--once", "--device")
    assert done.returncode == 1
    http = HttpClient(HttpOptions(server.url))
    client = ServerClient(http, SystemClock(), server.url, token=server.token("m3"), attempts=1)
    with pytest.raises(PermissionDenied):
        client.publish_device("m2", {"source": "inband"}, "inband")
    with pytest.raises(PermissionDenied):
        next(client.description_updates("m2", http, 5.0))


def test_a_change_is_noticed_at_once_and_handed_to_the_hook(server: RealServer, monitors: Any) -> None:
    heard = "import sys; open('heard', 'a').write(sys.stdin.read() + chr(10))"
    monitor = monitors(
        server.url, token=server.token("m1"), event_seconds=600, on_description=[sys.executable, "-c", heard]
    )
    monitor.start()
    eventually(lambda: server.accepted and monitor.said("description_changed"))
    described = len(monitor.said("description_changed"))
    client = ServerClient(
        HttpClient(HttpOptions(server.url)), SystemClock(), server.url, token=server.token(None, Scope.OPERATOR)
    )
    client.request_powercycle("m1", "hung")  # over HTTP: it wakes the stream
    eventually(lambda: len(monitor.said("description_changed")) > described)
    assert monitor.said("description_changed")[-1]["what"] == "powercycle"
    eventually(lambda: '"PowerCycle": true' in (monitor.folder / "heard").read_text())
    (monitor.folder / "quarantine").touch()
    eventually(lambda: server.services.machines.get("m1").machine.description.is_quarantined)


def test_an_attached_device_is_asked_once_the_server_says_that_there_is_one(
    server: RealServer, monitors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "ideviceinfo"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\ncase "$*" in *Type) echo iPhone12,8;; *Version) echo 17.5.1;; *) echo 64;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monitor = monitors(server.url, token=server.token("m1"))
    monitor.start()
    eventually(lambda: server.accepted)
    operator = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.token(None, OPERATOR)}"})
    assert operator.post("/_/machine/set_attached_device/m1", json={"AttachedDevice": "ios"}).status_code == 200

    def dimensions() -> Any:
        return server.services.machines.get("m1").machine.description.dimensions

    eventually(lambda: dimensions().get("os") == ("iOS", "iOS-17.5.1"))
    tool.unlink()
    eventually(lambda: server.services.machines.get("m1").machine.description.recovering)
    assert dimensions()["device_type"] == ("iPhone12,8",)
    assert [line["code"] for line in monitor.said("device_missing")] == ["missing_dependency"]


@pytest.mark.parametrize("with_stream", [True, False])
def test_a_server_of_another_make(plain: PlainServer, monitors: Any, with_stream: bool) -> None:
    plain.with_stream = with_stream
    monitor = monitors(plain.url, device_seconds=600, poll_seconds=600 if with_stream else 0.2)
    monitor.start()
    eventually(lambda: len(plain.events) >= 3 and monitor.said("not_taken"))
    assert plain.events[0]["standalone"]["cores"] >= 1
    if with_stream:
        eventually(lambda: plain.streams)
        plain.update("look")
        eventually(lambda: monitor.said("description_changed"))
        plain.drop_streams()
        eventually(lambda: len(plain.streams) > 1)  # it comes again
    else:
        plain.note = "look"
        eventually(lambda: monitor.said("description_changed"))
    assert monitor.said("description_changed")[-1]["value"] == "look"
    assert monitor.end() == 0


def test_a_stream_that_is_lost_is_replaced_by_polling(plain: PlainServer, monitors: Any) -> None:
    monitor = monitors(plain.url, poll_seconds=1)
    monitor.start()
    eventually(lambda: plain.streams)
    plain.with_stream = False
    plain.drop_streams()
    plain.note = "look"
    eventually(lambda: monitor.said("description_changed") and monitor.said("stream_lost"))


def test_a_stop_does_not_wait_for_a_server_that_hangs(monitors: Any) -> None:
    import socket

    with contextlib.ExitStack() as open_sockets:
        deaf = open_sockets.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 0))))
        monitor = monitors(f"http://127.0.0.1:{deaf.getsockname()[1]}", request_seconds=300)
        (monitor.folder / "state").mkdir()
        (monitor.folder / "state" / "attached.json").write_text("{}")  # not its first start: the event comes first
        monitor.start()
        said = b""
        while not said.startswith(b"POST"):  # the first connection may be the one that follows the description
            accepted = open_sockets.enter_context(contextlib.closing(deaf.accept()[0]))
            said = accepted.recv(10)
        assert monitor.end() == 0
    assert len(monitor.spooled()) == 1


def test_what_would_be_sent_and_what_cannot_be(monitors: Any, tmp_path: Path) -> None:
    monitor = monitors("http://127.0.0.1:9")
    shown = json.loads(monitor.run("--print", "--device").stdout)
    assert shown["event"]["host"]["name"] == "m1"
    assert shown["device"]["collector"]["name"] == "host_inventory"
    assert not (monitor.folder / "state").exists()
    assert monitor.run("--once").returncode == 1
    assert len(monitor.spooled()) == 1
    assert monitor.run("--device").returncode == 2
    missing = monitor.run("--once", "--token-file", str(tmp_path / "none"))
    assert (missing.returncode, "monitor.token_file" in missing.stderr) == (2, True)


def test_one_monitor_per_folder(plain: PlainServer, monitors: Any) -> None:
    monitor = monitors(plain.url)
    monitor.start()
    eventually(lambda: plain.events)
    second = monitor.run("--once")
    assert second.returncode == 1
    assert "another monitor uses" in second.stderr
    assert "Traceback" not in second.stderr
