# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pdu_outlet against the SNMP simulator snmpsim, over UDP."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleetcore.host.clock import SystemClock
from fleetcore.power.base import PowerController, PowerOptions
from fleetcore.power.pdu import open_outlets, outlets_of

APC = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4"
RARITAN_SWITCH, RARITAN_STATE = "1.3.6.1.4.1.13742.6.4.1.2.1.2.1", "1.3.6.1.4.1.13742.6.4.1.2.1.3.1"
APC_NAMES = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.2"
PORTS = "1.3.6.1.2.1.105.1.1.1"
OTHER = "1.3.6.1.4.1.99999.1"
# Values that can be written, and one that can't: Raritan's state.
RECORDS = f"""{APC}.1|2:writecache|value=1
{APC}.2|2:writecache|value=2
{RARITAN_SWITCH}.4|2:writecache|value=1
{RARITAN_STATE}.4|2|7
{OTHER}.7.5|2:writecache|value=10
{OTHER}.7.6|2|10
{APC_NAMES}.1|4|node1-a
{APC_NAMES}.2|4|node1-b
{APC_NAMES}.3|4|twin
{APC_NAMES}.4|4|twin
{PORTS}.3.1.17|2:writecache|value=1
{PORTS}.6.1.17|2|3
{RARITAN_SWITCH}.5|2:outlet|value=1
{RARITAN_STATE}.5|2:outlet|of={RARITAN_SWITCH}.5,1=7,0=8
{OTHER}.1.8|2:outlet|value=1
{OTHER}.2.8|2:outlet|of={OTHER}.1.8,1=7,0=8
{PORTS}.3.1.18|2:outlet|value=1
{PORTS}.6.1.18|2:outlet|of={PORTS}.3.1.18,1=3,2=1
"""
# A variation module of snmpsim: `value` is a switch that can be written, `of` a state that follows one.
OUTLET = """
def init(**context):
    moduleContext.setdefault("switches", {})


def variate(oid, tag, value, **context):
    if not context["nextFlag"] and not context["exactMatch"]:
        return context["origOid"], tag, context["errorStatus"]
    settings = dict(part.split("=") for part in value.split(","))
    switches = moduleContext["switches"]
    name = settings.get("of", str(oid))
    if context["setFlag"] and "value" in settings:
        switches[name] = str(int(context["origValue"]))
    now = switches.get(name, settings.get("value", "1"))
    from pyasn1.type import univ
    return oid, tag, univ.Integer(int(settings.get(now, now)))


def shutdown(**context):
    pass
"""
V3 = (
    "--v3-user=fleet",
    "--v3-auth-key=auth-password",
    "--v3-priv-key=priv-password",
    "--v3-auth-proto=SHA",
    "--v3-priv-proto=AES",
)
V3_LOGIN = {
    "version": "3",
    "username": "fleet",
    "community": None,
    "context": "private",
    "auth_password": "auth-password",
    "priv_password": "priv-password",
}


