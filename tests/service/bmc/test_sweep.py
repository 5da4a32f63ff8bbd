# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module bmc_sweep against farms of virtual BMCs and a real machine server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fleetcore.document.model import Verdict
from fleetcore.errors import AuthenticationFailed, CertificateInvalid, FleetError
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from fleetcore.power.options import bmc_options
from fleetcore.sweep.collect import collect
from warm import warm_fleetd

from fleetlab.farm import BmcSpec, Fault, fleet, running_farm
from fleetlab.ipmi import IpmiSim

ROOT = Path(__file__).resolve().parents[3]
SECRET = "Tr0ub4dor&3"


def options(bmc, **more):
    values = {
        "address": bmc.url,
        "username": bmc.username,
        "password": bmc.password,
        "ca_path": bmc.ca_path or None,
        "drivers": ["redfish"],
        "timeout": 5,
    }
    return bmc_options({**values, **more})


def entries(bmcs, **more):
    return [
        {"machine": f"m{number}", "address": bmc.url, "ca_path": bmc.ca_path, **more} for number, bmc in enumerate(bmcs)
    ]


LOGIN = {"username": "admin", "password": SECRET, "drivers": ["redfish"]}


# -- one BMC in an event loop ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"expand": 0}, {"page_size": 2}, {"tls": False}])
def test_one_login_and_every_request_counted(spec):
    with running_farm([BmcSpec(**spec, name="twin", index=0)] * 2) as farm:
        moment = {"stats": None, "collected_at": None, "log": (), "sensors": (), "attempts": ()}
        one, two = (asyncio.run(collect(options(bmc), SystemClock())) for bmc in farm.bmcs)
        assert dataclasses.replace(one, **moment) == dataclasses.replace(two, **moment)
        assert one.stats.requests == two.stats.requests
        counters = farm.bmcs[1].counters
        assert counters.logins == counters.logouts == two.stats.logins == 1
        assert two.stats.requests == counters.requests


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault("truncate", path="*/Memory*"), Verdict.FAILED),
        (Fault("garbage", path="*/Memory*"), Verdict.FAILED),
        (Fault("reset", path="*/Memory*"), Verdict.FAILED),
        (Fault("hang", path="*/Memory"), Verdict.TIMEOUT),
        (Fault("status", path="*/Memory*", status=503, times=1), Verdict.COLLECTED),
    ],
)
def test_a_broken_subtree_costs_its_section_only(fault, verdict):
    with running_farm(BmcSpec(faults=(fault,))) as farm:
        patience = 4 if fault.kind == "hang" else 60  # once
        device = asyncio.run(collect(options(farm.bmcs[0], timeout=patience), SystemClock()))
        assert device.coverage["memory"].verdict is verdict, device.coverage["memory"]
        assert device.coverage["network"].verdict is Verdict.COLLECTED
        assert farm.bmcs[0].counters.logouts == 1


def test_errors_by_their_class():
    with running_farm([BmcSpec(), BmcSpec(certificate="wrong-name"), BmcSpec(faults=(Fault("hang"),))]) as farm:
        good, wrong_name, hangs = farm.bmcs
        cases = [
            (options(good, password="wrong"), AuthenticationFailed),
            (options(good, fingerprint="00" * 32), CertificateInvalid),
            (options(wrong_name, ca_path=None), CertificateInvalid),
            (options(hangs, timeout=0.5), FleetError),
            (options(good, address="https://127.0.0.1:1"), FleetError),
            (options(good, system="nobody"), FleetError),
        ]
        for case, kind in cases:
            with pytest.raises(kind):
                asyncio.run(collect(case, SystemClock()))
        assert good.counters.refused == 1, "a wrong password is sent once"
        assert asyncio.run(collect(options(good, ca_path=None, fingerprint=good.fingerprint), SystemClock())).serial


