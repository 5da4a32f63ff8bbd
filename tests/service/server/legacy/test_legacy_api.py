# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/json/v1 and /_/ as existing clients speak them: one test per line of the table of the contract."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

ZERO = "0001-01-01T00:00:00Z"
NOW = "2026-03-01T12:00:00Z"
NEW = {
    "MaintenanceMode": "",
    "IsQuarantined": False,
    "Recovering": "",
    "AttachedDevice": "nodevice",
    "Annotation": {"Message": "", "User": "", "Timestamp": ZERO},
    "Note": {"Message": "", "User": "", "Timestamp": ZERO},
    "Version": "",
    "PowerCycle": False,
    "PowerCycleState": "not_available",
    "LastUpdated": ZERO,
    "Battery": 0,
    "Temperature": None,
    "RunningSwarmingTask": False,
    "LaunchedSwarming": False,
    "RecoveryStart": ZERO,
    "DeviceUptime": 0,
    "SSHUserIP": "",
    "SuppliedDimensions": None,
    "Dimensions": {"id": ["m1"]},
    "TaskStarted": ZERO,
}


@pytest.fixture
def client(admin: httpx.Client) -> httpx.Client:
    assert admin.post("/api/v1/machines", json={"id": "m1"}).status_code == 201
    return admin


def description(client: httpx.Client, name: str = "m1") -> Any:
    answer = client.get(f"/json/v1/machine/description/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def done(answer: httpx.Response) -> None:
    """200 with an empty body."""
    assert (answer.status_code, answer.content) == (200, b"")


def refused(answer: httpx.Response, status: int, *words: str) -> None:
    """A text error of one line."""
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1
    for word in words:
        assert word in answer.text


def states(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"Machines": [{"MachineID": name, "PowerCycleState": state} for name, state in pairs]}


# -- description


def test_a_new_machine_has_every_field_and_zero_times(client: httpx.Client) -> None:
    assert description(client) == NEW
    assert client.get("/_/machines").json() == [NEW]


def test_no_machines_are_an_empty_list(admin: httpx.Client) -> None:
    assert admin.get("/_/machines").text == "[]"


def test_unknown_and_blank_ids(client: httpx.Client) -> None:
    refused(client.get("/json/v1/machine/description/nope"), 404, "nope")
    refused(client.get("/json/v1/machine/description/"), 400, "blank")
    refused(client.get("/json/v1/machine/description/%20"), 400, "blank")
    refused(client.post("/json/v1/powercycle/complete/"), 400, "blank")
    refused(client.post("/json/v1/powercycle/complete/nope"), 404, "nope")


@pytest.mark.parametrize("path", ["rack/1/node", "rack%2F1%2Fnode"])
def test_ids_may_have_slashes_encoded_or_not(client: httpx.Client, path: str) -> None:
    client.post("/api/v1/machines", json={"id": "rack/1/node"})
    assert description(client, path)["Dimensions"]["id"] == ["rack/1/node"]
    done(client.post(f"/_/machine/toggle_powercycle/{path}"))
    assert client.get("/json/v1/powercycle/list").json() == ["rack/1/node"]
    done(client.post(f"/json/v1/powercycle/complete/{path}"))
    assert client.get("/json/v1/powercycle/list").json() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/json/v1/powercycle/list"),
        ("GET", "/json/v1/powercycle/complete/m1"),
        ("GET", "/json/v1/powercycle/state/update"),
        ("POST", "/json/v1/machine/description/m1"),
        ("GET", "/json/v1/machine/event/"),
        ("POST", "/_/machines"),
        ("GET", "/_/machine/toggle_powercycle/m1"),
        ("PUT", "/_/machine/set_note/m1"),
    ],
)
def test_wrong_methods(client: httpx.Client, method: str, path: str) -> None:
    refused(client.request(method, path), 405)


