# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1: the merged device document, findings, history between two times, where parts are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fleetcore.document.model import device_from_dict

from fleetd.server.devices import service

MACHINE = "/api/v1/machines/m1"
COVERED = {"storage": {"verdict": "collected"}, "memory": {"verdict": "collected"}}
OOB: dict[str, Any] = {
    "vendor": "ACME",
    "serial": "S1",
    "bios": {"firmware": {"installed": "1.0"}},
    "bmc": {"nic": {"nic_ports": [{"macaddress": "aa:00:00:00:00:01"}]}},
    "memory": [{"slot": "DIMM A1", "serial": "M1", "size_bytes": 1024}],
    "drives": [{"serial": "D1", "slot": "3", "model": "X"}, {"serial": "D2", "slot": "4"}],
    "coverage": COVERED,
}
INBAND: dict[str, Any] = {
    "serial": "S1",
    "hostname": "h1",
    "memory": [{"slot": "A1", "serial": "M1", "size_bytes": 1024, "type": "DDR4"}],
    "bios_configuration": {"settings": {"smt": "Enabled"}},
    "coverage": {"smbios": {"verdict": "collected"}},
    "provenance": {"memory": "smbios"},
}


@pytest.fixture
def m1(admin: httpx.Client) -> httpx.Client:
    for name in ("m1", "m2"):
        assert admin.post("/api/v1/machines", json={"id": name}).status_code == 201
    return admin


def put(client: httpx.Client, source: str = "oob", machine: str = "m1", **changed: Any) -> dict[str, Any]:
    document = {**(OOB if source == "oob" else INBAND), **changed}
    answer = client.put(f"/api/v1/machines/{machine}/device/{source}", json=document)
    assert answer.status_code == 200, answer.text
    published: dict[str, Any] = answer.json()
    return published


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_one_view_of_both_sources(m1: httpx.Client) -> None:
    put(m1)
    put(m1, "inband")
    merged = get(m1, f"{MACHINE}/device")
    assert merged["memory"] == [
        {"slot": "DIMM A1", "serial": "M1", "size_bytes": 1024, "type": "DDR4"},
    ]
    assert merged["provenance"]["memory.slot"] == "oob"
    device_from_dict(merged)
    assert get(m1, f"{MACHINE}/device/inband")["hostname"] == "h1"
    assert get(m1, f"{MACHINE}/bios") == {
        "bios": OOB["bios"],
        "bios_configuration": INBAND["bios_configuration"],
        "provenance": {"bios": "oob", "bios_configuration": "inband"},
    }
    assert m1.get("/api/v1/machines/m2/bios").status_code == 404
    assert m1.get("/api/v1/machines/m2/device/oob").status_code == 404


def test_a_section_that_failed_does_not_vanish(m1: httpx.Client, clock: Any) -> None:
    put(m1, collected_at="2026-03-01T11:00:00Z")
    clock.forward(60)
    broken = {**COVERED, "storage": {"verdict": "timeout", "reason": "30 s"}}
    assert put(m1, drives=[], coverage=broken, collected_at="2026-03-01T11:01:00Z") == {"changed": False, "changes": 0}
    merged = get(m1, f"{MACHINE}/device")
    assert [item["serial"] for item in merged["drives"]] == ["D1", "D2"]
    assert merged["coverage"]["storage"] == {
        "verdict": "timeout",
        "reason": "30 s",
        "last_seen": "2026-03-01T11:00:00Z",
    }
    seen = {item["component"]: item for item in get(m1, "/api/v1/components", machine="m1")["items"]}
    assert (seen["drives:serial=D1"]["last_seen"], seen["drives:serial=D1"]["current"]) == (
        "2026-03-01T12:00:00Z",
        True,
    )
    assert seen["memory:serial=M1"]["last_seen"] == "2026-03-01T12:01:00Z"
    clock.forward(60)
    assert put(m1, drives=OOB["drives"][:1])["changes"] == 1
    (gone,) = get(m1, f"{MACHINE}/device/history")["items"][0]["changes"]
    assert (gone["op"], gone["component"]) == ("removed", "drives:serial=D2")


