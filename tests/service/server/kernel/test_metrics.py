# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, and that the dashboard, the alert rules and the documentation name what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from fleetd.server.machines.model import ControllerState
from fleetd.server.powercycles.model import CycleState
from fleetd.server.work.model import Lease

REPO = Path(__file__).resolve().parents[4]
ALERTS = REPO / "docs/prometheus/alerts.yml"
DASHBOARD = REPO / "docs/grafana/fleet.json"


def samples(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """``{name: {labels: value}}``."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for item in family.samples:
            found.setdefault(item.name, {})[tuple(sorted(item.labels.items()))] = item.value
    return found


@pytest.fixture
def scrape(api: Any) -> Any:
    client = api.client("viewer")

    def look(name: str, **labels: str) -> float | None:
        return samples(client.get("/metrics").text).get(name, {}).get(tuple(sorted(labels.items())))

    return look


def test_machines(api: Any, scrape: Any, clock: Any) -> None:
    for name, lifecycle in (("m1", "active"), ("m2", "active"), ("m3", "new")):
        api.services.machines.create(name, {"lifecycle": lifecycle})
    api.services.machines.describe(
        "m2",
        lambda said, now: replace(
            said, is_quarantined=True, last_updated=now, powercycle_state=ControllerState.IN_ERROR
        ),
    )
    clock.forward(16 * 60)
    assert scrape("fleetd_machines", lifecycle="active", powercycle_state="not_available") == 1
    assert scrape("fleetd_machines", lifecycle="active", powercycle_state="in_error") == 1
    assert scrape("fleetd_machines", lifecycle="new", powercycle_state="not_available") == 1
    conditions = {
        "quarantined": 1, "controller_error": 1, "stale": 1, "trouble": 1,
        "findings": 0, "recovering": 0, "maintenance": 0, "cycle_open": 0, "cycle_failed": 0,
    }  # fmt: skip
    assert {name: scrape("fleetd_machines_condition", condition=name) for name in conditions} == conditions


def test_power_cycles_are_counted_once_when_they_are_closed(api: Any, scrape: Any, clock: Any) -> None:
    service = api.services.powercycles
    for name in ("m1", "m2", "m3", "m4"):
        api.services.machines.create(name, {})
    asked = {name: service.request(name, "alice")[0] for name in ("m1", "m2", "m3")}
    clock.forward(90)
    assert scrape("fleetd_powercycle_oldest_open_age_seconds") == 90
    assert scrape("fleetd_powercycles_due") == 3
    for _again in range(2):
        service.report(asked["m1"].id, CycleState.VERIFIED)
        service.cancel(asked["m2"].id, "bob")
        service.complete("m3", "runner")
        clock.forward(1)
    service.toggle("m4", "alice")
    service.toggle("m4", "alice")
    session = api.services.work.start("runner", "runner", {}, 5)
    claimed, _new = service.request("m1", "alice")
    work = api.services.work.take(session.id, "runner", "powercycle", "m1")
    for _again in range(2):
        service.report(claimed.id, CycleState.VERIFIED, fencing_token=work.token)
    service.request("m2", "alice")
    work = api.services.work.take(session.id, "runner", "powercycle", "m2")

    api.services.work.finish(Lease("m2", "powercycle", session=session.id), "runner")
    assert scrape("fleetd_powercycles_closed_total", state="verified") == 4
    assert scrape("fleetd_powercycles_closed_total", state="cancelled") == 2
    assert scrape("fleetd_powercycles_closed_total", state="failed") == 0
    assert scrape("fleetd_powercycle_oldest_open_age_seconds") == 0
    assert scrape("fleetd_sessions", component="runner") == 1


def test_what_this_process_did(api: Any, scrape: Any) -> None:
    admin = api.client("admin")
    event = {"type": "raw_state", "host": {"name": "m1"}, "standalone": {"cores": 4}}
    assert admin.post("/json/v1/machine/event/", json=event).status_code == 200
    assert admin.post("/json/v1/machine/event/", json={**event, "type": "odd"}).status_code == 400
    assert admin.put("/api/v1/machines/m1/device/oob", json={"vendor": "ACME"}).status_code == 200
    api.client(None).get("/api/v1/machines", headers={"Authorization": "Bearer nonsense"})
    api.client(None).post("/login", data={"token": "nonsense"})
    assert scrape("fleetd_machine_events_total") == 1
    assert scrape("fleetd_device_documents_published_total", source="oob") == 1
    assert scrape("fleetd_device_documents_published_total", source="inband") == 0
    assert scrape("fleetd_logins_failed_total", kind="token") == 1
    assert scrape("fleetd_logins_failed_total", kind="page") == 1
    route = "/json/v1/machine/event/"
    assert scrape("fleetd_http_requests_total", route=route, method="POST", status="400") == 1
    assert scrape("fleetd_http_request_seconds_count", route=route) == 2
    assert scrape("fleetd_database_errors_total") == scrape("fleetd_database_retries_total") == 0
    assert scrape("fleetd_work", process="onboard", state="eligible") == 0


def expressions() -> list[tuple[str, str]]:
    """``(where, expression)`` of all rules and panels."""
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(rule["alert"], rule["expr"]) for rule in rules] + [
        (panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])
    ]


def test_what_the_dashboard_and_the_rules_name_is_there(tmp_path: Path, serve_fleetd: Any, run_fleetd: Any) -> None:
    """Of a server process with a stream of updates, as Prometheus sees it."""

    made = run_fleetd("init")
    token = re.search(r"fleetd_\S{30,}", made.stdout)
    assert token, made.stderr
    head = {"Authorization": f"Bearer {token[0]}"}
    with serve_fleetd(tmp_path) as (url, _process):
        httpx.post(f"{url}/api/v1/machines", headers=head, json={"id": "m1"}).raise_for_status()
        session = {"component": "runner", "interval": 60}
        httpx.post(f"{url}/api/v1/sessions", headers=head, json=session).raise_for_status()
        with httpx.stream("GET", f"{url}/live?machine=m1", headers=head) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": connected"
            text = httpx.get(f"{url}/metrics", headers=head).text
        paths = httpx.get(f"{url}/openapi.json", headers=head).json()["paths"]
    found = samples(text)
    assert found["fleetd_sse_clients"] == {(("route", "/live"),): 1}
    names = {
        (where, name)
        for where, expression in expressions()
        for name in re.findall(r"\b(?:fleetd|process)_[a-z_]+", expression)
    }
    assert len({name for _where, name in names}) > 15
    assert [(where, name) for where, name in sorted(names) if name not in found] == []
    routes = re.findall(r'route=~?"([^"]+)"', "".join(expression for _where, expression in expressions()))
    assert [path for route in routes for path in route.split("|") if path not in paths] == []
    documented = (REPO / "docs/machine-server.md").read_text()
    own = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in found}
    missing = [
        n for n in sorted(own) if n.startswith("fleetd_") and not n.endswith("_created") and f"`{n}`" not in documented
    ]
    assert missing == []


def _promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        reason = "no promtool: apt-get install prometheus"
        if os.environ.get("FLEET_REQUIRE_E2E") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run([_promtool(), "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("info", "warning", "critical"), rule["alert"]
            assert rule["annotations"]["runbook"], rule["alert"]


def test_prometheus_takes_the_metrics(api: Any) -> None:
    text = api.client("viewer").get("/metrics").text
    done = subprocess.run([_promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert [item["name"] for item in dashboard["templating"]["list"]] == ["datasource", "job"]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}", panel["title"]