def test_unknown_paths(client: httpx.Client) -> None:
    refused(client.get("/json/v1/nope"), 404)
    refused(client.post("/json/v1/machine/event"), 404)  # the slash at the end belongs to it


# -- power cycles


def test_the_list_is_never_null(client: httpx.Client) -> None:
    answer = client.get("/json/v1/powercycle/list")
    assert answer.text == "[]"
    assert answer.headers["content-type"] == "application/json"


def test_request_list_complete(client: httpx.Client) -> None:
    done(client.post("/_/machine/toggle_powercycle/m1"))
    assert client.get("/json/v1/powercycle/list").json() == ["m1"]
    assert description(client)["PowerCycle"] is True
    done(client.post("/json/v1/powercycle/complete/m1", content=b"any {body"))
    assert client.get("/json/v1/powercycle/list").json() == []
    assert description(client)["PowerCycle"] is False
    done(client.post("/json/v1/powercycle/complete/m1"))  # a repeated report is no error
    (request,) = client.get("/api/v1/powercycles").json()["items"]
    assert request["state"] == "verified"


def test_toggling_twice_takes_it_back(client: httpx.Client) -> None:
    done(client.post("/_/machine/toggle_powercycle/m1"))
    done(client.post("/_/machine/toggle_powercycle/m1"))
    assert description(client)["PowerCycle"] is False
    assert client.get("/api/v1/powercycles").json()["items"][0]["state"] == "cancelled"
    refused(client.post("/_/machine/toggle_powercycle/nope"), 404)


def test_both_interfaces_see_one_request(client: httpx.Client) -> None:
    asked = client.post("/api/v1/powercycles", json={"machine": "m1"}).json()
    assert client.get("/json/v1/powercycle/list").json() == ["m1"]
    assert description(client)["PowerCycle"] is True
    done(client.post("/json/v1/powercycle/complete/m1"))
    assert client.get(f"/api/v1/powercycles/{asked['id']}").json()["state"] == "verified"


# -- controller states


@pytest.mark.parametrize("state", ["available", "in_error", "not_available"])
def test_states(client: httpx.Client, state: str) -> None:
    done(client.post("/json/v1/powercycle/state/update", json=states(("m1", state))))
    assert description(client)["PowerCycleState"] == state


def test_states_of_unknown_machines_wait(client: httpx.Client) -> None:
    done(client.post("/json/v1/powercycle/state/update", json=states(("later", "available"), ("event", "in_error"))))
    refused(client.get("/json/v1/machine/description/later"), 404)
    client.post("/api/v1/machines", json={"id": "later"})
    client.post("/json/v1/machine/event/", json={"type": "raw_state", "host": {"name": "event"}})
    assert description(client, "later")["PowerCycleState"] == "available"
    assert description(client, "event")["PowerCycleState"] == "in_error"


def test_a_bad_state_applies_nothing(client: httpx.Client) -> None:
    update = states(("m1", "available"), ("later", "available"), ("m1", "broken"))
    refused(client.post("/json/v1/powercycle/state/update", json=update), 400, "broken", "in_error")
    assert description(client)["PowerCycleState"] == "not_available"
    client.post("/api/v1/machines", json={"id": "later"})
    assert description(client, "later")["PowerCycleState"] == "not_available"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'"x"',
        b'{"Machines":{}}',
        b'{"Machines":[1]}',
        b'{"Machines":[{"MachineID":7,"PowerCycleState":"available"}]}',
        b'{"Machines":[{"MachineID":"","PowerCycleState":"available"}]}',
        b'{"Machines":[{"MachineID":"a b","PowerCycleState":"available"}]}',
        b'{"Machines":[{"MachineID":"x"}]}',
        b'{"Machines":[{"MachineID":"\\ud800","PowerCycleState":"available"}]}',
        b"\xff\xfe",
    ],
)
def test_bad_state_updates(client: httpx.Client, body: bytes) -> None:
    refused(client.post("/json/v1/powercycle/state/update", content=body), 400)


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"Machines":null}', b'{"Machines":[]}', b'{"other":1}'])
def test_empty_state_updates(client: httpx.Client, body: bytes) -> None:
    done(client.post("/json/v1/powercycle/state/update", content=body))


