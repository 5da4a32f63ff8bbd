# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recording and replaying a walk, and what is taken out of a recording."""

from __future__ import annotations

import io
import json
import os
import tarfile

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Verdict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.capture import read
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.interpret import interpret
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.record import Record, RecordingWalker
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.redact import (
    REDACTED,
    Redactor,
    is_secret,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.replay import replay
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.wants import Outcome
from hypothesis import given
from hypothesis import strategies as st

SYSTEM = {
    "@odata.id": "/redfish/v1/Systems/1",
    "Id": "1",
    "SerialNumber": "S1",
    "Memory": {"@odata.id": "/redfish/v1/Systems/1/Memory"},
    "Processors": {"@odata.id": "/redfish/v1/Systems/1/Processors?owner=me"},
    "Storage": {"@odata.id": "/redfish/v1/Systems/1/Storage"},
}
ROOT = {
    "@odata.id": "/redfish/v1/",
    "Systems": {"@odata.id": "/redfish/v1/Systems"},
    "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": True, "Levels": True}},
}


def dimm(number, **more):
    path = f"/redfish/v1/Systems/1/Memory/{number}"
    oem = {"Oem": {"X": {"@odata.id": f"{path}/Oem/X", "Id": "x", "PciId": "1"}}}
    return {"@odata.id": path, "Id": str(number), "CapacityMiB": 1024, "SerialNumber": f"M{number}", **oem, **more}


ANSWERS = {
    "/redfish/v1/": ROOT,
    "/redfish/v1/Systems?$expand=.($levels=1)": {
        "@odata.id": "/redfish/v1/Systems",
        "Members": [{"@odata.id": "/redfish/v1/Systems/1"}],
    },
    "/redfish/v1/Systems/1": SYSTEM,
    "/redfish/v1/Systems/1/Memory?$expand=.($levels=1)": {
        "@odata.id": "/redfish/v1/Systems/1/Memory",
        "Members": [dimm(1), dimm(2)],
        "Members@odata.nextLink": "/redfish/v1/Systems/1/Memory?$skip=2",
    },
    "/redfish/v1/Systems/1/Memory?$skip=2": {
        "@odata.id": "/redfish/v1/Systems/1/Memory",
        "Members": [dimm(3)],
    },
    "/redfish/v1/Systems/1/Processors?owner=me": {
        "Members": [{"@odata.id": "/redfish/v1/Systems/1/Processors/1", "Id": "1", "ProcessorType": "CPU"}]
    },
    "/redfish/v1/Systems/1/Storage": Outcome(Verdict.DENIED, reason="HTTP 403: no", status=403),
}


def record(answers=None, stop_after=None, **options):
    """Walk over scripted answers (default: ANSWERS); the record and the document."""
    answers = ANSWERS if answers is None else answers
    written = Record(**options)
    walker = RecordingWalker(written, ["memory", "processors", "storage"])
    number = 0
    while not walker.done:
        for want in walker.wants():
            number += 1
            if stop_after is not None and number > stop_after:
                walker.took(want, Outcome(Verdict.TIMEOUT, reason="too late"))
                walker.skip_rest(Verdict.TIMEOUT, "too late")
                continue
            answer = answers.get(
                want.url, answers.get(want.path, Outcome(Verdict.ABSENT, reason="HTTP 404", status=404))
            )
            if not isinstance(answer, Outcome):
                answer = Outcome(Verdict.COLLECTED, answer, status=200)
            walker.took(want, answer)
    return written, interpret(walker.tree, walker.coverage())


def saved(tmp_path, written, facts=None):
    path = tmp_path / "m.tar.gz"
    path.write_bytes(written.pack("m", {"sections": ["memory", "processors", "storage"], **(facts or {})}))
    return str(path)


def without_attempts(device):
    return {**vars(device), "attempts": ()}


def test_a_replay_gives_the_same_document(tmp_path):
    written, device = record()
    assert (len(device.memory), len(device.cpus)) == (3, 1)
    again = replay(read(saved(tmp_path, written)))
    assert without_attempts(again) == without_attempts(device)
    assert again.coverage["storage"].verdict is Verdict.DENIED
    assert written.pack("m", {}) == written.pack("m", {}), "the same bytes for the same record"


def test_the_mockup_has_each_resource_once_and_whole(tmp_path):
    bodies = read(saved(tmp_path, record()[0])).bodies
    collection = json.loads(bodies["/redfish/v1/Systems/1/Memory"])
    assert collection["Members"] == [{"@odata.id": f"/redfish/v1/Systems/1/Memory/{number}"} for number in (1, 2, 3)]
    assert "Members@odata.nextLink" not in collection, "the pages are joined"
    assert json.loads(bodies["/redfish/v1/Systems/1/Memory/1"]) == dimm(1), "with the part of the vendor inside"
    assert "/redfish/v1/Systems/1/Memory/1/Oem/X" not in bodies
    assert not [path for path in bodies if "owner" in path]


def test_a_walk_that_was_stopped_replays_as_stopped(tmp_path):
    written, device = record(stop_after=3)
    again = replay(read(saved(tmp_path, written)))
    assert {name: item.verdict for name, item in again.coverage.items()} == {
        name: item.verdict for name, item in device.coverage.items()
    }
    assert again.coverage["memory"].verdict is Verdict.TIMEOUT


