# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scan finds what is there on loopback: virtual BMCs, ipmi_sim, sushy-emulator and a responder for SSDP."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from fleetlab.farm import BmcSpec, Fault, fleet, running_farm
from fleetlab.ipmi import IpmiSim, available
from fleetlab.process import free_port
from fleetlab.sushy_emulator import FakeSystem, SushyEmulator

ROOT = Path(__file__).resolve().parents[3]


def facts(result, kind="redfish"):
    return {item["address"]: item["facts"] for item in result["services"] if item["kind"] == kind}


def uuid(bmc):
    return bmc.get("/redfish/v1")["UUID"]


@contextlib.contextmanager
def udp(answer, address="127.0.0.1"):
    """A UDP service: `answer(data)` gives the datagrams to send back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 0))
        server.settimeout(0.05)
        stop = threading.Event()
        heard = []

        def serve():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    data, sender = server.recvfrom(4096)
                    heard.append(data)
                    for reply in answer(data):
                        server.sendto(reply, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            stop.set()
            thread.join(60)


def responder(*services):
    """SSDP answers of (UUID, URL of the service root) to who searches for Redfish."""

    def answer(data):
        lines = data.decode().split("\r\n")
        if lines[0] != "M-SEARCH * HTTP/1.1" or "ST: urn:dmtf-org:service:redfish-rest:1" not in lines:
            return []
        return [
            (
                "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\n"
                "ST: urn:dmtf-org:service:redfish-rest:1:6\r\n"
                f"USN: uuid:{uuid}::urn:dmtf-org:service:redfish-rest:1:6\r\nAL: {url}/redfish/v1/\r\n\r\n"
            ).encode()
            for uuid, url in services
        ]

    return udp(answer)


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    with IpmiSim(tmp_path_factory.mktemp("ipmi"), 0) as sim:
        yield sim


def test_many_addresses(module):
    """20 BMCs at addresses of their own in a network of 254, most of them over TLS."""
    port = free_port()
    specs = fleet(BmcSpec(tree="server", address="127.0.66.10", port=port), 18, by_address=True)
    specs += fleet(BmcSpec(tree="multinode", address="127.0.66.200", port=port, tls=False), 2, by_address=True)
    with running_farm(specs) as farm:
        result = module(
            "bmc_scan",
            networks=["127.0.66.0/24"],
            protocols=["redfish"],
            redfish_ports=[port],
            redfish_schemes=["https", "http"],
            rate=2000,
        )
    assert result["changed"] is False
    found = facts(result)
    assert list(found) == [bmc.address for bmc in farm.bmcs], "all, and in order"
    for bmc in farm.bmcs:
        said = found[bmc.address]
        root = bmc.get("/redfish/v1")
        assert (said["uuid"], said["redfish_version"]) == (root["UUID"].lower(), root["RedfishVersion"])
        assert said.get("fingerprint", "").replace(":", "") == bmc.fingerprint.lower().replace(":", "")
        assert (bmc.counters.logins, bmc.counters.refused, set(bmc.counters.by_path)) == (0, 0, {"/redfish/v1"})
    assert result["silent"] == {"connection refused": 234}
    assert (result["addresses"], result["probes"]) == (254, 254 + 2), "http is tried only where there is no TLS"


def test_a_bmc_found_over_both_protocols_can_be_registered(module, sim):
    with running_farm(BmcSpec(tree="server")) as farm:
        bmc = farm.bmcs[0]
        result = module("bmc_scan", networks=["127.0.0.1"], redfish_ports=[bmc.port], ipmi_ports=[sim.port], timeout=60)
    assert [item["kind"] for item in result["services"]] in (["redfish", "ipmi"], ["ipmi", "redfish"])
    said = facts(result, "ipmi")["127.0.0.1"]
    assert said["versions"] == ["1.5", "2.0"]
    assert (said["anonymous_login"], said["named_users"], said["asf_enterprise"]) == (False, True, 4542)
    (found,) = result["bmcs"]
    assert found["name"] == "bmc-127-0-0-1"
    assert found["bmc"].pop("fingerprint").replace(":", "") == bmc.fingerprint.lower().replace(":", "")
    assert found["bmc"] == {
        "address": "127.0.0.1",
        "drivers": ["redfish", "ipmi"],
        "redfish_scheme": "https",
        "redfish_port": bmc.port,
        "ipmi_port": sim.port,
    }


def test_sushy_emulator(module, tmp_path):
    with SushyEmulator(tmp_path, systems=[FakeSystem("one")], auth=("admin", "password")) as emulator:
        result = module(
            "bmc_scan",
            networks=["127.0.0.1"],
            protocols=["redfish"],
            redfish_ports=[emulator.port],
            redfish_schemes=["http"],
        )
    assert [item["url"] for item in result["services"]] == [f"http://127.0.0.1:{emulator.port}"]


def test_ipv6(module):
    with running_farm(BmcSpec(tree="server", address="::1")) as farm:
        result = module("bmc_scan", networks=["::1"], protocols=["redfish"], redfish_ports=[farm.bmcs[0].port])
    assert [item["url"] for item in result["services"]] == [f"https://[::1]:{farm.bmcs[0].port}"]


def test_an_old_bmc_that_refuses_the_question_of_ipmi_2(module):
    def old(data):
        if data[3] == 6:  # the ping
            return []
        completion = b"\xcc" if data[-3] & 0x80 else b"\x00\x01\x16\x01\x00\x00\x00\x00\x00"
        head, body = b"\x81\x1c\x63", b"\x20\x04\x38" + completion
        message = head + body + bytes([-sum(body) & 0xFF])
        return [bytes.fromhex("0600ff07 00 0000000000000000") + bytes([len(message)]) + message, b"garbage"]

    with udp(old) as (port, heard):
        result = module("bmc_scan", networks=["127.0.0.1"], protocols=["ipmi"], ipmi_ports=[port])
    said = facts(result, "ipmi")["127.0.0.1"]
    assert (said["versions"], said["anonymous_login"]) == (["1.5"], True)
    assert len(heard) == result["probes"] == 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("hang"), "timeout"),
        (Fault("garbage"), "no redfish"),
        (Fault("truncate"), "no redfish"),
        (Fault("reply", body="<html>printer</html>"), "no redfish"),
        (Fault("reset"), "connection reset by peer"),
    ],
)
def test_what_is_not_a_bmc(module, fault, reason):
    with running_farm(BmcSpec(tree="server", tls=False, faults=(fault,))) as farm:
        begin = time.monotonic()
        result = module(
            "bmc_scan",
            networks=["127.0.0.1"],
            protocols=["redfish"],
            redfish_ports=[farm.bmcs[0].port],
            redfish_schemes=["http"],
            timeout=0.5 if reason == "timeout" else 60,
        )
        assert time.monotonic() - begin < 60
    assert (result["services"], result["bmcs"], result["silent"]) == ([], [], {reason: 1})


def test_the_rate_holds_for_everything_together(module):
    with udp(lambda _data: []) as (port, heard):
        result = module(
            "bmc_scan",
            networks=["127.0.0.1-5"],
            redfish_ports=[free_port()],
            ipmi_ports=[port],
            rate=20,
            timeout=0.2,
        )
    assert result["probes"] == result["most_probes"] == 5 + 5 * 2 * 2
    assert result["seconds"] > (25 - 1) / 20 - 0.1
    assert len(heard) == 4, "only one of the five addresses listens: twice two datagrams"


def test_ssdp(module):
    """Found on a port that was not scanned; found twice; known already; outside of the networks; not to be reached."""
    with running_farm([BmcSpec(tree="server", address=f"127.0.67.{number}") for number in (1, 2, 3)]) as farm:
        scanned, unusual, outside = farm.bmcs
        silent = ("aaaaaaaa-2938-2342-8820-489239905423", "https://127.0.67.2:1")
        services = [(uuid(bmc), bmc.url) for bmc in (scanned, unusual, outside, unusual)] + [silent]
        with responder(*services) as (port, heard):
            result = module(
                "bmc_scan",
                networks=["127.0.67.1-2"],
                protocols=["redfish"],
                redfish_ports=[scanned.port],
                ssdp=True,
                ssdp_address="127.0.0.1",
                ssdp_port=port,
                ssdp_wait=1,
            )
    assert heard[0].startswith(b"M-SEARCH * HTTP/1.1\r\nHOST: 127.0.0.1:")
    found = [(item["url"], item["found_by"], item["facts"].get("product")) for item in result["services"]]
    assert sorted(found) == sorted(
        [
            (scanned.url, ["scan", "ssdp"], "Halden HS-2210"),
            (unusual.url, ["ssdp"], "Halden HS-2210"),
            ("https://127.0.67.2:1", ["ssdp"], None),
        ]
    )
    assert outside.counters.requests == 0, "not named, so not contacted"
    assert result["elsewhere"] == ["127.0.0.1"], "the sender of the answer"


def test_ssdp_by_multicast_over_ipv4_and_ipv6(collections, tmp_path):
    """In a network namespace of its own, so that nothing leaves this machine."""
    namespace = ["unshare", "--map-root-user", "--net"]
    cable = [*namespace, "ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1"]
    if subprocess.run(cable, check=False, capture_output=True).returncode:
        pytest.skip(
            "no network namespaces with virtual cables here (unshare --map-root-user --net ip link add ... type veth)"
        )
    common = {"protocols": ["redfish"], "redfish_ports": [1], "ssdp": True, "ssdp_wait": 1, "timeout": 1}
    searches = [
        {**common, "networks": ["192.0.2.1"], "ssdp_interface": "192.0.2.1"},
        {**common, "networks": ["2001:db8::1"], "ssdp_address": "ff02::c", "ssdp_interface": "lab0"},
    ]
    done = subprocess.run(
        [*namespace, sys.executable, str(Path(__file__).with_name("multicast_lab.py"))],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(collections)])},
        input=json.dumps(searches),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = [[(item["url"], item["found_by"]) for item in result["services"]] for result in told["results"]]
    assert found == [[(url, ["ssdp"])] for url in told["urls"]]
    assert told["heard"]["4"] >= 1
    assert told["heard"]["6"] >= 1


def test_check_mode_sends_nothing(module):
    with udp(lambda _data: []) as (port, heard), running_farm(BmcSpec(tree="server")) as farm:
        result = module(
            "bmc_scan",
            check=True,
            networks=["127.0.0.1"],
            redfish_ports=[farm.bmcs[0].port, 443],
            ipmi_ports=[port],
            ssdp=True,
            ssdp_address="127.0.0.1",
            ssdp_port=port,
        )
    assert (result["services"], result["probes"], result["most_probes"]) == ([], 0, 2 + 4 + 2)
    assert heard == []
    assert farm.bmcs[0].counters.requests == 0


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"networks": []}, "networks", "the list is empty"),
        ({"networks": ["127.0.0.0/8"]}, "networks", "more than max_addresses (4096)"),
        ({"networks": ["localhost"]}, "networks", "host names are not looked up"),
        ({"rate": 0}, "rate", "not more than 0"),
        ({"redfish_ports": [70000]}, "redfish_ports", "not a port"),
        ({"ipmi_ports": []}, "ipmi_ports", "the list is empty"),
        ({"ssdp": True, "ssdp_address": "nobody"}, "ssdp_address", "not an IP address"),
        ({"ssdp": True, "ssdp_interface": "nobody"}, "ssdp_interface", "can't be used"),
    ],
)
def test_each_failure_is_one_clear_line(module, change, field, words):
    result = module("bmc_scan", **{"networks": ["127.0.0.1"], "redfish_ports": [1], "timeout": 0.1, **change})
    assert result["failed"] is True
    assert (result["failure"]["code"], result["failure"]["details"]["field"]) == ("invalid_input", field)
    assert words in result["msg"]
    assert "\n" not in result["msg"]


def test_networks_larger_than_the_default_are_scanned_when_the_bound_is_raised(module):
    options = {"networks": ["127.0.0.0/19"], "protocols": ["redfish"]}
    assert module("bmc_scan", check=True, **options)["failure"]["details"]["addresses"] == 8190
    assert module("bmc_scan", check=True, max_addresses=8190, **options)["most_probes"] == 8190


def test_the_examples_run(module):
    """Every example of the documentation, in check mode, is accepted."""
    text = (ROOT / "plugins/modules/bmc_scan.py").read_text().split('EXAMPLES = r"""')[1].split('"""')[0]
    scans = [task["baremetal.fleet.bmc_scan"] for task in yaml.safe_load(text) if "baremetal.fleet.bmc_scan" in task]
    assert len(scans) == 2
    for options in scans:
        assert module("bmc_scan", check=True, **options)["most_probes"] > 50