# -- events


def test_an_event_updates_the_description_and_touches_no_hold_of_people(client: httpx.Client) -> None:
    client.post("/_/machine/toggle_mode/m1")
    client.post("/_/machine/set_note/m1", json={"Message": "look"})
    client.post("/_/machine/toggle_powercycle/m1")
    before = description(client)
    event = {
        "type": "raw_state",
        "standalone": {"cores": 0},
        "host": {"name": "m1", "version": "v2", "start_time": "2026-01-01T00:00:00Z"},
        "running_swarming_task": True,
        "forced_quarantine": True,
        "launched_swarming": True,
    }
    done(client.post("/json/v1/machine/event/", json=event))
    after = description(client)
    expected = {
        **before,
        "LastUpdated": NOW,
        "Version": "v2",
        "RunningSwarmingTask": True,
        "LaunchedSwarming": True,
        "IsQuarantined": True,
        "PowerCycleState": "",  # no runner has said anything
        "SuppliedDimensions": {},
        "Dimensions": {
            "id": ["m1"],
            "tmm_version": ["v2"],
            "quarantined": ["Maintenance: admin 2026-03-01 12:00:00 UTC, Forced Quarantine"],
        },
    }
    assert after == expected


def test_the_state_of_the_controller_is_empty_until_a_runner_says_one(client: httpx.Client) -> None:
    assert send(client)["PowerCycleState"] == ""
    done(client.post("/json/v1/powercycle/state/update", json=states(("m1", "not_available"))))
    assert description(client)["PowerCycleState"] == "not_available"


@pytest.mark.parametrize(
    "body",
    [
        b'{"Type":"raw_state","HOST":{"Name":"m1","version":"v2"}}',
        b'{"type":"raw_state","host":{"name":" m1 ","version":"v2"}}',
        b'\n {"type":"raw_state","host":{"name":"m1","version":"v2"}} and more',
        b'{"type":"raw_state","host":{"name":"m1","version":"v2"},"ios":null,"new":{"field":[1]}}',
    ],
)
def test_events_are_read_as_go_reads_them(client: httpx.Client, body: bytes) -> None:
    done(client.post("/json/v1/machine/event/", content=body))
    assert description(client)["Version"] == "v2"
    assert len(client.get("/_/machines").json()) == 1


def test_names_in_any_case_and_lists_of_nothing(client: httpx.Client) -> None:
    body = {"sshuserip": "root@h", "SuppliedDimensions": {"gpu": None, "cpu": [], "os": ["x"]}}
    done(client.post("/_/machine/supply_chromeos/m1", json=body))
    after = description(client)
    assert (after["SSHUserIP"], after["SuppliedDimensions"]) == ("root@h", {"os": ["x"]})
    done(
        client.post(
            "/json/v1/powercycle/state/update", json={"machines": [{"machineid": "m1", "PowercycleState": "available"}]}
        )
    )
    assert description(client)["PowerCycleState"] == "available"


def test_a_toggle_says_who_wanted_the_power_cycle(client: httpx.Client) -> None:
    client.post("/_/machine/toggle_powercycle/m1")
    expected = {"Message": 'Requested powercycle for "m1"', "User": "admin", "Timestamp": NOW}
    assert description(client)["Annotation"] == expected


def test_only_a_person_lifts_the_quarantine(client: httpx.Client) -> None:
    for forced in (True, False):
        client.post(
            "/json/v1/machine/event/", json={"type": "raw_state", "host": {"name": "m1"}, "forced_quarantine": forced}
        )
    assert description(client)["Dimensions"]["quarantined"] == ["Forced Quarantine"]
    done(client.post("/_/machine/clear_quarantined/m1"))
    assert description(client)["IsQuarantined"] is False
    assert "quarantined" not in description(client)["Dimensions"]