def test_facts_of_the_manifest_come_back(tmp_path):
    facts = {
        "collected_at": "2026-01-01T00:00:00Z",
        "attempts": [{"driver": "ipmi", "error": "timeout"}, {"driver": "redfish"}],
    }
    again = replay(read(saved(tmp_path, record()[0], facts)))
    assert again.collected_at == "2026-01-01T00:00:00Z"
    assert [(item.driver, item.error) for item in again.attempts] == [("ipmi", "timeout"), ("redfish", None)]


def test_an_unpacked_capture_reads_the_same(tmp_path):
    path = saved(tmp_path, record()[0])
    with tarfile.open(path) as archive:
        for member in archive:  # no extractall(filter=...) before Python 3.12
            target = tmp_path / member.name
            os.makedirs(target.parent, exist_ok=True)
            target.write_bytes(archive.extractfile(member).read())
    assert replay(read(str(tmp_path / "m"))) == replay(read(path))


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00garbage"])
def test_what_is_no_capture_is_said(tmp_path, content):
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="can't be read as a capture"):
        read(str(path))
    with pytest.raises(InvalidInput, match="No such file"):
        read(str(tmp_path / "absent"))
    with pytest.raises(InvalidInput, match="no Redfish mockup"):
        read(str(tmp_path))


def test_a_cut_archive_is_said(tmp_path):
    whole = record()[0].pack("m", {})
    path = tmp_path / "m.tar.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="can't be read as a capture"):
        read(str(path))


def test_a_manifest_of_a_later_format_is_refused(tmp_path):
    path = tmp_path / "m.tar"
    with tarfile.open(path, "w") as archive:
        for name, body in (("m/manifest.json", {"format": 99, "requests": []}), ("m/redfish/v1/index.json", ROOT)):
            data = json.dumps(body).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(InvalidInput, match="format 99"):
        read(str(path))


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Password", "SysPassword", "BindPasswd", "CHAPSecret", "X-Auth-Token", "CommunityString", "AgentCommunity",
        "IPMILan.1.EncryptionKey", "Users.2.MD5v3Key", "Key", "LicenseKey", "LicenseString", "SessionId",
        "AuthenticationKey",
    ],
)  # fmt: skip
def test_secret_names(name):
    cleaned = Redactor().clean({name: "s3cret", "Deep": [{name: ["s3cret", {"Value": "s3cret"}]}]})
    assert "s3cret" not in json.dumps(cleaned)
    assert REDACTED in json.dumps(cleaned)


@pytest.mark.parametrize(
    "name",
    [
        "#ManagerAccount.ChangePassword", "ResetKeysType@Redfish.AllowableValues", "KeyboardLayout",
        "DeleteUnusedEncryptionKeys",
        "Id", "@odata.id", "KeySequence", "UefiShellPhysicalPresenceKeystroke", "SecureBoot", "Message",
    ],
)  # fmt: skip
def test_names_that_hold_no_secret(name):
    assert not is_secret(name)
    assert Redactor().clean({name: {"target": "/redfish/v1/x"}}) == {name: {"target": "/redfish/v1/x"}}


def test_secrets_inside_of_texts_and_links():
    redactor = Redactor(["hunter2!"], b"salt")
    body = {
        "@odata.id": "/redfish/v1/SessionService/Sessions/abc123/x",
        "Sessions": [{"@odata.id": "/redfish/v1/SessionService/Sessions/Members/abc123"}],
        "Image": "https://me:pa55@files.example.net/x.iso",
        "Message": "login with hunter2! from 192.0.2.1",
        "Pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\n",
        "MinPasswordLength": 8,
        "PasswordSet": True,
        "SetupPassword": "",
        "UserName": "root",
        "Oem": {"Owner": {"UserName": "root"}, "Other": {"Username": "guest"}},
    }
    cleaned = redactor.clean(body)
    text = json.dumps(cleaned)
    for secret in ("abc123", "pa55", "hunter2", "MIIabc", '"root"', "guest"):
        assert secret not in text
    assert cleaned["Image"] == f"https://{REDACTED}@files.example.net/x.iso"
    assert (cleaned["MinPasswordLength"], cleaned["PasswordSet"], cleaned["SetupPassword"]) == (8, True, "")
    assert cleaned["UserName"] == cleaned["Oem"]["Owner"]["UserName"] != cleaned["Oem"]["Other"]["Username"]
    assert cleaned["UserName"] != Redactor([], b"other").clean(body)["UserName"], "can't be looked up across captures"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Members", "@odata.id", "Id", "Password", "Oem", "x", "@odata.type"]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.booleans())
def test_any_json_is_recorded_and_read_back(tmp_path_factory, body, members):
    listed = {**body, "Members": [body, {"@odata.id": "/redfish/v1/Systems/1", **body}]} if members else body
    answers = {"/redfish/v1/": ROOT, "/redfish/v1/Systems": listed, "/redfish/v1/Systems/1": body}
    written, _device = record(answers)
    path = tmp_path_factory.mktemp("c") / "x.tar.gz"
    path.write_bytes(written.pack("x", {}))
    assert len(read(str(path)).requests) == len({entry["url"] for entry in written.requests})


def test_deep_json_is_cut_and_not_fatal():
    body = {"Id": "1"}
    for _level in range(400):
        body = {"x": [body]}
    assert json.dumps(Redactor().clean(body)).count("x") < 100