def test_cancelled_collections_log_out():
    with running_farm(fleet(BmcSpec(latency=0.02), 6)) as farm:

        async def main():
            tasks = [asyncio.ensure_future(collect(options(bmc), SystemClock())) for bmc in farm.bmcs]
            for number, task in enumerate(tasks):
                asyncio.get_running_loop().call_later(0.03 * number, task.cancel)  # before, in and after the login
            return await asyncio.gather(*tasks, return_exceptions=True)

        assert {type(item) for item in asyncio.run(main())} == {asyncio.CancelledError}
        assert [bmc.counters.logins for bmc in farm.bmcs] == [bmc.counters.logouts for bmc in farm.bmcs]
        assert farm.bmcs[-1].counters.logins == 1


# -- the module --------------------------------------------------------------------------------------------------------


def test_faults_cost_the_others_nothing(module):
    bad = [
        BmcSpec(password=SECRET, faults=(Fault("hang"),)),
        BmcSpec(password=SECRET, faults=(Fault("slow", seconds=4.0),)),
        BmcSpec(password=SECRET, faults=(Fault("truncate"),)),
        BmcSpec(password="another"),
    ]
    with running_farm(bad + fleet(BmcSpec(password=SECRET), 12)) as farm:
        begin = time.monotonic()
        result = module("bmc_sweep", bmcs=entries(farm.bmcs), deadline=15, **LOGIN)
        assert time.monotonic() - begin < 15 + 60, "the deadline, and all that a busy machine needs"
        assert "failed" not in result or not result["failed"]
        assert result["summary"]["collected"] >= 12
        codes = {item["machine"]: item["code"] for item in result["failures"]}
        assert codes["m0"] == "timeout"
        assert codes["m2"] == "bad_response"
        assert codes["m3"] == "authentication_failed"
        assert set(codes) <= {"m0", "m1", "m2", "m3"}
        assert result["summary"]["incomplete"] + result["summary"]["failed"] == 4
        assert SECRET not in json.dumps(result)
        healthy = farm.bmcs[4:]
        assert [(bmc.counters.logins, bmc.counters.logouts) for bmc in healthy] == [(1, 1)] * 12


def test_bmcs_that_restart_forget_or_have_no_session_left(module):
    kinds = {
        "restarts": Fault("reset", skip=20),
        "closes": Fault("truncate", skip=12, times=2),
        "full": Fault("session-limit"),
        "forgets": Fault("logout", skip=12, times=1),
    }
    bad = [BmcSpec(password=SECRET, faults=(fault,)) for fault in kinds.values()]
    with running_farm([*bad, BmcSpec(password="another"), *fleet(BmcSpec(password=SECRET), 4)]) as farm:
        result = module("bmc_sweep", bmcs=entries(farm.bmcs), return_documents=True, deadline=20, **LOGIN)
        restarts, closes, full, forgets, wrong, *healthy = farm.bmcs
        assert wrong.counters.refused == 1, "one login"
        assert full.counters.logins == 0
        assert [(bmc.counters.logins, bmc.counters.logouts) for bmc in (closes, *healthy)] == [(1, 1)] * 5
        assert restarts.counters.logins == 1
        assert (forgets.counters.logins, forgets.counters.logouts) == (2, 1)
        assert restarts.counters.requests < 40, "it is not asked for everything once more"
    codes = {item["machine"]: item["code"] for item in result["failures"]}
    assert codes == {"m2": "session_limit", "m4": "authentication_failed"}
    verdicts = {
        name: {item["verdict"] for item in device["coverage"].values()} for name, device in result["documents"].items()
    }
    assert "failed" in verdicts["m0"]
    assert verdicts["m1"] == verdicts["m3"] == {"collected", "absent"}, "asked again, and logged in again"
    assert all(device["serial"] for device in result["documents"].values())
    assert result["summary"]["incomplete"] == 1
    assert result["summary"]["collected"] == 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bmcs": []}, "the list is empty"),
        ({"bmcs": [{"machine": "a", "address": "x"}, {"machine": "a", "address": "y"}]}, "twice"),
        ({"bmcs": [{"machine": "a", "address": "not a host"}]}, "(a)"),
        ({"bmcs": [{"machine": "a", "address": "x", "fingerprint": "12"}]}, "64 hex digits"),
        ({"select": {}, "server_url": "http://127.0.0.1:1"}, "nothing is selected"),
        ({"select": {"all": False}, "server_url": "http://127.0.0.1:1"}, "nothing is selected"),
        ({"select": {"machines": []}, "server_url": "http://127.0.0.1:1"}, "nothing is selected"),
        ({"select": {"all": True}}, "server_url"),
        ({"bmcs": [{"machine": "a", "address": "x"}], "concurrency": 0}, "less than 1"),
        ({"bmcs": [{"machine": "a", "address": "x"}], "state_file": "/nowhere/state"}, "state_file"),
    ],
)
def test_exact_targeting(module, change, words):
    result = module("bmc_sweep", **LOGIN, **change)
    assert result["failed"] is True
    assert words in result["msg"]
    assert "\n" not in result["msg"]


