# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, latency, and the farm as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from fleetlab.farm import BmcSpec, Fault, fleet, running_farm

SYSTEM = "/redfish/v1/Systems/1"
IMPATIENT = httpx.Timeout(60, read=0.3)


@pytest.fixture(params=[True, False], ids=["tls", "http"])
def bmc(request):
    with running_farm(BmcSpec(tls=request.param)) as farm:
        yield farm.bmcs[0]


def test_hang_and_recovery(bmc, connect):
    client = connect(bmc)
    hang = bmc.faults.add("hang", path=f"{SYSTEM}/Memory*")
    with pytest.raises(httpx.ReadTimeout):
        client.get(f"{SYSTEM}/Memory/A1", timeout=IMPATIENT)
    assert client.get(SYSTEM).status_code == 200
    assert hang.hits == 1
    bmc.faults.remove(hang)
    assert client.get(f"{SYSTEM}/Memory/A1").status_code == 200


def test_farm_stops_at_once_while_a_request_hangs(connect):
    with running_farm(BmcSpec(tls=False, faults=(Fault("hang"),))) as farm:
        with pytest.raises(httpx.ReadTimeout):
            connect(farm.bmcs[0], login=False).get("/redfish/v1", timeout=IMPATIENT)
        start = time.monotonic()
    assert time.monotonic() - start < 60


def test_statuses(bmc, connect):
    client = connect(bmc)
    bmc.faults.add("status:times=2")
    assert [client.get(SYSTEM).status_code for _ in range(3)] == [500, 500, 200]
    bmc.faults.add("status:status=503,skip=1,times=1")
    first, busy = client.get(SYSTEM), client.get(SYSTEM)
    assert (first.status_code, busy.status_code, busy.headers["Retry-After"]) == (200, 503, "1")
    bmc.faults.add("status", status=404, path=f"{SYSTEM}/Storage")
    assert client.get(f"{SYSTEM}/Storage/").json()["error"]["code"].endswith("ResourceMissingAtURI")


def test_truncated_garbage_and_foreign_content(bmc, connect):
    client = connect(bmc)
    bmc.faults.add("truncate:times=1")
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        client.get(SYSTEM)
    bmc.faults.add("garbage:times=1")
    with pytest.raises(ValueError, match="decode"):
        client.get(SYSTEM).json()
    bmc.faults.add("reply:body=<html>login</html>,times=1")
    assert client.get(SYSTEM).text == "<html>login</html>"
    assert client.get(SYSTEM).json()["Id"] == "1"


def test_connection_reset(bmc, connect):
    client = connect(bmc)
    bmc.faults.add("reset:times=1")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.get(SYSTEM)
    assert client.get(SYSTEM).status_code == 200


def test_slow_resource_and_latency(bmc, connect):
    client = connect(bmc)

    def seconds(path):
        start = time.monotonic()
        client.get(path)
        return time.monotonic() - start

    slow = bmc.faults.add(f"slow:path={SYSTEM},seconds=1.0")
    assert seconds(SYSTEM) >= 1.0
    assert slow.hits == 1
    seconds(f"{SYSTEM}/Bios")
    assert slow.hits == 1
    bmc.latency = 0.2
    assert seconds(f"{SYSTEM}/Bios") >= 0.2


def test_sessions_full_and_sessions_lost(bmc, connect, log_in):
    client = connect(bmc)
    bmc.faults.add("session-limit", times=1)
    stranger = connect(bmc, login=False)
    assert "RAC0218" in log_in(stranger, bmc).text
    assert log_in(stranger, bmc).status_code == 201
    assert client.get(SYSTEM).status_code == 200
    bmc.faults.add("logout", times=1)
    assert [client.get(SYSTEM).status_code for _ in range(2)] == [401, 401]
    assert client.get(SYSTEM, headers={"X-Auth-Token": ""}).status_code == 401


def test_accepted_and_not_done(bmc, connect, reset):
    client = connect(bmc)
    bmc.faults.add("ignore", method="PATCH")
    assert client.patch(SYSTEM, json={"AssetTag": "x"}).status_code == 204
    assert client.get(SYSTEM).json()["AssetTag"] == ""
    bmc.faults.add("ignore", path="*ComputerSystem.Reset")
    assert reset(client, SYSTEM, "ForceOff").status_code == 204
    assert bmc.power_state() == "On"
    assert bmc.power_log == []


