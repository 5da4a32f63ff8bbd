# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ComputerSystem is the host: nodes, virtual machines, boards of accelerators, and members that don't answer."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    BadResponse,
    InvalidInput,
    NotFound,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.systems import choose_system

HOME = "/redfish/v1/Systems/"
RESET = {"Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}
HOST = {"BiosVersion": "1.0", **RESET}
BOARD = {
    "SystemType": "Physical",
    "BiosVersion": "",
    "Boot": {"BootOrderPropertySelection": "BootOrder", "BootSourceOverrideTarget@Redfish.AllowableValues": ["Pxe"]},
}


def choose(systems, *arguments, **more):
    return choose_system([(HOME + name, body) for name, body in systems.items()], *arguments, **more)


def chosen(systems, *arguments, **more):
    return choose(systems, *arguments, **more).path.removeprefix(HOME)


def test_the_only_one_is_the_host_whatever_it_is():
    assert choose({"1": {}}) == (HOME + "1", (), (), ())


def test_a_name_is_the_id_or_the_last_part_of_the_path():
    systems = {"1": {"Id": "node-a", **HOST}, "2": {"Id": "node-b", **HOST}}
    assert [chosen(systems, name) for name in ("node-a", "1", "node-b", "2")] == ["1", "1", "2", "2"]
    assert choose(systems, "2").others == (("node-a", HOME + "1"),)


@pytest.mark.parametrize("name", ["3", "", "NODE-A"])
def test_a_wrong_name_selects_nothing(name):
    with pytest.raises(NotFound, match="there are: node-a, node-b") as caught:
        choose({"1": {"Id": "node-b"}, "2": {"Id": "node-a"}}, name, address="192.0.2.1")
    assert caught.value.message.startswith("192.0.2.1: ")
    assert caught.value.details == {"system": name, "systems": ["node-a", "node-b"]}


def test_there_is_none():
    with pytest.raises(NotFound, match="lists no system"):
        choose({})


def test_between_two_machines_nobody_guesses():
    with pytest.raises(InvalidInput, match="a, b") as caught:
        choose({"b": HOST, "a": HOST})
    assert caught.value.details["systems"] == ["a", "b"]


@pytest.mark.parametrize("kind", ["Virtual", "Composed", "VirtuallyPartitioned", "DPU"])
def test_the_only_real_machine_is_meant(kind):
    assert chosen({"vm": {"SystemType": kind, "Boot": {"BootOrder": []}}, "host": {"SystemType": "Physical"}}) == "host"


@pytest.mark.parametrize(
    "host",
    [
        {"Bios": {"@odata.id": "/bios"}},
        {"HostName": "web1"},
        {"Boot": {"BootOrder": []}},
        {"Boot": {"BootSourceOverrideTarget": "None"}},
        RESET,
    ],
)
def test_what_can_not_boot_is_a_part_of_the_only_one_that_can(host):
    choice = choose({"HGX_Baseboard_0": BOARD, "System_0": {"SystemType": "Physical", **host}})
    assert choice == (HOME + "System_0", (HOME + "HGX_Baseboard_0",), (), ())


def test_a_board_that_can_be_reset_and_not_booted_is_a_part():
    assert chosen({"board": {**BOARD, **RESET}, "host": HOST}) == "host"


def test_a_board_that_is_named_is_read_alone():
    choice = choose({"board": BOARD, "host": HOST}, "board")
    assert (choice.path, choice.parts, choice.others) == (HOME + "board", (), (("host", HOME + "host"),))


def test_boards_have_no_host_when_two_machines_could_be_it():
    assert choose({"board": BOARD, "n1": HOST, "n2": HOST}, "n1").parts == ()


def test_a_board_that_does_not_answer_is_left_out_and_said():
    choice = choose({"System_0": HOST}, silent=[HOME + "HGX_Baseboard_0"])
    assert (choice.path, choice.silent) == (HOME + "System_0", ("HGX_Baseboard_0",))


@pytest.mark.parametrize(
    ("node", "silent"),
    [
        ("Node1", "Node2"),
        ("1", "2"),
        ("c3f9e8a0-0000-4000-8000-00000000abcd", "0b8d7a52-ffff-4fff-8fff-00000000beef"),
        ("XYZ20431ABC", "XYZ2043AB12"),
        ("server-XYZ20431ABC", "server-ZYX2043AB12"),
        ("NodeA", "NodeB"),
        ("blade-a", "blade-b"),
        ("A", "B"),
        ("Left", "Right"),
    ],
)
def test_a_node_that_does_not_answer_is_a_machine_that_may_be_meant(node, silent):
    with pytest.raises(InvalidInput, match=f"{silent} did not answer"):
        choose({node: HOST}, silent=[HOME + silent])
    named = choose({node: HOST}, node, silent=[HOME + silent])
    assert (named.path, named.others) == (HOME + node, ((silent, HOME + silent),))


@pytest.mark.parametrize(("host", "board"), [("DGX", "HGX_Baseboard_0"), ("1", "Baseboard"), ("System0", "GPUA")])
def test_a_board_that_does_not_answer_is_no_machine_by_its_name(host, board):
    assert choose({host: HOST}, silent=[HOME + board]).path == HOME + host


def test_a_named_system_that_does_not_answer_is_there():
    with pytest.raises(BadResponse, match="'n2' did not answer"):
        choose({"n1": HOST}, "n2", silent=[HOME + "n2"])


def test_a_board_is_not_taken_for_the_host_that_does_not_answer():
    with pytest.raises(InvalidInput, match="System_0 did not answer"):
        choose({"HGX_Baseboard_0": BOARD}, silent=[HOME + "System_0"])


def test_nobody_answers():
    with pytest.raises(NotFound, match="n1, n2 did not answer"):
        choose({}, silent=[HOME + "n1", HOME + "n2"])


@pytest.mark.parametrize(
    "boot",
    [
        {"BootSourceOverrideEnabled": None, "BootOrder": None},
        {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None", "BootOrder": []},
    ],
)
def test_a_board_whose_boot_has_values_that_lead_nowhere(boot):
    """It has no firmware and can't be reset, and the host has both."""
    found = choose({"Host_0": HOST, "Baseboard_0": {"SystemType": "Physical", "HostName": "", "Boot": boot}})
    assert (found.path, found.parts, found.others) == (HOME + "Host_0", (HOME + "Baseboard_0",), ())