def test_all_failing_is_a_failure(module):
    result = module("bmc_sweep", bmcs=[{"machine": "a", "address": "https://127.0.0.1:1"}], **LOGIN)
    assert result["failed"] is True
    assert result["failure"]["code"] == "unreachable"
    assert "1 of 1 machines failed. a: " in result["msg"]
    assert result["summary"]["failed"] == 1


def test_files_and_documents(module, tmp_path):
    with running_farm(fleet(BmcSpec(password=SECRET), 3)) as farm:
        folder = tmp_path / "documents"
        result = module(
            "bmc_sweep",
            bmcs=entries(farm.bmcs),
            directory=str(folder),
            return_documents=True,
            failure_budget=0,
            **LOGIN,
        )
        assert result["changed"] is True
        assert sorted(result["documents"]) == ["m0", "m1", "m2"]
        assert json.loads((folder / "m1.json").read_text()) == result["documents"]["m1"]
        assert result["documents"]["m1"]["serial"] == farm.bmcs[1].serial


def test_redfish_and_ipmi_side_by_side(module, sim, tmp_path):
    """Drivers in the order of each machine; what was tried and what succeeded; captures of either kind."""
    specs = [BmcSpec(password=SECRET), BmcSpec(username=sim.username, password=sim.password)]
    with running_farm(specs) as farm, IpmiSim(tmp_path / "another", 0, sim.username, sim.password) as another:
        reach = {
            "username": sim.username,
            "password": sim.password,
            "ipmi_port": sim.port,
            "ca_path": farm.bmcs[0].ca_path,
        }
        nowhere = "http://127.0.0.1:1"
        bmcs = [
            {"machine": "redfish", "address": farm.bmcs[1].url, **reach},
            {"machine": "rack1/fallback", "address": nowhere, **reach},
            {"machine": "ipmi", "address": "127.0.0.1", "drivers": ["ipmi"], **reach, "ipmi_port": another.port},
            {
                "machine": "ipmi-first",
                "address": farm.bmcs[1].url,
                "drivers": ["ipmi", "redfish"],
                **reach,
                "ipmi_port": 1,
            },
            {"machine": "neither", "address": nowhere, **reach, "ipmi_port": 1},
            {"machine": "locked", "address": farm.bmcs[0].url, **reach},
        ]
        folder = tmp_path / "captures"
        result = module("bmc_sweep", bmcs=bmcs, return_documents=True, capture_dir=str(folder), timeout=5)
        assert [bmc.counters.logins for bmc in farm.bmcs] == [0, 2]
        assert farm.bmcs[0].counters.refused == 1, "a refused password is not tried over IPMI either"

    # Nobody listens on port 1. Over TCP that is refused; over UDP it is refused or waited for in vain, depending on how
    # busy the machine is.
    def silence(driver, error):
        return "unreachable" if (driver, error) == ("ipmi", "timeout") else error

    attempts = {
        name: [(item["driver"], silence(item["driver"], item.get("error"))) for item in device["attempts"]]
        for name, device in result["documents"].items()
    }
    assert attempts == {
        "redfish": [("redfish", None)],
        "rack1/fallback": [("redfish", "unreachable"), ("ipmi", None)],
        "ipmi": [("ipmi", None)],
        "ipmi-first": [("ipmi", "unreachable"), ("redfish", None)],
    }
    assert result["summary"]["by_driver"] == {"redfish": 2, "ipmi": 2}
    assert result["documents"]["ipmi"]["serial"] == sim.fru.serial
    failures = {item["machine"]: item for item in result["failures"]}
    assert {
        name: silence("ipmi" if name == "neither" else "redfish", item["code"]) for name, item in failures.items()
    } == {
        "neither": "unreachable",
        "locked": "authentication_failed",
    }
    assert "redfish: " in failures["neither"]["message"]
    assert "ipmi: " in failures["neither"]["message"]

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name for path in folder.iterdir()}
    read = ("redfish", "rack1%2Ffallback", "ipmi", "ipmi-first")
    assert names == {f"{name}.capture.tar.gz" for name in read}, "who said nothing has none"
    again = module("bmc_sweep", from_captures=str(folder), return_documents=True)
    for device in result["documents"].values():
        device.pop("stats")
    for name, device in result["documents"].items():
        replayed = again["documents"][name]
        # On a busy machine ipmi_sim may lose a session in the middle: what is read in one go is compared. Whole
        # documents are compared in test_record_and_replay.
        over_ipmi = attempts[name][-1] == ("ipmi", None)
        keys = {"vendor", "model", "serial", "source"} if over_ipmi else {*device, *replayed}
        different = {key for key in keys if device.get(key) != replayed.get(key)}
        assert not {key: (device.get(key), replayed.get(key)) for key in different}, name
    assert set(again["documents"]) == set(result["documents"])
    assert again["failures"] == []
    plan = module("bmc_sweep", check=True, from_captures=str(folder))
    assert {row["machine"] for row in plan["plan"]} == set(result["documents"])
    empty = module("bmc_sweep", from_captures=str(tmp_path))
    assert (empty["failed"], empty["failure"]["details"]["field"]) == (True, "from_captures")


