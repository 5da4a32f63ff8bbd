# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetd export`: documents for FleetDB, for programs and for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from fleetcore.document.sections import KINDS

from fleetd.cli import main
from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine

DOCUMENT = {
    "vendor": "ACME",
    "model": "R1",
    "cpus": [{"slot": "CPU1", "model": "X", "cores": 8, "clock_speed_hz": 2_000_000_000}],
    "licences": [{"id": "1", "description": "Advanced", "expires_at": "2027-01-01"}],
    "fabric_ports": [{"id": "HCA-1", "kind": "infiniband", "wwn": "0002c90300a1b2c3", "speed_bits": 100_000_000_000}],
}


@pytest.fixture
def run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETD_DATABASE__URL", sqlite_url)
    store = Transactions(make_engine(sqlite_url))
    services = Services(CAPABILITIES, store, lambda: datetime.now(UTC))
    for name in ("m1", "m2"):
        services.machines.create(name, {})
    services.devices.publish("m1", "oob", DOCUMENT)
    store.close()
    return lambda *arguments: CliRunner().invoke(main, ["export", *arguments])


def test_alloy_is_the_shape_that_fleetdb_takes(run: Any) -> None:
    result = run("--format", "alloy")
    assert result.exit_code == 0, result.output
    (line,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert line["machine"] == "m1"
    assert line["device"]["vendor"] == "ACME"
    assert line["device"]["cpus"][0]["clock_speeed_hz"] == 2_000_000_000
    assert "licences" not in line["device"]


def test_the_document_is_that_of_the_api(run: Any) -> None:
    device = json.loads(run("m1").stdout)["device"]
    assert device["source"] == "merged"
    assert device["cpus"] == DOCUMENT["cpus"]
    assert json.loads(run("m1", "--source", "oob").stdout)["device"]["source"] == "oob"


def test_a_table_has_every_kind_that_the_machine_has(run: Any) -> None:
    said = run("--format", "table", "m1").stdout
    for title, words in (
        ("CPUs", ("CPU1", "8 cores", "2 GHz")),
        ("Licences", ("Advanced", "2027-01-01")),
        ("Fabric ports", ("HCA-1", "infiniband", "100 Gbit/s")),
    ):
        assert title in said
        assert all(word in said for word in words), said
    assert KINDS["drives"].title not in said


def test_a_machine_that_is_not_known_or_has_no_document_is_said(run: Any) -> None:
    for name, words in (("m2", "no device document"), ("m3", "no machine m3")):
        result = run(name)
        assert result.exit_code == 1
        assert words in result.output


def test_no_document_at_all_is_said_apart_from_the_documents(run: Any) -> None:
    result = run("--source", "inband")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no machine has a document of the source inband yet\n"
    assert run("--source", "oob").stderr == ""
