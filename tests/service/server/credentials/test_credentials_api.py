# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials: encrypted at rest, audited, by scope; rotation of keys."""

from __future__ import annotations

import base64
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleetcore.errors import InvalidInput, NotFound

from fleetd.server.credentials.cipher import KeyRing, new_key, read_keys
from fleetd.server.credentials.model import AuditEntry, Credential, CredentialInUse
from fleetd.server.credentials.service import Credentials
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.model import BmcAccess, Machine

SECRET = "correct horse ✓ battery"


# -- the cipher


def test_what_is_encrypted_comes_back_for_its_context_only() -> None:
    ring = KeyRing([new_key()])
    first, second = ring.encrypt(SECRET, "rack1"), ring.encrypt(SECRET, "rack1")
    assert first != second
    assert ring.decrypt(first, "rack1") == ring.decrypt(second, "rack1") == SECRET
    with pytest.raises(InvalidInput, match="changed"):
        ring.decrypt(first, "rack2")  # a row that was copied to another name


def test_what_was_tampered_with_is_refused() -> None:
    ring = KeyRing([new_key()])
    head, _colon, text = ring.encrypt(SECRET, "x").rpartition(":")
    raw = bytearray(base64.b64decode(text))
    for position in (0, 13, len(raw) - 1):
        raw[position] ^= 1
        with pytest.raises(InvalidInput):
            ring.decrypt(f"{head}:{base64.b64encode(bytes(raw)).decode()}", "x")
        raw[position] ^= 1
    for bad in ("", "v1", "v1::", f"{head}:", f"{head}:!!", "v2" + head[2:] + ":" + text):
        with pytest.raises(InvalidInput):
            ring.decrypt(bad, "x")


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = new_key(), new_key()
    secret = KeyRing([old]).encrypt(SECRET, "x")
    both = KeyRing([new, old])
    assert both.decrypt(secret, "x") == SECRET
    assert not both.current(secret)
    assert both.current(both.encrypt(SECRET, "x"))
    with pytest.raises(InvalidInput, match="not configured"):
        KeyRing([new]).decrypt(secret, "x")


