# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every call of the client against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from client_support import Server
from fleetcore.errors import (
    AuthenticationFailed,
    ConflictError,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unreachable,
)
from fleetcore.net.client.server import ServerClient

DEVICE = {"source": "oob", "vendor": "Exemplar", "serial": "EX1", "collected_at": "2026-01-01T00:00:00Z"}
NUMBERS = count(1)


@pytest.fixture
def client(server: Server) -> Iterator[ServerClient]:
    with server.client() as client:
        yield client


@pytest.fixture
def machine(client: ServerClient) -> Iterator[str]:
    """A machine whose id needs care in a URL."""
    name = f"site~1/rack@2:a/node+{next(NUMBERS)}"
    client.create_machine({"id": name, "site": "ber1", "labels": {"role": "a=b"}, "bmc": {"address": "192.0.2.1"}})
    yield name
    client.delete_machine(name)


def test_machines(client: ServerClient, machine: str) -> None:
    found = client.machine(machine)
    assert (found["id"], found["site"], found["labels"]) == (machine, "ber1", {"role": "a=b"})
    assert [item["id"] for item in client.machines(site="ber1", labels={"role": "a=b"}, page=1)] == [machine]
    assert list(client.machines(site="nowhere")) == []
    changed = client.patch_machine(machine, {"site": None, "labels": {"role": None, "x": "y"}}, found["version"])
    assert (changed["site"], changed["labels"]) == (None, {"x": "y"})
    with pytest.raises(ConflictError, match="version"):
        client.patch_machine(machine, {"site": "b"}, found["version"])
    with pytest.raises(ConflictError, match=r"exist|taken"):
        client.create_machine({"id": machine})


def test_device_documents(client: ServerClient, machine: str) -> None:
    assert client.publish_device(machine, DEVICE, "oob")["changed"] is True
    assert client.publish_device(machine, DEVICE, "oob") == {"changed": False, "changes": 0}
    assert client.device(machine)["serial"] == "EX1"
    assert client.device(machine, "oob")["serial"] == "EX1"
    with pytest.raises(NotFound, match="inband"):
        client.device(machine, "inband")
    assert len(list(client.device_history(machine, page=1))) == 1
    results = client.publish_devices([(machine, {**DEVICE, "serial": "EX2"}), ("gone", DEVICE)])
    assert results[0]["changed"] is True
    assert results[1]["error"]["code"] == "not_found"
    with pytest.raises(InvalidInput, match="cpus") as caught:
        client.publish_device(machine, {**DEVICE, "cpus": "many"}, "oob")
    assert caught.value.details["field"] == "device.cpus"


def test_power_cycle_to_the_end(client: ServerClient, machine: str, server: Server) -> None:
    request = client.request_powercycle(machine, "hangs", "me")
    assert client.request_powercycle(machine, "again")["id"] == request["id"]
    with server.client("runner") as runner:
        assert runner.powercycle_list() == [machine]
        runner.powercycle_state_update({machine: "available", "unknown-one": "in_error"})
        assert runner.report_powercycle(request["id"], "off", runner="r1")["state"] == "off"
        assert runner.description(machine)["PowerCycle"] is True
        runner.powercycle_complete(machine)
    assert client.powercycle_list() == []
    description = client.description(machine)
    assert (description["PowerCycle"], description["PowerCycleState"]) == (False, "available")
    assert client.powercycle(request["id"])["state"] == "verified"
    assert [item["id"] for item in client.powercycles(machine=machine, page=1)] == [request["id"]]
    with pytest.raises(ConflictError):
        client.cancel_powercycle(request["id"])


def test_power_cycle_that_is_cancelled(client: ServerClient, machine: str) -> None:
    request = client.request_powercycle(machine, "hangs")
    assert client.cancel_powercycle(request["id"])["state"] == "cancelled"
    assert client.powercycle_list() == []


def test_inventory(client: ServerClient, machine: str) -> None:
    first = client.inventory(site="ber1", labels={"role": "a=b"})
    assert first.data
    assert list(first.data["hosts"]) == [machine]
    assert first.data["groups"]["site_ber1"] == {"hosts": [machine]}
    assert client.inventory(site="ber1", labels={"role": "a=b"}, etag=first.etag).data is None
    client.patch_machine(machine, {"rack": "r1"})
    assert client.inventory(etag=first.etag).data


def test_what_does_not_exist(client: ServerClient) -> None:
    for call in (client.machine, client.delete_machine, client.device, client.description):
        with pytest.raises(NotFound, match="nobody"):
            call("nobody")
    with pytest.raises(NotFound, match="nobody"):
        client.request_powercycle("nobody", "hangs")
    with pytest.raises(NotFound, match="nobody"):
        client.powercycle_complete("nobody")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "x y"}, "id"),
        ({"id": "x", "bmc": {"address": "b", "mac": "nonsense"}}, "bmc.mac"),
        ({"id": "x", "labels": {"": "b"}}, "labels"),
        ({"id": "x", "colour": "red"}, "colour"),
    ],
)
def test_the_server_names_the_field(client: ServerClient, body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.create_machine(body)
    assert caught.value.details["field"] == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("scope", "kind"), [("", AuthenticationFailed), ("wrong", AuthenticationFailed), ("viewer", PermissionDenied)]
)
def test_tokens(server: Server, scope: str, kind: type[FleetError]) -> None:
    with server.client(scope) as client, pytest.raises(kind) as caught:
        client.create_machine({"id": "x"})
    assert type(caught.value) is kind
    assert "wrong" not in caught.value.message.replace(server.url, "")


def test_json_v1_wants_a_token_too(server: Server) -> None:
    with server.client("wrong") as client, pytest.raises(AuthenticationFailed, match="server_token"):
        client.powercycle_list()


def test_server_that_is_down(server: Server, client: ServerClient) -> None:
    server.stop()
    try:
        with pytest.raises(Unreachable, match=f"^machine server {server.url}: connection refused") as caught:
            client.machine("x")
        assert "\n" not in caught.value.message
    finally:
        server.start()
    assert client.powercycle_list() == []
