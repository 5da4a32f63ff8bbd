# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's client against a real server: both sides of the contract at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fleetcore.client import ServerClient
from fleetcore.clock import SystemClock
from fleetcore.errors import AuthenticationFailed, ConflictError, InvalidInput, NotFound
from fleetcore.http import HttpClient, HttpOptions


def test_the_client_and_the_server_agree(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    token = run_fleetd("init", "--token-only").stdout.strip()
    with serve_fleetd(tmp_path) as (url, _process):
        client = ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token=token)
        made = client.create_machine({"id": "r1/n1", "site": "ams", "bmc": {"address": "10.0.0.1"}})
        assert client.machine("r1/n1") == made
        with pytest.raises(ConflictError):
            client.create_machine({"id": "r1/n1"})
        with pytest.raises(InvalidInput, match=r"bmc\.mac"):
            client.patch_machine("r1/n1", {"bmc": {"mac": "zz"}})
        assert client.patch_machine("r1/n1", {"rack": "r1"}, version=1)["version"] == 2
        with pytest.raises(ConflictError):
            client.patch_machine("r1/n1", {"rack": "r2"}, version=1)
        assert client.publish_device("r1/n1", {"vendor": "ACME"}, "oob")["changed"] is True
        assert client.publish_device("r1/n1", {"vendor": "ACME"}, "oob")["changed"] is False
        assert client.device("r1/n1")["vendor"] == "ACME"
        assert len(list(client.device_history("r1/n1"))) == 1
        asked = client.request_powercycle("r1/n1", "hung")
        assert client.powercycle_list() == ["r1/n1"]
        assert client.report_powercycle(asked["id"], "off")["state"] == "off"
        client.powercycle_complete("r1/n1")
        assert client.powercycle(asked["id"])["state"] == "verified"
        client.powercycle_state_update({"r1/n1": "available", "later": "in_error"})
        assert client.description("r1/n1")["PowerCycleState"] == "available"
        assert [item["id"] for item in client.machines()] == ["r1/n1"]
        client.delete_machine("r1/n1")
        with pytest.raises(NotFound):
            client.machine("r1/n1")
        with pytest.raises(AuthenticationFailed):
            ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token="nonsense").powercycle_list()
