# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sushy-emulator's fake driver as a virtual BMC, looked at with a plain HTTP client."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fleetlab.process import alive, wait_until
from fleetlab.sushy_emulator import FakeSystem, SushyEmulator

NODE = FakeSystem("node-1", macs=["52:54:00:00:00:01"])
AUTH = ("admin", "s3cr:t")


def ask(emulator: SushyEmulator, path: str, body: object = None, auth: tuple[str, str] | None = AUTH) -> Any:
    request = urllib.request.Request(emulator.url + path, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if auth:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(auth).encode()).decode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def power(emulator: SushyEmulator) -> str:
    return str(ask(emulator, f"/redfish/v1/Systems/{NODE.id}")["PowerState"])


def reset(emulator: SushyEmulator, kind: str) -> None:
    ask(emulator, f"/redfish/v1/Systems/{NODE.id}/Actions/ComputerSystem.Reset", {"ResetType": kind})


def test_login_and_power_log(tmp_path: Path) -> None:
    with SushyEmulator(tmp_path / "it's here", systems=[NODE], auth=AUTH) as emulator:
        for auth in (None, ("admin", "wrong"), ("nobody", AUTH[1])):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(emulator, "/redfish/v1/Systems", auth=auth)
            assert refused.value.code == 401
        assert power(emulator) == "On"
        assert emulator.power_log() == []
        reset(emulator, "ForceOff")
        # The driver takes up to 11 s.
        wait_until(lambda: power(emulator) == "Off", 60, "the power to go off", 0.5)
        (entry,) = emulator.power_log()
        assert (entry["system"], entry["action"]) == ("node-1", "off")
        pid = emulator.pid
    assert not alive(pid)


def test_two_have_nothing_in_common(tmp_path: Path) -> None:
    with (
        SushyEmulator(tmp_path / "a", systems=[NODE], auth=AUTH) as one,
        SushyEmulator(tmp_path / "b", systems=[FakeSystem("node-1", power_state="Off")], auth=AUTH) as two,
    ):
        assert one.port != two.port
        assert (power(one), power(two)) == ("On", "Off")
    # State survives a restart in the same directory.
    with SushyEmulator(tmp_path / "b", systems=[NODE], auth=AUTH) as again:
        assert power(again) == "Off"


def test_it_needs_one_kind_of_machines(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either systems or libvirt_uri"):
        SushyEmulator(tmp_path)
    with pytest.raises(ValueError, match="either systems or libvirt_uri"):
        SushyEmulator(tmp_path, systems=[NODE], libvirt_uri="test:///default")
