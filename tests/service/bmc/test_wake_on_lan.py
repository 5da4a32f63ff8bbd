# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""wake_on_lan: the packet as it arrives, and a machine that answers after it."""

from __future__ import annotations

import socket
import threading

import pytest

MAC = "52:54:00:12:34:56"


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        yield receiver


def options(listener, **more):
    return {"mac": MAC, "broadcast": "127.0.0.1", "port": listener.getsockname()[1], **more}


def test_the_packet(module, listener):
    assert module("wake_on_lan", check=True, **options(listener))["changed"]
    result = module("wake_on_lan", count=2, **options(listener))
    assert (result["changed"], result["wake"]["verified"]) == (True, False)
    for _packet in range(2):
        assert listener.recv(200) == b"\xff" * 6 + bytes.fromhex("525400123456") * 16
    listener.settimeout(0.1)
    with pytest.raises(socket.timeout):
        listener.recv(200)


def test_a_machine_that_wakes(module, listener):
    """127.0.0.2 has nobody on this port until the packet came; a firewall that drops is played by a full backlog."""
    machine = socket.socket()
    machine.bind(("127.0.0.2", 0))
    probe = {"probe_host": "127.0.0.2", "probe_port": machine.getsockname()[1]}
    refused = module("wake_on_lan", **probe, **options(listener))
    assert not refused["changed"], "a machine that refuses the connection runs"
    machine.listen(0)
    waiting = [socket.create_connection(machine.getsockname()) for _place in range(1)]  # the backlog is full: silence

    def wake():
        listener.recv(200)
        machine.listen(50)
        for _ in waiting:
            machine.accept()[0].close()

    thread = threading.Thread(target=wake)
    thread.start()
    result = module("wake_on_lan", wait_timeout=20, **probe, **options(listener))
    thread.join()
    assert (result["changed"], result["wake"]["before"], result["wake"]["after"]) == (True, "unknown", "on")
    for connection in [*waiting, machine]:
        connection.close()


@pytest.mark.parametrize("mac", ["52:54:00:12:34", "01:00:5e:00:00:01", "00:00:00:00:00:00"])
def test_refused(module, listener, mac):
    result = module("wake_on_lan", **options(listener, mac=mac))
    assert result["failure"]["details"]["field"] == "mac"
