# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's client against a real server: both sides of the contract at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import AuthenticationFailed, ConflictError, InvalidInput, NotFound
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions


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


def test_the_client_holds_work(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    token = run_fleetd("init", "--token-only").stdout.strip()
    with serve_fleetd(tmp_path) as (url, _process):
        client = ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token=token)
        client.create_machine({"id": "r1/n1", "lifecycle": "new"})
        session = client.start_session("worker", 30, {"host": "h1"})["id"]
        assert client.claim_work(session, "onboard", machines=["other"]) == []
        (work,) = client.claim_work(session, "onboard", 5)
        assert client.heartbeat(session)["work"] == [work]
        client.fail_work(session, "r1/n1", "onboard", "no rack", work["fencing_token"])
        assert client.explain("r1/n1", "onboard")["backoff"]["cause"] == "no rack"
        with pytest.raises(ConflictError) as error:
            client.finish_work(session, "r1/n1", "onboard")
        assert error.value.details["reason"] == "lease_lost"
        client.cancel_work(session, "r1/n1", "onboard")
        asked = client.request_powercycle("r1/n1", "hung")
        (work,) = client.claim_work(session, "powercycle")
        client.cancel_work(session, "r1/n1", "powercycle", "later")
        (again,) = client.claim_work(session, "powercycle")
        with pytest.raises(ConflictError) as error:
            client.report_powercycle(asked["id"], "verified", fencing_token=work["fencing_token"])
        assert error.value.details["reason"] == "lease_lost"
        done = client.report_powercycle(asked["id"], "verified", fencing_token=again["fencing_token"])
        assert done["state"] == "verified"
        client.take_work(session, "r1/n1")
        client.finish_work(session, "r1/n1", "manual")
        client.end_session(session)
        with pytest.raises(ConflictError) as error:
            client.heartbeat(session)
        assert error.value.details["reason"] == "session_expired"
        assert len(list(client.work_history("r1/n1", page=3))) == 8