def send(client: httpx.Client, **event: Any) -> Any:
    done(client.post("/json/v1/machine/event/", json={"type": "raw_state", "host": {"name": "m1"}, **event}))
    return description(client)


def test_an_android_event_is_processed(client: httpx.Client) -> None:
    android = {
        "getprop": "[ro.build.id]: [QQ2A]\n[ro.product.device]: [sargo]\n",
        "dumpsys_battery": "  level: 12\n  scale: 100\n  temperature: 250\n",
        "dumpsys_thermal_service": None,
        "uptime": 3_000_000_000,
    }
    after = send(client, android=android)
    assert (after["Battery"], after["Temperature"], after["DeviceUptime"]) == (12, {"dumpsys_battery": 25.0}, 3)
    assert (after["Recovering"], after["RecoveryStart"]) == ("Battery low.", NOW)
    assert after["Annotation"] == {"Message": "Battery low.", "User": "fleetd", "Timestamp": NOW}
    assert after["Dimensions"]["device_type"] == ["sargo"]
    assert after["Dimensions"]["quarantined"] == ["Recovering: Battery low."]
    gone = send(client)
    assert gone["Recovering"] == 'Device ["sargo"] has gone missing'
    assert gone["Dimensions"]["os"] == ["Android"]
    done(client.post("/_/machine/remove_device/m1"))
    assert send(client)["Recovering"] == ""


def test_events_of_other_devices_are_processed(client: httpx.Client) -> None:
    client.post("/_/machine/supply_chromeos/m1", json={"SSHUserIP": "root@h", "SuppliedDimensions": {"gpu": ["mali"]}})
    after = send(
        client, chromeos={"channel": "beta", "milestone": "89", "release_version": "1.2", "uptime": 10**20 // 1000}
    )
    assert after["Dimensions"]["gpu"] == ["mali"]
    assert (after["Dimensions"]["release_version"], after["DeviceUptime"]) == (["1.2"], 100_000_000)
    assert send(client, ios={"version": "13", "device_type": "iPhone", "battery": 29})["Recovering"] == "Battery low. "
    assert send(client, ios={"device_type": "iPhone", "battery": None})["Recovering"] == ""
    assert send(client, pyocd={"device_type": "nrf52840"})["Dimensions"]["device_type"] == ["nrf52840"]
    alone = {"cores": 8, "cpus": ["x86"], "gpus": None, "os_versions": ["Linux"], "gce": True, "machine_type": "n1"}
    after = send(client, standalone=alone)
    assert (after["Dimensions"]["cores"], after["Dimensions"]["gce"]) == (["8"], ["1"])
    after = send(client, server={"temperatures": {"CPU1": 95}, "drives": {"D1": "OK"}})
    assert after["Recovering"] == "Too hot: CPU1 95 °C."


@pytest.mark.parametrize(
    "part",
    [
        b'"android":{"uptime":1e400}',
        b'"android":{"uptime":9223372036854775808}',
        b'"server":{"temperatures":{"CPU1":NaN}}',
        b'"standalone":{"cores":"8"}',
        b'"standalone":{"cpus":[7]}',
        b'"ios":[]',
    ],
)
def test_events_with_values_of_the_wrong_type_change_nothing(client: httpx.Client, part: bytes) -> None:
    body = b'{"type":"raw_state","host":{"name":"m1"},' + part + b"}"
    refused(client.post("/json/v1/machine/event/", content=body), 400)
    assert description(client) == NEW


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"type": "other", "host": {"name": "x"}}, "type"),
        ({"type": "raw_state"}, "host.name"),
        ({"type": "raw_state", "host": {"name": " "}}, "host.name"),
        ({"type": "raw_state", "host": {"name": 7}}, "host.name"),
        ({"type": "raw_state", "host": {"name": "x"}, "forced_quarantine": "yes"}, "forced_quarantine"),
    ],
)
def test_bad_events(client: httpx.Client, body: Any, word: str) -> None:
    refused(client.post("/json/v1/machine/event/", json=body), 400, word)
    assert len(client.get("/_/machines").json()) == 1