@pytest.mark.parametrize("keys", [[], ["short"], [base64.b64encode(b"x" * 31).decode()], ["ä"]])
def test_bad_keys(keys: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        KeyRing(keys)
    assert not keys or keys[0] not in error.value.message


def test_key_files(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(InvalidInput, match="can't read"):
        read_keys(path)
    path.write_text(f"# new\n{new_key()}\n\n{new_key()}\n")
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="chmod 600"):
        read_keys(path)
    path.chmod(0o640)
    assert len(read_keys(path)) == 2


# -- on SQLite and PostgreSQL


def test_credentials_are_kept_encrypted_and_audited(store: Any, clock: Any) -> None:
    service = Credentials(store.tx, clock, KeyRing([new_key()]))
    service.put("rack1", "admin", "old", "olivia")
    clock.forward(5)
    made = service.put("rack1", "root", SECRET, "olivia")
    assert (made.updated_at - made.created_at).total_seconds() == 5
    login = service.read("rack1", "runner-1")
    assert (login.username, login.password) == ("root", SECRET)
    assert SECRET not in repr(login)
    (kept,) = store.credentials.all()
    assert kept == made
    assert SECRET not in kept.secret
    service.delete("rack1", "olivia")
    for missing in (lambda: service.read("rack1", "x"), lambda: service.delete("rack1", "x")):
        with pytest.raises(NotFound):
            missing()
    entries = service.audit("rack1")
    assert [(item.action, item.actor) for item in entries] == [
        ("credential.delete", "olivia"),
        ("credential.read", "runner-1"),
        ("credential.write", "olivia"),
        ("credential.write", "olivia"),
    ]
    assert [item.id for item in service.audit(limit=1, after=entries[0].id)] == [entries[1].id]


def test_rotation_changes_all_or_nothing(store: Any, clock: Any) -> None:
    old, new, other = new_key(), new_key(), new_key()
    Credentials(store.tx, clock, KeyRing([old])).put("a", "u", "secret a", "x")
    Credentials(store.tx, clock, KeyRing([other])).put("b", "u", "secret b", "x")
    before = store.credentials.all()
    with pytest.raises(InvalidInput, match="credential b"):
        Credentials(store.tx, clock, KeyRing([new, old])).rotate()
    assert store.credentials.all() == before
    service = Credentials(store.tx, clock, KeyRing([new, old, other]))
    assert service.rotate() == 2
    assert service.rotate() == 0
    rotated = Credentials(store.tx, clock, KeyRing([new]))
    assert [rotated.read(name, "x").password for name in ("a", "b")] == ["secret a", "secret b"]


# -- the API


@pytest.fixture
def keyed(api: Any) -> Any:
    api.services.credentials._cipher = KeyRing([new_key()])
    return api


def put(client: httpx.Client, **values: Any) -> httpx.Response:
    return client.put("/api/v1/credentials/rack1", json={"username": "root", "password": SECRET, **values})


def test_operators_write_and_runners_read(keyed: Any) -> None:
    answer = put(keyed.client("operator"))
    assert answer.status_code == 200
    assert "password" not in answer.json()
    listed = keyed.client("viewer").get("/api/v1/credentials")
    assert [item["name"] for item in listed.json()["items"]] == ["rack1"]
    assert SECRET not in listed.text
    for scope, status in (("viewer", 403), ("operator", 403), ("agent", 403), (None, 401), ("runner", 200)):
        read = keyed.client(scope).get("/api/v1/credentials/rack1")
        assert read.status_code == status, scope
    assert read.json() == {"name": "rack1", "username": "root", "password": SECRET}
    assert read.headers["cache-control"] == "no-store"
    for scope in ("viewer", "runner", "agent"):
        assert put(keyed.client(scope)).status_code == 403
        assert keyed.client(scope).get("/api/v1/audit").status_code == 403
    entries = keyed.client("admin").get("/api/v1/audit?subject=rack1").json()["items"]
    assert [(item["action"], item["actor"]) for item in entries] == [
        ("credential.read", "runner"),
        ("credential.write", "operator"),
    ]
    assert keyed.client("operator").delete("/api/v1/credentials/rack1").status_code == 204
    assert keyed.client("runner").get("/api/v1/credentials/rack1").status_code == 404


@pytest.mark.parametrize("password", [12345678, "x" * 5000, "tab\x01", None, ["hunter2"]])
def test_errors_do_not_repeat_passwords(keyed: Any, password: Any) -> None:
    answer = put(keyed.client("operator"), password=password)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "password"
    for said in ("12345678", "xxxxx", "hunter2", "tab"):
        assert said not in answer.text


def test_without_a_key_nothing_is_stored(api: Any) -> None:
    answer = put(api.client("operator"))
    assert answer.status_code == 422
    assert "credentials.key_file" in answer.json()["error"]["message"]
    assert api.services.credentials.find() == []


def test_a_bmc_names_its_credential(keyed: Any) -> None:
    admin = keyed.client("admin")
    bmc = {"address": "10.0.0.1", "credential": "rack1"}
    assert admin.post("/api/v1/machines", json={"id": "m1", "bmc": bmc}).json()["bmc"]["credential"] == "rack1"
    hosts = keyed.client("viewer").get("/api/v1/inventory").json()["hosts"]
    assert hosts["m1"]["bmc_credential"] == "rack1"
    bad = admin.put("/api/v1/machines/m1/bmc", json={**bmc, "credential": "no spaces"})
    assert bad.json()["error"]["details"]["field"] == "credential"


# -- real processes


def test_keys_from_file_and_environment_and_their_rotation(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    token = run_fleetd("init", "--token-only").stdout.strip()
    old, new = (run_fleetd("credential", "key").stdout.strip() for _ in range(2))
    path = "/api/v1/credentials/rack1"
    headers = {"Authorization": f"Bearer {token}"}
    with serve_fleetd(tmp_path, FLEETD_CREDENTIALS__KEY=old) as (url, _process):
        assert httpx.put(url + path, json={"username": "u", "password": SECRET}, headers=headers).status_code == 200
    keys = tmp_path / "keys"
    keys.touch(0o600)
    keys.write_text(f"{new}\n{old}\n")
    done = run_fleetd("credential", "rotate", FLEETD_CREDENTIALS__KEY_FILE=str(keys))
    assert (done.returncode, done.stdout.split()[0]) == (0, "1"), done.stderr
    keys.write_text(f"{new}\n")
    with serve_fleetd(tmp_path, FLEETD_CREDENTIALS__KEY_FILE=str(keys)) as (url, _process):
        assert httpx.get(url + path, headers=headers).json()["password"] == SECRET
    with sqlite3.connect(tmp_path / "fleetd.db") as connection:
        assert SECRET not in "".join(connection.iterdump())
    refused = run_fleetd("credential", "rotate", FLEETD_CREDENTIALS__KEY="hunter2")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "hunter2" not in refused.stderr
    assert run_fleetd("credential", "rotate").returncode == 1


def test_a_credential_that_a_bmc_names_is_not_deleted_by_accident(keyed: Any) -> None:
    operator = keyed.client("operator")
    login = {"username": "root", "password": "secret"}
    assert operator.put("/api/v1/credentials/shared", json=login).status_code == 200
    for name in ("b", "a"):
        bmc = {"address": "10.0.0.1", "credential": "shared"}
        assert operator.post("/api/v1/machines", json={"id": name, "bmc": bmc}).status_code == 201
    refused = operator.delete("/api/v1/credentials/shared")
    assert refused.status_code == 409
    assert refused.json()["error"]["details"] == {"credential": "shared", "machines": ["a", "b"], "count": 2}
    assert keyed.client("runner").get("/api/v1/credentials/shared").status_code == 200
    assert [item["id"] for item in operator.get("/api/v1/machines?credential=shared").json()["items"]] == ["a", "b"]
    audit = keyed.client("admin").get("/api/v1/audit?subject=shared").json()["items"]
    assert [item["action"] for item in audit] == ["credential.read", "credential.write"]
    assert operator.delete("/api/v1/credentials/shared?force=true").status_code == 204
    assert operator.delete("/api/v1/credentials/shared").status_code == 404


@pytest.mark.parametrize("force", [False, True])
def test_every_store_knows_who_uses_a_credential(store: Any, force: bool) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def entry(action: str) -> AuditEntry:
        return AuditEntry(new_id(now), now, "alice", action, "c1")

    store.credentials.put(Credential("c1", "root", "x", now, now), entry("credential.write"))
    store.machines.create(Machine("m1", now, now, bmc=BmcAccess("10.0.0.1", credential="c1")))
    if force:
        store.credentials.delete("c1", entry("credential.delete"), force=True)
    else:
        with pytest.raises(CredentialInUse, match="m1"):
            store.credentials.delete("c1", entry("credential.delete"))
        store.machines.update("m1", lambda item: replace(item, bmc=None))
        store.credentials.delete("c1", entry("credential.delete"))
    assert store.credentials.all() == []
    assert [item.action for item in store.credentials.audit("c1")] == ["credential.delete", "credential.write"]
    with pytest.raises(NotFound):
        store.credentials.delete("c1", entry("credential.delete"))