class Fleetd:
    """A real machine server on SQLite, always on the same port, that knows machines m0, m1, ..."""

    def __init__(self, work):
        self.work = work
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLEETD_")},
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", "plugins/module_utils")),
        }
        self.command = [sys.executable, "-m", "fleetd", "--config", str(work / "fleetd.yml")]
        self.token = self.call("init", "--token-only")
        self.runner_token = self.call("token", "create", "--scope", "runner", "--name", "sweep", "--token-only")
        self.listen = "127.0.0.1:0"
        self.process = None

    def call(self, *arguments):
        done = warm_fleetd().run(*self.command[2:], *arguments, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "serve", "--listen", self.listen],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = re.search(r"http://[0-9.]+:[0-9]+", self.process.stdout.readline()).group()
        self.listen = self.url.partition("//")[2]
        self.client = ServerClient(HttpClient(HttpOptions(self.url)), SystemClock(), self.url, token=self.token)

    def stop(self):
        if self.process:
            self.client.close()
            self.process.terminate()
            self.process.communicate(timeout=60)
            self.process = None

    def know(self, bmcs, credentials=()):
        for number, bmc in enumerate(bmcs):
            reach = {"address": "127.0.0.1", "redfish_port": int(bmc.url.rpartition(":")[2]), "drivers": ["redfish"]}
            if number < len(credentials):
                reach["credential"] = credentials[number]
            self.client.create_machine({"id": f"m{number}", "rack": f"r{number % 2}", "bmc": reach})

    def published(self, count):
        return sum(1 for machine in self.client.machines() if machine.get("device")) == count

    @property
    def options(self):
        return {"server_url": self.url, "server_token": self.runner_token}


