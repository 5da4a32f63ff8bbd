# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import httpx
import pytest

from fleetlab.farm import Bmc


def connect(bmc: Bmc, login: bool = True, timeout: float = 60.0) -> httpx.Client:
    """A client of one BMC, with a session unless `login` is false."""
    client = httpx.Client(base_url=bmc.url, verify=False, timeout=timeout)
    if login:
        answer = log_in(client, bmc)
        assert answer.status_code == 201, answer.text
        client.headers["X-Auth-Token"] = answer.headers["X-Auth-Token"]
    return client


def log_in(client: httpx.Client, bmc: Bmc, password: str | None = None) -> httpx.Response:
    body = {"UserName": bmc.username, "Password": bmc.password if password is None else password}
    return client.post("/redfish/v1/SessionService/Sessions", json=body)


@pytest.fixture(name="connect")
def connect_fixture():
    """`connect(bmc)` -> httpx.Client; all of them are closed at the end."""
    clients = []

    def made(bmc, **options):
        clients.append(connect(bmc, **options))
        return clients[-1]

    yield made
    for client in clients:
        client.close()


@pytest.fixture(name="log_in")
def log_in_fixture():
    return log_in


@pytest.fixture
def reset():
    def post(client, system, kind):
        return client.post(f"{system}/Actions/ComputerSystem.Reset", json={"ResetType": kind})

    return post
