# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules machine and device_publish decide, on a server in memory. tests/service/client has the real one."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils import _machine, _publish
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    ConflictError,
    FleetError,
    InvalidInput,
    NotFound,
    NotVerified,
    ParseError,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.server import ServerClient
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse

BMC_DEFAULTS = {"mac": None, "drivers": ["redfish", "ipmi"], "redfish_scheme": "https", "validate_certs": True}


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


class MemoryServer:
    """As much of /api/v1/machines as the modules need. ``before_write`` is called once, before the next write."""

    def __init__(self):
        self.machines = {}
        self.devices = {}
        self.writes = []
        self.before_write = None
        self.deaf = False

    def send(self, request):
        parts = unquote(urlsplit(request.url).path).split("/")[4:]
        body = json.loads(request.body) if request.body else None
        if request.method != "GET":
            self.writes.append((request.method, body))
            hook, self.before_write = self.before_write, None
            if hook:
                hook()
        try:
            return self.answer(request, parts, body)
        except FleetError as error:
            status = {"not_found": 404, "conflict": 409}[error.code]
            return HttpResponse(status, {}, json.dumps({"error": error.to_dict()}).encode())

    def answer(self, request, parts, body):
        name = parts[0] if parts else body["id"]
        if request.method == "POST":
            if name in self.machines:
                raise ConflictError("exists")
            return self.keep(name, body, 1)
        if name not in self.machines:
            raise NotFound(f"no machine {name}")
        have = self.machines[name]
        if len(parts) > 1:
            return self.device(request, name, parts, body)
        if request.method == "DELETE":
            del self.machines[name]
            return HttpResponse(204)
        if request.method == "PATCH":
            if request.headers.get("If-Match") not in (None, f'"{have["version"]}"'):
                raise ConflictError("other version")
            if not self.deaf:
                return self.keep(name, merge(have, body), have["version"] + 1)
        return HttpResponse(200, {}, json.dumps(self.machines[name]).encode())

    def keep(self, name, body, version):
        machine = {
            "labels": {},
            "site": None,
            "rack": None,
            "position": None,
            "lifecycle": "active",
            "bmc": None,
            **body,
        }
        if machine["bmc"]:
            machine["bmc"] = {**BMC_DEFAULTS, **machine["bmc"]}
        self.machines[name] = {**machine, "id": name, "version": version}
        return HttpResponse(200, {}, json.dumps(self.machines[name]).encode())

    def device(self, request, name, parts, body):
        if request.method == "PUT":
            changed = self.devices.get((name, parts[2])) != body
            self.devices[name, parts[2]] = body
            return HttpResponse(200, {}, json.dumps({"changed": changed, "changes": 2 * changed}).encode())
        source = urlsplit(request.url).query.partition("=")[2]
        if (name, source) not in self.devices:
            raise NotFound("nothing published")
        return HttpResponse(200, {}, json.dumps(self.devices[name, source]).encode())

    def close(self):
        pass


class NoClock:
    def sleep(self, seconds):
        raise AssertionError("nothing here is worth waiting for")


@pytest.fixture
def server():
    return MemoryServer()


@pytest.fixture
def client(server):
    return ServerClient(server, NoClock(), "http://memory")


def options(**given):
    """What AnsibleModule makes of a task's options: all there, None if not given."""
    params = dict.fromkeys(["labels", "site", "rack", "position", "lifecycle", "bmc"])
    if given.get("bmc") is not None:
        names = ["address", "mac", "drivers", "redfish_scheme", "redfish_port", "ipmi_port", "system", "validate_certs"]
        given["bmc"] = {**dict.fromkeys([*names, "fingerprint"]), **given["bmc"]}
    return {**params, "name": "node-1", "state": "present", **given}


def run(client, **given):
    """(changed, result) as the boundary would have it."""
    plan = _machine.plan(client, options(**given))
    changed = plan.before != plan.after
    return changed, plan.apply() if changed else plan.preview()


FULL = {
    "labels": {"role": "compute", "gpu": True, "units": 2},
    "site": "ber1",
    "rack": "a1",
    "position": " u12 ",
    "bmc": {"address": "192.0.2.1", "mac": "00-25-90-AB-CD-EF", "fingerprint": "AB" * 32},
}