def test_power_on_that_fails_at_first(bmc, connect, reset):
    client = connect(bmc)
    bmc.faults.add(Fault("status", path="*ComputerSystem.Reset", match='"On"', times=2))
    assert reset(client, SYSTEM, "ForceOff").status_code == 204
    assert [reset(client, SYSTEM, "On").status_code for _ in range(3)] == [500, 500, 204]
    assert bmc.power_state() == "On"


@pytest.mark.parametrize(
    "text", ["explode", "slow", "status:status=x", "hang:colour=red", "hang:path"], ids=lambda text: text
)
def test_wrong_faults_are_refused(text):
    with pytest.raises(ValueError, match="fault"):
        Fault.parse(text)


def test_hundreds_of_bmcs_start_quickly_and_keep_their_state_apart(connect):
    start = time.monotonic()
    with running_farm(fleet(BmcSpec(), 300)) as farm:
        assert time.monotonic() - start < 60
        assert len({bmc.port for bmc in farm.bmcs}) == 300
        farm.bmcs[7].set_power(False)
        states = [connect(farm.bmcs[number]).get(SYSTEM).json()["PowerState"] for number in (6, 7)]
        assert states == ["On", "Off"]


def test_fleet_by_address(connect):
    with running_farm(BmcSpec(tls=False)) as probe:
        port = probe.bmcs[0].port
    specs = fleet(BmcSpec(tls=False, address="127.0.3.254", port=port, index=40), 3, by_address=True)
    with running_farm(specs) as farm:
        assert [bmc.address for bmc in farm.bmcs] == ["127.0.3.254", "127.0.3.255", "127.0.4.0"]
        assert {bmc.port for bmc in farm.bmcs} == {port}
        serials = [connect(bmc).get(SYSTEM).json()["SerialNumber"] for bmc in farm.bmcs]
        assert serials == ["FL000041", "FL000042", "FL000043"]


def test_taken_port_and_unknown_tree_are_said():
    with running_farm(BmcSpec(tls=False)) as farm:
        taken = BmcSpec(port=farm.bmcs[0].port)
        with pytest.raises(OSError, match="in use"), running_farm(taken):
            pass
    with pytest.raises(ValueError, match="no such tree"), running_farm(BmcSpec(tree="nowhere")):
        pass


@pytest.fixture
def start_farm():
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "fleetlab", "farm", *arguments]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line_runs_until_a_signal(start_farm, number, connect, reset):
    process = start_farm("--bmc", "tree=multinode,user=root,off_seconds=50ms", "--count", "1", "--no-tls")
    first, second = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (first["event"], first["tree"], first["username"], first["systems"]) == (
        "ready",
        "multinode",
        "root",
        ["Node1", "Node2"],
    )
    assert (second["tree"], second["username"]) == ("server", "admin")
    answer = httpx.post(
        f"{first['url']}/redfish/v1/Systems/Node1/Actions/ComputerSystem.Reset",
        json={"ResetType": "ForceOff"},
        auth=("root", "password"),
    )
    assert answer.status_code == 204
    event = json.loads(process.stdout.readline())
    assert (event["event"], event["resource"], event["url"]) == ("off", "/redfish/v1/Systems/Node1", first["url"])
    process.send_signal(number)
    _out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_faulty_bmc_on_the_command_line_says_nothing_on_stderr(start_farm):
    faults = [
        "fault=reset:times=1",
        "fault=truncate:times=1",
        "fault=hang:path=*/v1;times=2",
    ]
    process = start_farm(*(f"--bmc={fault}" for fault in faults))
    urls = [json.loads(process.stdout.readline())["url"] for _ in faults]
    for url in urls:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/redfish/v1", verify=False, timeout=httpx.Timeout(60, read=3))
    assert [httpx.get(f"{url}/redfish/v1", verify=False).status_code for url in urls[:2]] == [200, 200]
    process.send_signal(signal.SIGTERM)
    _out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tree", "nowhere"], "no such tree: nowhere"),
        (["--fault", "explode"], "unknown fault 'explode'"),
        (["--bmc", "colour=red"], "'colour' is none of"),
        (["--bmc", "latency=soon"], "latency='soon' is no valid value"),
        (["--bmc", "fault=explode"], "unknown fault 'explode'"),
        (["--bmc", "power=Sideways"], "power must be On or Off"),
        (["--bmc", "certificate=none"], "unknown certificate 'none'"),
        (["--latency", "soon"], "soon"),
    ],
)
def test_command_line_says_what_is_wrong(start_farm, arguments, message):
    process = start_farm(*arguments)
    _out, errors = process.communicate(timeout=60)
    assert process.returncode in {1, 2}
    assert message in errors
    assert "Traceback" not in errors
