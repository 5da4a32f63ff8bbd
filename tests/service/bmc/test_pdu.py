# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pdu_outlet against the SNMP simulator snmpsim, over UDP."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

APC = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4"
RARITAN_SWITCH, RARITAN_STATE = "1.3.6.1.4.1.13742.6.4.1.2.1.2.1", "1.3.6.1.4.1.13742.6.4.1.2.1.3.1"
OTHER = "1.3.6.1.4.1.99999.1"
# Values that can be written, and one that can't: Raritan's state.
RECORDS = f"""{APC}.1|2:writecache|value=1
{APC}.2|2:writecache|value=2
{RARITAN_SWITCH}.4|2:writecache|value=1
{RARITAN_STATE}.4|2|7
{OTHER}.7.5|2:writecache|value=10
"""


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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["--process-user=root", "--process-group=root"] if os.getuid() == 0 else []
    arguments = [f"--data-dir={data}", f"--cache-dir={folder / 'cache'}", f"--agent-udpv4-endpoint=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([command, *user, *arguments], cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while "Listening at" not in (folder / "log").read_text() and time.monotonic() < deadline:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


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