# -- what people do


def test_maintenance_toggles(client: httpx.Client) -> None:
    done(client.post("/_/machine/toggle_mode/m1"))
    assert description(client)["MaintenanceMode"] == "admin 2026-03-01 12:00:00 UTC"
    done(client.post("/_/machine/toggle_mode/m1"))
    after = description(client)
    assert after["MaintenanceMode"] == ""
    assert after["Annotation"] == {"Message": "Cleared maintenance mode", "User": "admin", "Timestamp": NOW}


def test_note(client: httpx.Client) -> None:
    done(client.post("/_/machine/set_note/m1", json={"Message": "on order ✓"}))
    assert description(client)["Note"] == {"Message": "on order ✓", "User": "admin", "Timestamp": NOW}
    refused(client.post("/_/machine/set_note/m1", json={"Message": 7}), 400, "Message")
    refused(client.post("/_/machine/set_note/m1", content=b'{"Message":"\\udfff"}'), 400)
    refused(client.post("/_/machine/set_note/nope", json={"Message": "x"}), 404)


def test_attached_device(client: httpx.Client) -> None:
    for device in ("adb", "ios", "pyocd", "ssh", "nodevice"):
        done(client.post("/_/machine/set_attached_device/m1", json={"AttachedDevice": device}))
        assert description(client)["AttachedDevice"] == device
    refused(client.post("/_/machine/set_attached_device/m1", json={"AttachedDevice": "fridge"}), 400, "fridge", "adb")


def test_supply_chromeos(client: httpx.Client) -> None:
    body = {"SSHUserIP": "root@h-1.example", "SuppliedDimensions": {"gpu": ["a", "b"]}}
    done(client.post("/_/machine/supply_chromeos/m1", json=body))
    after = description(client)
    assert (after["SSHUserIP"], after["SuppliedDimensions"]) == ("root@h-1.example", {"gpu": ["a", "b"]})
    for bad in ("", "-oProxyCommand=x", "a b", "root@h;reboot", "root@h\n"):
        refused(client.post("/_/machine/supply_chromeos/m1", json={**body, "SSHUserIP": bad}), 400, "SSHUserIP")
    assert description(client)["SSHUserIP"] == "root@h-1.example"


def test_remove_device_and_delete(client: httpx.Client) -> None:
    client.post("/_/machine/supply_chromeos/m1", json={"SSHUserIP": "root@h", "SuppliedDimensions": {"gpu": ["a"]}})
    done(client.post("/_/machine/remove_device/m1"))
    after = description(client)
    assert (after["SSHUserIP"], after["SuppliedDimensions"], after["Dimensions"]) == ("", None, {"id": ["m1"]})
    done(client.post("/_/machine/delete_machine/m1"))
    refused(client.get("/json/v1/machine/description/m1"), 404)
    refused(client.post("/_/machine/delete_machine/m1"), 404)


# -- clients without tokens


def test_unmodified_clients_need_legacy_open(make_api: Any) -> None:
    closed = make_api().client(None)
    refused(closed.get("/json/v1/powercycle/list"), 401, "token")
    refused(closed.post("/json/v1/powercycle/state/update", json=states()), 401, "token")
    opened = make_api(legacy_open=True).client(None)
    assert opened.get("/json/v1/powercycle/list").json() == []
    done(opened.post("/json/v1/machine/event/", json={"type": "raw_state", "host": {"name": "m1"}}))
    done(opened.post("/_/machine/toggle_powercycle/m1"))
    done(opened.post("/json/v1/powercycle/complete/m1"))
    assert opened.get("/api/v1/machines").status_code == 401