def test_create_then_nothing_to_do(client, server):
    changed, result = run(client, **FULL)
    assert changed
    machine = result["machine"]
    assert machine["labels"] == {"role": "compute", "gpu": "true", "units": "2"}
    assert machine["position"] == "u12"
    assert machine["bmc"]["mac"] == "00:25:90:ab:cd:ef"
    assert server.writes[0][1]["bmc"]["fingerprint"] == "ab" * 32
    server.writes.clear()
    assert run(client, **FULL) == (False, {"machine": machine})
    assert server.writes == []


def test_planning_sends_nothing_but_reads(client, server):
    plan = _machine.plan(client, options(**FULL))
    assert server.writes == []
    assert plan.before == {}
    assert plan.after["site"] == "ber1"
    assert plan.preview()["machine"]["id"] == "node-1"


def test_declared_labels_are_the_truth_and_the_rest_stays(client, server):
    run(client, **FULL)
    changed, result = run(client, labels={"role": "storage"})
    assert changed
    assert result["machine"]["labels"] == {"role": "storage"}
    assert result["machine"]["site"] == "ber1"
    assert server.writes[-1] == ("PATCH", {"labels": {"role": "storage", "gpu": None, "units": None}})
    assert run(client, labels={})[1]["machine"]["labels"] == {}
    assert run(client)[0] is False


def test_bmc_settings_are_changed_one_by_one(client):
    run(client, **FULL)
    changed, result = run(client, bmc={"redfish_port": 8443, "mac": "", "validate_certs": False})
    assert changed
    bmc = result["machine"]["bmc"]
    assert (bmc["address"], bmc["redfish_port"], bmc["mac"], bmc["validate_certs"]) == ("192.0.2.1", 8443, None, False)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://b.example.com", ("b.example.com", "https", None)),
        ("http://127.0.0.1:8001/", ("127.0.0.1", "http", 8001)),
        ("https://[2001:db8::1]:443", ("2001:db8::1", "https", 443)),
        ("[2001:db8::1]", ("2001:db8::1", "https", None)),
    ],
)
def test_an_address_may_be_a_url(client, address, expected):
    bmc = run(client, bmc={"address": address})[1]["machine"]["bmc"]
    assert (bmc["address"], bmc["redfish_scheme"], bmc.get("redfish_port")) == expected
    assert run(client, bmc={"address": address})[0] is False


def test_an_empty_string_clears(client):
    run(client, **FULL)
    changed, result = run(client, rack="")
    assert changed
    assert result["machine"]["rack"] is None
    assert run(client, rack="")[0] is False


def test_absent_twice(client, server):
    run(client, **FULL)
    assert run(client, state="absent") == (True, {})
    assert server.machines == {}
    assert run(client, state="absent") == (False, {})


def test_absent_that_somebody_else_was_faster_with(client, server):
    run(client, **FULL)
    server.before_write = server.machines.clear
    assert run(client, state="absent") == (True, {})


def test_somebody_else_creates_it_in_between(client, server):
    server.before_write = lambda: server.keep("node-1", {"labels": {"theirs": "1"}, "rack": "r9"}, 5)
    changed, result = run(client, labels={"ours": "1"})
    assert changed
    assert result["machine"]["labels"] == {"ours": "1"}
    assert result["machine"]["rack"] == "r9"


def test_somebody_else_changes_it_in_between(client, server):
    run(client, **FULL)
    server.before_write = lambda: server.keep("node-1", {"labels": {"late": "1"}}, 9)
    assert run(client, labels={"ours": "1"})[1]["machine"]["labels"] == {"ours": "1"}