def test_findings_and_their_number(m1: httpx.Client) -> None:
    put(m1)
    put(m1, "inband")
    assert get(m1, f"{MACHINE}/device/findings") == {"items": []}
    put(m1, "inband", memory=[{**INBAND["memory"][0], "size_bytes": 512}])
    (finding,) = get(m1, f"{MACHINE}/device/findings")["items"]
    assert (finding["kind"], finding["component"], finding["values"]) == (
        "disagreement",
        "memory:serial=M1",
        {"oob": 1024, "inband": 512},
    )
    device = get(m1, MACHINE)["device"]
    assert (device["findings"], device["worst_finding"]) == (1, "warning")
    assert get(m1, "/api/v1/machines/m2/device/findings") == {"items": []}
    assert m1.get("/api/v1/machines/none/device/findings").status_code == 404


def test_a_document_that_was_published_for_the_wrong_machine(m1: httpx.Client) -> None:
    put(m1)
    put(m1, "oob", "m2", serial="S2")
    put(m1, "inband", "m2")  # that of m1
    kinds = {(item["kind"], item["severity"]) for item in get(m1, "/api/v1/machines/m2/device/findings")["items"]}
    assert kinds == {("other_machine", "critical"), ("serial_elsewhere", "critical")}
    assert get(m1, "/api/v1/machines/m2")["device"]["worst_finding"] == "critical"


def test_a_placeholder_is_nobodys_serial_number(m1: httpx.Client) -> None:
    for name in ("m1", "m2"):
        put(m1, "oob", name, serial="To Be Filled By O.E.M.", drives=[{"serial": "N/A", "slot": "1"}], memory=[])
        assert get(m1, f"/api/v1/machines/{name}/device/findings") == {"items": []}
    assert get(m1, "/api/v1/components", serial="N/A")["items"] == []


def test_a_bmc_that_is_not_the_registered_one(m1: httpx.Client) -> None:
    m1.put(f"{MACHINE}/bmc", json={"address": "10.0.0.7", "mac": "aa:00:00:00:00:02"})
    put(m1)
    (finding,) = get(m1, f"{MACHINE}/device/findings")["items"]
    assert (finding["kind"], finding["values"]["registered"]) == ("wrong_bmc", "aa:00:00:00:00:02")


def test_the_state_at_a_time_and_what_changed_between_two(m1: httpx.Client, clock: Any) -> None:
    put(m1)
    clock.forward(60)
    put(m1, "inband")
    clock.forward(60)
    put(m1, bios={"firmware": {"installed": "2.0"}}, drives=[{"serial": "D1", "slot": "5", "model": "X"}])
    assert get(m1, f"{MACHINE}/device", at="2026-03-01T12:01:30Z")["bios"]["firmware"]["installed"] == "1.0"
    assert "hostname" not in get(m1, f"{MACHINE}/device", at="2026-03-01T13:00:30+01:00")
    assert m1.get(f"{MACHINE}/device", params={"at": "2026-03-01T11:00:00Z"}).status_code == 404
    found = get(m1, f"{MACHINE}/device/diff", **{"from": "2026-03-01T12:00:00Z"})
    assert (found["from"], found["to"]) == ("2026-03-01T12:00:00Z", None)
    told = {(item["op"], item["component"], item.get("field")) for item in found["changes"]}
    assert told >= {
        ("changed", "device", "bios.firmware.installed"),
        ("added", "device", "hostname"),
        ("moved", "drives:serial=D1", "slot"),
        ("removed", "drives:serial=D2", None),
    }
    first = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T12:01:59Z"}
    assert get(m1, f"{MACHINE}/device/diff", source="oob", **first)["changes"] == []
    start = get(m1, f"{MACHINE}/device/diff", source="oob", **{"from": "2026-03-01T11:00:00Z", "to": first["from"]})
    assert {item["op"] for item in start["changes"]} == {"added"}