@pytest.fixture(scope="module")
def one_server(tmp_path_factory):
    server = Fleetd(tmp_path_factory.mktemp("fleetd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(one_server):
    """A machine server without machines."""
    for machine in list(one_server.client.machines()):
        one_server.client.delete_machine(machine["id"])
    return one_server


def test_machines_of_the_server(module, server, tmp_path):
    with running_farm(fleet(BmcSpec(password=SECRET), 6)) as farm:
        server.know(farm.bmcs)
        server.client.create_machine({"id": "no-bmc", "rack": "r1"})
        common = {**LOGIN, "ca_path": farm.bmcs[0].ca_path, **server.options}

        plan = module("bmc_sweep", check=True, select={"all": True}, **common)
        assert plan["changed"] is True
        assert {row["machine"] for row in plan["plan"]} == {"m0", "m1", "m2", "m3", "m4", "m5", "no-bmc"}
        assert Counter(str(row.get("drivers")) for row in plan["plan"]) == {"['redfish']": 6, "None": 1}
        assert sum(bmc.counters.requests for bmc in farm.bmcs) == 0

        result = module("bmc_sweep", select={"rack": "r0"}, **common)
        assert result["changed"] is True
        assert (result["summary"]["total"], result["summary"]["published"]) == (3, 3)
        assert server.client.device("m2")["serial"] == farm.bmcs[2].serial
        assert [bmc.counters.logins for bmc in farm.bmcs] == [1, 0, 1, 0, 1, 0]

        again = module("bmc_sweep", select={"machines": ["m0"]}, dump_dir=str(tmp_path / "dump"), **common)
        dumped = {path.name: json.loads(path.read_text()) for path in (tmp_path / "dump").iterdir()}
        kinds = ("device", "current.components", "new.components", "changes")
        assert set(dumped) == {f"m0.{kind}.json" for kind in kinds}
        assert dumped["m0.changes.json"] == []
        assert dumped["m0.current.components.json"] == dumped["m0.new.components.json"] != []
        assert again["changed"] is False, "the same machine has the same hardware"
        assert again["summary"]["published"] == 1

        result = module("bmc_sweep", select={"rack": "r1"}, **common)
        assert [item["machine"] for item in result["failures"]] == ["no-bmc"]
        assert result["failures"][0]["code"] == "not_found"

        unknown = module("bmc_sweep", select={"machines": ["m0", "m99"]}, **common)
        assert (unknown["failed"], unknown["failure"]["code"]) == (True, "not_found")
        assert "m99" in unknown["msg"]


def test_logins_that_the_server_keeps(module, server):
    """Each machine's own username, then the credential that it names, then the login of the task."""
    logins = {"rack0": ("inventory", "S3cret of rack 0"), "rack1": ("admin", "S3cret of rack 1")}
    specs = [BmcSpec(username=user, password=password) for user, password in logins.values()] * 2
    with running_farm([*specs, BmcSpec(password=SECRET), BmcSpec(), BmcSpec(password=SECRET)]) as farm:
        for name, (user, password) in logins.items():
            server.client.put_credential(name, user, password)
        names = ["rack0", "rack1", "rack0", "rack1", None, "missing", None]
        server.know(farm.bmcs, credentials=names)
        common = {**LOGIN, "ca_path": farm.bmcs[0].ca_path, **server.options}
        read = lambda: Counter(  # noqa: E731
            entry["subject"] for entry in server.client.audit() if entry["action"] == "credential.read"
        )
        begin = read()

        plan = module("bmc_sweep", check=True, select={"all": True}, **common)
        assert {row["machine"]: row.get("credential") for row in plan["plan"]} == {
            f"m{number}": name for number, name in enumerate(names)
        }
        assert read() == begin, "nothing is read to make a plan"

        result = module("bmc_sweep", select={"all": True}, **common)
        assert result["summary"]["published"] == 6, result["failures"]
        assert [(item["machine"], item["code"]) for item in result["failures"]] == [("m5", "not_found")]
        assert "credential missing" in result["failures"][0]["message"]
        assert [bmc.counters.logins for bmc in farm.bmcs] == [1, 1, 1, 1, 1, 0, 1]
        assert sum(bmc.counters.refused for bmc in farm.bmcs) == 0
        assert read() - begin == {"rack0": 1, "rack1": 1}, "each once, not once per machine"
        for _user, password in logins.values():
            assert password not in json.dumps(result)

        publisher = server.call("token", "create", "--scope", "operator", "--name", "no-logins", "--token-only")
        machines = ["m0", "m1", "m4"]
        denied = module(
            "bmc_sweep", **{**common, "server_token": publisher, "select": {"machines": machines}, "deadline": 60}
        )
        assert {item["machine"]: item["code"] for item in denied["failures"]} == {
            "m0": "permission_denied",
            "m1": "permission_denied",
        }
        assert denied["summary"]["collected"] == 1

        bmcs = entries(farm.bmcs[:3], credential="rack1")
        bmcs[0].update(username="inventory", password="S3cret of rack 0")
        bmcs[2].update(credential="rack0")
        listed = module("bmc_sweep", bmcs=bmcs, **common)
        assert (listed["summary"]["published"], listed["failures"]) == (3, [])

        alone = module("bmc_sweep", bmcs=bmcs, **LOGIN)
        assert (alone["failed"], alone["failure"]["details"]["field"]) == (True, "credential")
        assert "server_url" in alone["msg"]


def start(collections, tmp_path, **arguments):
    """The module in a process of its own, under way."""
    file = tmp_path / "running.json"
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    command = [sys.executable, "-m", "ansible_collections.baremetal.fleet.plugins.modules.bmc_sweep", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(collections)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_the_server_goes_down_and_comes_back(module, collections, server, tmp_path):
    with running_farm(fleet(BmcSpec(password=SECRET, latency=0.02), 30)) as farm:
        server.know(farm.bmcs)
        common = {**LOGIN, **server.options, "spool": str(tmp_path / "spool"), "server_timeout": 60}
        progress = tmp_path / "progress"
        running = start(
            collections, tmp_path, bmcs=entries(farm.bmcs), concurrency=4, progress_file=str(progress), **common
        )
        wait_for(lambda: sum(bmc.counters.logouts for bmc in farm.bmcs) >= 8)
        for bmc in farm.bmcs:
            bmc.latency = 2.0  # so that some are left when the server is gone, however slow the test is
        server.stop()
        for bmc in farm.bmcs:
            bmc.latency = 0.02
        output, _errors = running.communicate(timeout=120)
        result = json.loads(output)
        assert not result.get("failed")
        summary = result["summary"]
        assert summary["collected"] == 30
        assert summary["spooled"] >= 1
        assert summary["published"] + summary["spooled"] == 30
        assert "the next sweep sends them" in json.dumps(result["warnings"])
        assert '"server_down"' in progress.read_text()

        server.start()
        result = module("bmc_sweep", bmcs=entries(farm.bmcs[:1]), **common)
        assert result["summary"]["spooled"] == 0
        assert server.published(30)


def test_a_refused_token_still_gives_the_summary_and_nothing_is_lost(module, server, tmp_path):
    with running_farm(fleet(BmcSpec(password=SECRET), 6)) as farm:
        server.know(farm.bmcs)
        common = {
            **LOGIN,
            **server.options,
            "bmcs": entries(farm.bmcs),
            "spool": str(tmp_path / "spool"),
            "state_file": str(tmp_path / "state"),
            "concurrency": 2,
        }
        result = module("bmc_sweep", **{**common, "server_token": "not-a-token"})
        assert (result["failed"], result["failure"]["code"]) == (True, "authentication_failed")
        assert "run it again with the same state_file" in result["msg"]
        summary = result["summary"]
        assert summary["published"] == 0
        assert summary["collected"] == summary["spooled"] >= 1

        result = module("bmc_sweep", **common)
        assert not result.get("failed"), result
        assert result["summary"]["skipped"] == summary["collected"]
        assert (result["summary"]["published"], result["summary"]["spooled"]) == (6, 0)
        assert server.published(6)
        logins = [bmc.counters.logins for bmc in farm.bmcs]
        assert logins == [bmc.counters.logouts for bmc in farm.bmcs]
        assert sum(logins) <= 6 + common["concurrency"], "those that were broken off are asked anew, no others"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_and_resumed(module, collections, tmp_path, number):
    with running_farm(fleet(BmcSpec(password=SECRET, latency=0.03), 40)) as farm:
        state = str(tmp_path / "state")
        folder = tmp_path / "documents"
        common = {**LOGIN, "state_file": state, "directory": str(folder), "bmcs": entries(farm.bmcs)}
        running = start(collections, tmp_path, concurrency=6, **common)
        wait_for(lambda: sum(bmc.counters.logouts for bmc in farm.bmcs) >= 6)
        running.send_signal(number)
        output, _errors = running.communicate(timeout=60)
        result = json.loads(output)
        assert result["failed"] is True
        assert result["failure"]["code"] == "interrupted"
        assert "same state_file" in result["msg"]
        assert [bmc.counters.logins for bmc in farm.bmcs] == [bmc.counters.logouts for bmc in farm.bmcs]
        done = sorted(path.stem for path in folder.iterdir())
        assert 0 < len(done) < 40
        assert result["summary"]["collected"] == len(done)

        plan = module("bmc_sweep", check=True, **common)
        assert sorted(row["machine"] for row in plan["plan"] if row["skipped"]) == done
        for bmc in farm.bmcs:
            bmc.counters.reset()
        result = module("bmc_sweep", **common)
        assert result["summary"]["skipped"] == len(done)
        assert result["summary"]["collected"] == 40 - len(done)
        asked = [f"m{index}" for index, bmc in enumerate(farm.bmcs) if bmc.counters.logins]
        assert sorted(asked + done) == sorted(f"m{index}" for index in range(40))
        assert len(list(folder.iterdir())) == 40


def test_nobody_reads_the_result_any_more(collections, tmp_path):
    with running_farm(fleet(BmcSpec(password=SECRET, latency=0.05), 40)) as farm:
        running = start(collections, tmp_path, concurrency=2, bmcs=entries(farm.bmcs), **LOGIN)
        wait_for(lambda: sum(bmc.counters.logouts for bmc in farm.bmcs) >= 2)
        running.stdout.close()
        running.stderr.close()
        running.wait(timeout=60)
        assert [bmc.counters.logins for bmc in farm.bmcs] == [bmc.counters.logouts for bmc in farm.bmcs]
        assert sum(bmc.counters.logins for bmc in farm.bmcs) < 40


# -- the playbook ------------------------------------------------------------------------------------------------------


def test_the_playbook_shows_progress(playbook, server):
    with running_farm(fleet(BmcSpec(password=SECRET), 5)) as farm:
        server.know(farm.bmcs)
        hosts = {
            f"m{number}": {
                "bmc_address": bmc.url,
                "bmc_username": bmc.username,
                "bmc_password": bmc.password,
                "bmc_ca_path": bmc.ca_path,
                "bmc_drivers": ["redfish"],
            }
            for number, bmc in enumerate(farm.bmcs)
        }
        hosts["m3"]["bmc_password"] = "wrong"
        hosts["switch"] = {}
        server.client.put_credential("rack2", farm.bmcs[2].username, SECRET)
        del hosts["m2"]["bmc_username"], hosts["m2"]["bmc_password"]
        hosts["m2"]["bmc_credential"] = "rack2"
        extra = json.dumps({"fleet_server_url": server.url, "fleet_server_token": server.runner_token})
        done, recap = playbook("collect_oob_sweep", hosts, "-e", extra)
        assert done.returncode == 0, done.stdout + done.stderr
        assert recap["localhost"]["changed"] == 1
        assert "sweep: m3 failed (authentication_failed)" in done.stdout
        assert "sweep: 5 of 5 done" in done.stdout
        assert SECRET not in done.stdout + done.stderr
        assert server.published(4)

        done, recap = playbook("collect_oob_sweep", hosts, "-e", extra, "-e", "target=nobody")
        assert done.returncode == 2
        assert "the list is empty" in done.stdout + done.stderr