def test_a_server_that_accepts_and_does_nothing(client, server):
    run(client, **FULL)
    server.deaf = True
    with pytest.raises(NotVerified, match="site"):
        run(client, site="muc2")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"bmc": {"address": "b", "mac": "00:25:90:ab:cd"}}, "bmc.mac"),
        ({"bmc": {"address": "b", "mac": "00:25:90:ab:cd:eg"}}, "bmc.mac"),
        ({"bmc": {"address": "b", "mac": "ff:ff:ff:ff:ff:ff"}}, "bmc.mac"),
        ({"bmc": {"address": "a b"}}, "bmc.address"),
        ({"bmc": {"address": "https://root:secret@b"}}, "bmc.address"),
        ({"bmc": {"address": ""}}, "bmc.address"),
        ({"bmc": {"address": "ftp://b"}}, "bmc.address"),
        ({"bmc": {"address": "https://b/redfish"}}, "bmc.address"),
        ({"bmc": {"address": "https://b:99999"}}, "bmc.redfish_port"),
        ({"bmc": {"address": "https://b:1", "redfish_port": 2}}, "bmc.redfish_port"),
        ({"bmc": {"address": "http://b", "redfish_scheme": "https"}}, "bmc.redfish_scheme"),
        ({"bmc": {"mac": "00:25:90:ab:cd:ef"}}, "bmc.address"),
        ({"bmc": {"address": "b", "redfish_port": 0}}, "bmc.redfish_port"),
        ({"bmc": {"address": "b", "ipmi_port": 65536}}, "bmc.ipmi_port"),
        ({"bmc": {"address": "b", "drivers": []}}, "bmc.drivers"),
        ({"bmc": {"address": "b", "drivers": ["ipmi", "ipmi"]}}, "bmc.drivers"),
        ({"bmc": {"address": "b", "fingerprint": "abc"}}, "bmc.fingerprint"),
        ({"labels": {"a": None}}, "labels.a"),
        ({"labels": {"a": ["b"]}}, "labels.a"),
        ({"labels": {" ": "b"}}, "labels"),
        ({"lifecycle": " "}, "lifecycle"),
        ({"name": ""}, "name"),
        ({"name": "", "state": "absent"}, "name"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(client, server, given, field):
    with pytest.raises(InvalidInput, match=field) as caught:
        run(client, **given)
    assert caught.value.details["field"] == field
    assert server.writes == []
    assert "secret" not in caught.value.message


# -- device_publish ----------------------------------------------------------------------------------------------------

DEVICE = {"vendor": "Exemplar", "serial": "EX1", "source": "oob", "collected_at": "2026-01-01T00:00:00Z"}


def publish(client, **given):
    return _publish.plan(client, {"machine": "node-1", "device": DEVICE, "source": None, **given})


def test_a_dump_compares_with_what_the_server_had(client, tmp_path, monkeypatch):
    run(client, **FULL)
    publish(client).apply()
    plan = publish(client, dump_dir=str(tmp_path), device={**DEVICE, "bios": {"firmware": {"installed": "2"}}})
    plan.preview()
    assert list(tmp_path.iterdir()) == [], "check mode writes nothing"
    assert plan.apply()["dumped"][0] == str(tmp_path / "node-1.device.json")
    changes = json.loads((tmp_path / "node-1.changes.json").read_text())
    assert [(item["op"], item["field"], item["after"]) for item in changes] == [
        ("added", "bios.firmware.installed", "2")
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEBUG_DUMP_DIFFERS", "true")
    assert len(publish(client).apply()["dumped"]) == 4
    assert publish(client).apply()["dumped"] == [], "published already"


def test_what_is_a_change_is_the_servers_verdict(client):
    run(client, **FULL)
    plan = publish(client)
    assert plan.always
    assert plan.apply() == {"changed": True, "changes": 2}
    assert plan.apply() == {"changed": False, "changes": 0}


def test_the_preview_compares_and_leaves_times_out(client, server):
    run(client, **FULL)
    server.writes.clear()
    assert publish(client).preview() == {"changed": True, "changes": 1}
    assert server.writes == []
    publish(client).apply()
    assert publish(client, device={**DEVICE, "collected_at": "2027-01-01T00:00:00Z"}).preview()["changed"] is False
    assert publish(client, device={**DEVICE, "serial": "EX2"}).preview()["changed"] is True


def test_unknown_machine(client):
    with pytest.raises(NotFound, match="node-1"):
        publish(client).apply()
    with pytest.raises(NotFound, match="node-1"):
        publish(client).preview()


@pytest.mark.parametrize(
    ("given", "kind", "field"),
    [
        ({"device": {"cpus": "many"}}, ParseError, "device.cpus"),
        ({"device": {"wheels": 4}}, ParseError, "device.wheels"),
        ({"device": {}}, InvalidInput, "source"),
        ({"device": {"source": "merged"}}, InvalidInput, "source"),
        ({"source": "inband"}, InvalidInput, "source"),
        ({"machine": ""}, InvalidInput, "machine"),
    ],
)
def test_bad_documents_are_not_sent(client, server, given, kind, field):
    with pytest.raises(kind) as caught:
        publish(client, **given)
    assert caught.value.details["field"] == field
    assert server.writes == []