@pytest.mark.parametrize("text", ["yesterday", "2026-03-01", "2026-03-01T12:00:00", "0001-01-01T00:00:00+23:00", ""])
def test_times_that_can_not_be_used(m1: httpx.Client, text: str) -> None:
    answer = m1.get(f"{MACHINE}/device/diff", params={"from": text})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "from"


def test_a_drive_that_went_from_one_machine_to_another_is_one_history(m1: httpx.Client, clock: Any) -> None:
    put(m1)
    clock.forward(60)
    put(m1, drives=OOB["drives"][1:])
    clock.forward(60)
    put(m1, "oob", "m2", serial="S2", drives=[{"serial": "D1", "slot": "5", "model": "X"}])
    items = get(m1, "/api/v1/components", serial="d1")["items"]
    assert [(item["machine"], item["slot"], item["current"]) for item in items] == [
        ("m1", "3", False),
        ("m2", "5", True),
    ]
    assert items[0] == {
        "machine": "m1",
        "source": "oob",
        "kind": "drives",
        "component": "drives:serial=D1",
        "slot": "3",
        "serial": "D1",
        "vendor": None,
        "model": "X",
        "first_seen": "2026-03-01T12:00:00Z",
        "last_seen": "2026-03-01T12:00:00Z",
        "current": False,
    }
    page = get(m1, "/api/v1/components", serial="D1", limit=1)
    assert page["items"] == items[:1]
    assert get(m1, "/api/v1/components", serial="D1", limit=1, cursor=page["next"]) == {
        "items": items[1:],
        "next": None,
    }
    assert [item["machine"] for item in get(m1, "/api/v1/components", kind="device", current=True)["items"]] == [
        "m1",
        "m2",
    ]


def test_a_part_that_is_current_in_two_machines(m1: httpx.Client) -> None:
    parts = {"drives": [{"serial": "D1", "model": "X"}], "power_supplies": [{"serial": "P1"}], "memory": []}
    for name in ("m1", "m2"):
        put(m1, "oob", name, serial=f"S-{name}", **parts, enclosures=[{"serial": "E1"}])
    (finding,) = get(m1, "/api/v1/machines/m2/device/findings")["items"]  # supplies and enclosures may be shared
    assert (finding["kind"], finding["severity"], finding["component"]) == (
        "part_elsewhere",
        "warning",
        "drives:serial=D1",
    )
    assert "m1" in finding["message"]
    assert get(m1, "/api/v1/machines/m2")["device"]["findings"] == 1
    put(m1, "oob", "m1", serial="S-m1", drives=[{"serial": "D2"}])
    assert get(m1, "/api/v1/machines/m2/device/findings") == {"items": []}
    put(m1, "oob", "m1", serial="S-m1", drives=[{"serial": "D1", "model": "of another maker"}])
    assert get(m1, "/api/v1/machines/m2/device/findings") == {"items": []}


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"address": "10.9.9.9"}, "address"),
        ({"address": "10.9.9.8", "mac": "AA:AA:AA:00:00:01"}, "macaddress"),
        ({"address": "10.9.9.9", "redfish_port": 8443}, None),  # another port of one address
        ({"address": "10.9.9.9", "mac": "AA:AA:AA:00:00:01", "system": "Node2"}, None),  # a system of several
        ({"address": "10.9.9.8", "mac": "AA:AA:AA:00:00:02"}, None),
    ],
)
def test_two_machines_with_one_bmc(m1: httpx.Client, other: dict[str, Any], field: str | None) -> None:
    mine = {"address": "10.9.9.9", "mac": "aa:aa:aa:00:00:01"}
    for name, bmc in (("m1", mine), ("m2", other)):
        m1.put(f"/api/v1/machines/{name}/bmc", json=bmc).raise_for_status()
    for name, neighbour in (("m1", "m2"), ("m2", "m1")):
        found = get(m1, f"/api/v1/machines/{name}/device/findings")["items"]
        assert [(item["kind"], item["severity"], item["field"]) for item in found] == (
            [("bmc_elsewhere", "critical", field)] if field else []
        )
        assert all(neighbour in item["message"] for item in found)


