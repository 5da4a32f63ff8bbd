# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RMCP bytes as the specifications print them."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan import rmcp
from hypothesis import given
from hypothesis import strategies as st

# ASF 2.0 (DSP0136), section 3.2.4: header, enterprise number 4542, type, tag, reserved, length of data.
PING = bytes.fromhex("0600ff06 000011be 80 2a 00 00")
PONG = bytes.fromhex("0600ff06 000011be 40 2a 00 10 000011be 00000000 81 00 000000000000")
# IPMI 2.0, sections 13.1.3, 13.8 and 22.13: session header without authentication, then the message with its two
# checksums.
QUESTION = bytes.fromhex("0600ff07 00 00000000 00000000 09 2018c8 81 00 38 8e 04 b5")


def answer(completion=0, channel=1, types=0x97, status=0x04, extended=0x03, oem="000000", aux=0):
    """An answer to QUESTION, with right checksums."""
    head = bytes([0x81, 0x1C])
    body = bytes([0x20, 0x00, 0x38, completion])
    if not completion:
        body += bytes([channel, types, status, extended]) + bytes.fromhex(oem) + bytes([aux])
    message = head + bytes([-sum(head) & 0xFF]) + body + bytes([-sum(body) & 0xFF])
    return bytes.fromhex("0600ff07 00 00000000 00000000") + bytes([len(message)]) + message


def test_what_is_sent():
    assert rmcp.presence_ping(tag=0x2A) == PING
    assert rmcp.capabilities_request(sequence=0) == QUESTION
    assert (
        rmcp.capabilities_request(sequence=0, extended=False).hex()
        == "0600ff0700000000000000000009" + "2018c8" + "8100380e0435"
    )


def test_presence_pong():
    assert rmcp.decode(PONG) == rmcp.Pong(ipmi=True, enterprise=4542, tag=0x2A)
    without = PONG[:20] + b"\x01" + PONG[21:]
    assert rmcp.decode(without).ipmi is False
    assert rmcp.facts(rmcp.decode(without), None) is None, "ASF alone is not IPMI"
    assert rmcp.facts(rmcp.decode(PONG), None) == {"asf_enterprise": 4542}


def test_the_answer_of_a_bmc_in_a_book():
    """OpenIPMI's lanserv, byte by byte as it came over the wire."""
    wire = bytes.fromhex("0600ff07 00 00000000 00000000 10 811c63 20 00 38 00 01 97 04 03 000000 00 09")
    said = rmcp.decode(wire)
    assert said == rmcp.decode(answer())
    assert (said.versions, said.named_users, said.anonymous_login) == (("1.5", "2.0"), True, False)
    assert said.authentication == ("none", "md2", "md5", "password")


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ({"types": 0x16}, {"versions": ("1.5",), "kg_set": None, "authentication": ("md2", "md5", "password")}),
        ({"extended": 0x02}, {"versions": ("2.0",)}),
        ({"types": 0xA0}, {"authentication": ("oem",)}),
        ({"status": 0x01}, {"anonymous_login": True, "null_usernames": False, "named_users": False}),
        ({"status": 0x02}, {"anonymous_login": False, "null_usernames": True}),
        ({"status": 0x20}, {"kg_set": True}),
        ({"status": 0x18}, {"per_message_authentication": False, "user_authentication": False}),
        ({"oem": "a20200", "aux": 7}, {"oem": 674, "oem_data": 7}),
        ({"completion": 0xCC}, {"completion": 0xCC, "versions": ()}),
    ],
)
def test_each_bit(bits, expected):
    said = rmcp.decode(answer(**bits))
    assert {name: getattr(said, name) for name in expected} == expected


@pytest.mark.parametrize("place", range(4, len(answer())))
def test_a_flipped_bit_is_noticed(place):
    """In the message by its checksums, in what leads to it by being something else."""
    wire = bytearray(answer())
    wire[place] ^= 0x10
    if 5 <= place <= 12:  # numbers of the session: 0 outside of one, and not looked at
        assert rmcp.decode(bytes(wire)) == rmcp.decode(answer())
    else:
        assert rmcp.decode(bytes(wire)) is None


@given(st.binary(max_size=60), st.integers(0, 60))
def test_garbage_and_cut_answers_are_nothing(garbage, length):
    rmcp.decode(garbage)
    rmcp.decode(PING[:4] + garbage)
    rmcp.decode(QUESTION[:4] + garbage)
    for wire in (answer(), PONG):
        if length < len(wire) - 6:
            assert rmcp.decode(wire[:length]) is None
