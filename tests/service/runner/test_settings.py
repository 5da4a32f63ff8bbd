# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `runner` of the configuration accepts, and what it says about the rest."""

from __future__ import annotations

import json
import urllib.request

import pytest
from fleetcore.errors import InvalidInput

from fleetd.common.commandline import ConfigError
from fleetd.common.settings import load_text
from fleetd.runner import app as runner_app
from fleetd.runner.config import Settings
from fleetd.runner.metrics import RunnerMetrics
from fleetd.server.app import make_services, make_store
from fleetd.server.config import Settings as ServerSettings
from fleetlab.process import free_port


def runner(**settings: object) -> object:
    return load_text(Settings, json.dumps({"runner": settings}), "f").runner


def test_a_known_process_is_changed_key_by_key_and_a_new_one_is_added() -> None:
    own = load_text(Settings, '{"runner": {"processes": "powercycle, collect_oob,audit", "definitions": '
                    '{"collect_oob": {"batch": 7}, "audit": {"playbook": "a.b.c"}}}}', "f").runner  # fmt: skip
    assert own.processes == ["powercycle", "collect_oob", "audit"]
    oob = own.definitions["collect_oob"]
    assert (oob.playbook, oob.batch, oob.on_controller) == ("baremetal.fleet.collect_oob_sweep", 7, True)
    assert own.definitions["audit"].report == ["baremetal.fleet.device_publish"]
    assert "collect_inband" in own.definitions


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"processes": ["nothing"]}, "'nothing' is not defined: add it to runner.definitions"),
        ({"processes": []}, "runner.processes"),
        ({"definitions": {"audit": {}}}, "runner.definitions.audit.playbook: Field required"),
        ({"waves": {"limits": {"fleet_rack": 0}}}, "fleet_rack: must be 1 or more"),
        ({"metrics_listen": "9481"}, "must be host:port"),
        ({"executor": "tower"}, "runner.executor"),
    ],
)
def test_what_can_not_work_is_named(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text.replace(".", r"\.")):
        runner(**settings)


def test_intervals_make_processes() -> None:
    settings = load_text(ServerSettings, '{"leases": {"intervals": {"audit": 3600, "collect_oob": 600}}}', "f")
    known = make_services(settings, make_store(settings)).work.processes
    texts = {name: known[name].need.text for name in ("audit", "collect_oob", "collect_inband")}
    assert texts == {
        "audit": "audit not finished in the last 3600 s",
        "collect_oob": "no oob device document of the last 600 s",
        "collect_inband": "no inband device document of the last 86400 s",
    }
    refused = load_text(ServerSettings, '{"leases": {"intervals": {"onboard": 3600}}}', "f")
    with pytest.raises(InvalidInput, match="onboard has no interval"):
        make_services(refused, make_store(refused))
    with pytest.raises(ConfigError, match="must be 60 seconds or more"):
        load_text(ServerSettings, '{"leases": {"intervals": {"audit": 1}}}', "f")


def test_metrics_are_served_where_they_are_wanted() -> None:
    metrics = RunnerMetrics()
    metrics.waves_stopped.inc()
    port = free_port()
    runner_app.serve_metrics(f"127.0.0.1:{port}", metrics)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert b"fleet_runner_waves_stopped_total 1.0" in answer.read()