CONTRADICTED = [{**INBAND["memory"][0], "size_bytes": 512}]


def test_a_finding_has_an_age_and_can_be_accepted(m1: httpx.Client, clock: Any, api: Any) -> None:
    put(m1)
    put(m1, "inband", memory=CONTRADICTED)
    clock.forward(3600)
    put(m1, "inband", memory=CONTRADICTED, hostname="h2")
    (finding,) = get(m1, f"{MACHINE}/device/findings")["items"]
    assert (finding["since"], finding["accepted"]) == ("2026-03-01T12:00:00Z", None)
    path = f"{MACHINE}/device/findings/{finding['id']}/acceptance"
    assert api.client("viewer").put(path, json={"reason": "x"}).status_code == 403
    assert m1.put(path, json={"reason": ""}).status_code == 422
    assert m1.put(path.replace(finding["id"], "none"), json={"reason": "x"}).status_code == 404
    accepted = api.client("operator").put(path, json={"reason": "mirrored memory"}).json()
    assert accepted["accepted"] == {"by": "operator", "at": "2026-03-01T13:00:00Z", "reason": "mirrored memory"}
    assert get(m1, f"{MACHINE}/device/findings")["items"] == [accepted]
    assert api.client("admin").put(path, json={"reason": "mirrored memory"}).json() == accepted  # nothing new
    for _ in range(2):
        device = get(m1, MACHINE)["device"]
        assert (device["findings"], device["worst_finding"]) == (0, None)
        put(m1, "inband", memory=CONTRADICTED, hostname="h3")  # it stays quiet
    # Something else is said: that is another finding.
    put(m1, "inband", memory=[{**CONTRADICTED[0], "size_bytes": 256}])
    (other,) = get(m1, f"{MACHINE}/device/findings")["items"]
    assert (other["accepted"], other["since"]) == (None, "2026-03-01T13:00:00Z")
    assert get(m1, MACHINE)["device"]["findings"] == 1
    # It comes back, and is accepted still, until somebody takes that back.
    put(m1, "inband", memory=CONTRADICTED)
    assert get(m1, f"{MACHINE}/device/findings")["items"] == [accepted]
    assert m1.delete(path).json()["accepted"] is None
    assert get(m1, MACHINE)["device"]["findings"] == 1
    told = [item for item in get(m1, "/api/v1/events", machine="m1")["items"] if "finding" in item["kind"]]
    assert {(item["kind"], item["actor"], item["message"]) for item in told if item["kind"] != "device.finding"} == {
        ("device.finding_accepted", "operator", "mirrored memory"),
        ("device.finding_reopened", "admin", ""),
    }
    assert sum(item["kind"] == "device.finding" for item in told) == 2


def test_a_finding_that_is_gone_is_new_when_it_comes_back(m1: httpx.Client, clock: Any) -> None:
    put(m1)
    for memory, since in ((CONTRADICTED, "12:00"), (INBAND["memory"], None), (CONTRADICTED, "12:02")):
        put(m1, "inband", memory=memory)
        found = get(m1, f"{MACHINE}/device/findings")["items"]
        assert [item["since"] for item in found] == ([f"2026-03-01T{since}:00Z"] if since else [])
        clock.forward(60)