@pytest.fixture(scope="module")
def pdu(tmp_path_factory):
    """UDP port of a simulated PDU with the community `private`."""
    pytest.importorskip("pysnmp")
    command = shutil.which("snmpsim-command-responder", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("snmpsim is not installed: pip install snmpsim pysmi")
    folder = tmp_path_factory.mktemp("pdu")
    data = folder / "data"
    data.mkdir()
    (data / "private.snmprec").write_text("\n".join(sorted(RECORDS.split(), key=oid_of)) + "\n")
    (folder / "variation").mkdir()
    (folder / "variation" / "outlet.py").write_text(OUTLET)
    own = Path(importlib.util.find_spec("snmpsim").origin).parent / "variation"
    variations = [f"--variation-modules-dir={path}" for path in (own, folder / "variation")]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["--process-user=root", "--process-group=root"] if os.getuid() == 0 else []
    arguments = [f"--data-dir={data}", f"--cache-dir={folder / 'cache'}", f"--agent-udpv4-endpoint=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([command, *user, *arguments, *variations, *V3], cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while "Listening at" not in (folder / "log").read_text() and time.monotonic() < deadline:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def oid_of(line):
    return [int(part) for part in line.partition("|")[0].split(".")]


def options(port, **more):
    login = {"address": "127.0.0.1", "port": port, "community": "private", "timeout": 1}
    return {**login, "off_seconds": 0.1, "verify_timeout": 1, **more}


def test_apc(module, pdu):
    check = module("pdu_outlet", check=True, outlet=1, state="cycle", **options(pdu))
    assert [step["action"] for step in check["power"]["steps"]] == ["off", "wait", "on"]
    assert not module("pdu_outlet", outlet=1, state="on", **options(pdu))["changed"]
    off = module("pdu_outlet", outlet=1, state="off", **options(pdu))
    assert (off["changed"], off["power"]["after"], off["power"]["verified"]) == (True, "off", True)
    assert not module("pdu_outlet", outlet=1, state="off", **options(pdu))["changed"]
    cycle = module("pdu_outlet", outlet=1, state="cycle", **options(pdu))
    assert (cycle["changed"], cycle["power"]["after"]) == (True, "on")
    other = module("pdu_outlet", outlet=2, state="off", **options(pdu))
    assert not other["changed"], "the other outlet was left alone"


def test_raritan(module, pdu):
    """Its state is another value than the switch. Here it is fixed, so that switching off is found to do nothing."""
    assert not module("pdu_outlet", vendor="raritan", outlet=4, state="on", **options(pdu))["changed"]
    result = module("pdu_outlet", vendor="raritan", outlet=4, state="off", **options(pdu))
    assert result["failure"]["code"] == "not_verified"
    assert {step["result"] for step in result["failure"]["details"]["power"]["steps"]} >= {"accepted"}


def test_generic(module, pdu):
    values = {"vendor": "generic", "on_value": 10, "off_value": 20}
    mib = {**values, "oid": OTHER + ".7.{outlet}"}
    assert module("pdu_outlet", **mib, outlet=5, state="off", **options(pdu))["power"]["after"] == "off"
    assert module("pdu_outlet", **mib, outlet=5, state="on", **options(pdu))["changed"]


KINDS = {
    "apc": {"vendor": "apc", "outlet": 1},
    "raritan": {"vendor": "raritan", "outlet": 5},
    "generic": {
        "vendor": "generic",
        "outlet": 8,
        "oid": OTHER + ".1.{outlet}",
        "on_value": 1,
        "off_value": 0,
        "state_oid": OTHER + ".2.{outlet}",
        "state_on_value": 7,
        "state_off_value": 8,
    },
    "poe": {"vendor": "poe", "outlet": 18},
}


@pytest.mark.parametrize("version", ["2c", "3"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_off_on_and_cycle_are_read_back(pdu, kind, version):
    """The state is another object than the switch (but APC's), and follows it."""
    unset = dict.fromkeys(
        ("oid", "on_value", "off_value", "state_oid", "state_on_value", "state_off_value", "name_oid")
    )
    login = {"version": "2c", "auth_protocol": "sha", "priv_protocol": "aes", **options(pdu, timeout=20)}
    entry = {**unset, **login, **KINDS[kind], **(V3_LOGIN if version == "3" else {})}
    clock = SystemClock()
    power = PowerOptions(graceful_timeout=0, off_seconds=0, verify_timeout=60)
    driver = open_outlets(outlets_of({"pdu": [entry], "verify_timeout": 60}), clock)
    try:
        done = [PowerController(driver, clock, power).run(state) for state in ("on", "off", "off", "on", "cycle", "on")]
    finally:
        driver.close()
    assert [result.after.value for result in done] == ["on", "off", "off", "on", "on", "on"]
    assert [result.changed for result in done[1:]] == [True, False, True, True, False]
    assert all(result.verified for result in done)
    assert [step.action for step in done[4].steps] == ["off", "wait for off", "wait", "on", "wait for on"]


def test_a_poe_port(module, pdu):
    """Its state is what the port delivers, which is fixed here: switched off, it still delivers."""
    assert not module("pdu_outlet", vendor="poe", outlet=17, state="on", **options(pdu))["changed"]
    assert (
        module("pdu_outlet", vendor="poe", outlet=17, state="off", **options(pdu))["failure"]["code"] == "not_verified"
    )


def test_snmp_version_3(module, pdu):
    login = V3_LOGIN
    cycle = module("pdu_outlet", outlet=1, state="cycle", **{**options(pdu), **login})
    assert (cycle["power"]["verified"], cycle["power"]["after"]) == (True, "on")
    for change in ({"auth_password": "another-one"}, {"username": "nobody"}):
        result = module("pdu_outlet", outlet=1, state="on", **{**options(pdu), **login, **change})
        assert result["failure"]["code"] == "authentication_failed", result
        assert "another-one" not in result["msg"]
    undecipherable = module(
        "pdu_outlet", outlet=1, state="on", **{**options(pdu), **login, "priv_password": "another-one"}
    )
    assert undecipherable["failed"]


def test_a_name_is_that_of_one_outlet(module, pdu):
    assert module("pdu_outlet", check=True, outlet="node1-a", state="cycle", **options(pdu))["changed"]
    for name, code, words in (
        ("twin", "invalid_input", "3, 4"),
        ("node1", "not_found", "node1-a, node1-b"),
        ("", "invalid_input", "outlet"),
    ):
        result = module("pdu_outlet", outlet=name, state="off", **options(pdu))
        assert (result["failure"]["code"], words in result["msg"]) == (code, True), result


def test_two_supplies_go_together(module, pdu):
    both = {"outlet": [1, "node1-b"], "outlet_delay": 0.1}
    assert module("pdu_outlet", **both, state="on", **options(pdu))["power"]["verified"]
    off = module("pdu_outlet", **both, state="off", **options(pdu))
    assert (off["changed"], off["power"]["before"], off["power"]["after"]) == (True, "on", "off")
    assert module("pdu_outlet", outlet=2, state="on", **options(pdu))["changed"]
    half = module("pdu_outlet", **both, state="on", **options(pdu))
    assert (half["changed"], half["power"]["before"], half["power"]["after"]) == (True, "unknown", "on")
    twice = module("pdu_outlet", outlet=[1, "node1-a"], state="off", **options(pdu))
    assert "named twice" in twice["msg"]


def test_one_supply_that_can_not_be_switched_off_leaves_none_off(module, pdu):
    mib = {"vendor": "generic", "oid": OTHER + ".7.{outlet}", "on_value": 10, "off_value": 20}
    module("pdu_outlet", **mib, outlet=5, state="on", **options(pdu))
    for state in ("off", "cycle"):
        result = module("pdu_outlet", **mib, outlet=[5, 6], state=state, **options(pdu))
        assert result["failed"], result
        assert result["failure"]["details"]["outlet"] == 6
        assert not module("pdu_outlet", **mib, outlet=5, state="on", **options(pdu))["changed"], (
            "it was switched on again"
        )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"community": "wrong", "timeout": 0.2}, "timeout"),
        ({"community": None}, "invalid_input"),
        ({"outlet": 0}, "invalid_input"),
        ({"vendor": "generic"}, "invalid_input"),
        ({"vendor": "generic", "oid": "sysName.0", "on_value": 1, "off_value": 2}, "invalid_input"),
        ({"version": "3"}, "invalid_input"),
        ({"outlet": 9}, "not_found"),
    ],
)
def test_failures(module, pdu, change, code):
    result = module("pdu_outlet", **{"outlet": 1, "state": "on", **options(pdu), **change})
    assert result["failure"]["code"] == code
    assert "private" not in result["msg"]