def test_an_older_observation_is_filed_at_its_own_time(m1: httpx.Client, clock: Any) -> None:
    def seen(hour: int, *serials: str) -> dict[str, Any]:
        drives = [{"serial": serial} for serial in serials]
        return put(m1, drives=drives, collected_at=f"2026-03-01T{hour:02}:00:00Z")

    assert seen(11, "D1")["changed"]
    clock.forward(4 * 3600)
    assert seen(15, "D1", "D4")["changed"]
    before = [get(m1, f"{MACHINE}/device/oob"), get(m1, MACHINE)["device"], get(m1, "/api/v1/components")["items"]]
    clock.forward(60)
    assert seen(13, "D1", "D3") == {"changed": False, "changes": 0}
    assert seen(13, "D1", "D3") == {"changed": False, "changes": 0}
    assert before == [
        *(get(m1, f"{MACHINE}/device/oob"), get(m1, MACHINE)["device"]),
        get(m1, "/api/v1/components")["items"],
    ]
    history = get(m1, f"{MACHINE}/device/history")["items"]
    assert [item["at"][11:16] for item in history] == ["16:00", "13:00", "12:00"]
    assert [(item["op"], item["component"]) for item in history[1]["changes"]] == [("added", "drives:serial=D3")]
    for at, serials in (("12:59", ["D1"]), ("13:00", ["D1", "D3"]), ("16:00", ["D1", "D4"])):
        document = get(m1, f"{MACHINE}/device", at=f"2026-03-01T{at}:00Z")
        assert [drive["serial"] for drive in document["drives"]] == serials
    (filed,) = [item for item in get(m1, "/api/v1/events", machine="m1")["items"] if item["kind"] == "device.filed"]
    assert filed["data"]["observed_at"].startswith("2026-03-01T13:00")


@pytest.mark.parametrize("verdict", ["failed", "timeout"])
def test_drives_that_name_their_controller_outlive_a_tool_that_fails(
    m1: httpx.Client, clock: Any, verdict: str
) -> None:
    drives = [{"serial": "D7", "storage_controller": "0000:5e:00.0", "power_on_hours": 9}]
    about: dict[str, Any] = {"provenance": {"drives": "block,nvme"}, "storage_controller": [{"id": "0000:5e:00.0"}]}
    block = {"block": {"verdict": "collected"}}
    put(m1, "inband", drives=drives, coverage={**block, "nvme": {"verdict": "collected"}}, **about)
    clock.forward(60)
    lean = [{"serial": "D7", "storage_controller": "0000:5e:00.0"}]
    put(m1, "inband", drives=lean, coverage={**block, "nvme": {"verdict": verdict}}, **about)
    kept = get(m1, f"{MACHINE}/device/inband")
    assert kept["drives"] == drives
    assert kept["coverage"]["nvme"] == {"verdict": verdict, "last_seen": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize("said", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:05Z", "yesterday", "2026-03-01T12:00:00Z"])
def test_a_clock_that_is_wrong_freezes_nothing(m1: httpx.Client, clock: Any, said: str) -> None:
    put(m1, collected_at=said)
    clock.forward(60)
    assert put(m1, drives=[], collected_at="2026-03-01T12:00:30Z")["changed"]
    assert put(m1, collected_at="1970-01-01T00:00:09Z")["changed"]  # a clock that was never set: as it comes


def test_a_document_that_the_server_fails_on_is_refused(m1: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    put(m1)

    def broken(*_arguments: Any) -> None:
        raise KeyError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(service, "diff", broken)
        answer = m1.put(f"{MACHINE}/device/oob", json=OOB)
        assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, "device")
        bulk = [{"machine": name, "device": {**OOB, "source": "oob"}} for name in ("m1", "m2")]
        items = m1.post("/api/v1/devices", json={"items": bulk}).json()["items"]
        assert [item["error"]["code"] for item in items] == ["parse_error", "parse_error"]
    assert put(m1) == {"changed": False, "changes": 0}


def test_who_may_not_read(m1: httpx.Client, api: Any) -> None:
    for path in (f"{MACHINE}/device/findings", f"{MACHINE}/device/diff", f"{MACHINE}/bios", "/api/v1/components"):
        assert api.client(None).get(path).status_code == 401
