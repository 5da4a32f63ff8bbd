# SPDX-License-Identifier: BSD-2-Clause

"""What a host asks its own BMC through the kernel, and what the answers are in the device document.

The questions depend on answers, so both are one generator: :mod:`fleetcore.ipmi.device` sends what it yields and writes
the conversation down, :func:`parse_openipmi` goes through it again with what was written. Commands that read, and
nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Optional

from ..document.model import Device
from ..document.outputs import decoded, parser
from ..document.parts import Nic, NicPort
from ..errors import ParseError
from .fru import Asking, Fru, ask, conducted, device_of, parse_fru, read_fru, text_of
from .values import lan_port, parse_device_id

_CODES = {
    0xC1: "the BMC does not know this command",
    0xC3: "the BMC does not answer",
    0xD2: "the BMC is starting",
    0xD4: "insufficient privilege on this interface",
}
_SILENT = 0xC3  # the kernel says so when it has waited in vain, the BMC when something behind it has not answered
_SOURCES = {1: "Static Address", 2: "DHCP Address", 3: "BIOS Assigned Address"}
_LAN = 4  # the channel medium 802.3
_CHANNELS = range(1, 12)
_MAX_LINES = 20_000
_MAX_RECORDS = 1000
_MAX_FRUS = 32
_MAX_ADDRESSES = 4
_BMC = 0x20
_LOCATOR = 0x11


def line(request: bytes, answer: bytes) -> str:
    """A command and its answer in the conversation as it is written down."""
    return f"{request.hex(' ')} > {answer.hex(' ')}"


@parser("openipmi")
def parse_openipmi(raw: str) -> Device:
    """A conversation, a command in a line; what was not asked any more is not known.

    :raises ParseError: there is none in it, or the BMC did not answer.
    """
    answers: dict[bytes, bytes] = {}
    for said in decoded(raw).splitlines()[:_MAX_LINES]:
        request, found, answer = said.partition(">")
        try:
            if found:
                answers.setdefault(bytes.fromhex(request), bytes.fromhex(answer))
        except ValueError:
            continue
    if not answers:
        raise ParseError("openipmi: no conversation with a BMC", field="openipmi")
    return conduct(lambda request: answers.get(request, b""))[0]


def conduct(answer: Callable[[bytes], bytes]) -> tuple[Device, tuple[str, ...]]:
    """Ask everything, in order; the document, and words for what is damaged. ``answer`` gives the answer to a command
    from the completion code on, nothing if there is none.

    :raises ParseError: the BMC does not say what it is; ``details["silent"]``: because it does not answer.
    """
    return conducted(_interview(), answer)


def _interview() -> Asking[tuple[Device, tuple[str, ...]]]:
    answer = yield bytes([0x06, 0x01])  # Get Device ID
    if not answer or answer[0]:
        silent = not answer or answer[0] == _SILENT
        words = _CODES.get(answer[0] if answer else _SILENT, "the BMC does not say what it is")
        code = f" (completion code 0x{answer[0]:02x})" if answer else ""
        raise ParseError(f"openipmi: {words}{code}", field="openipmi", silent=silent)
    bmc = parse_device_id(answer[1:])
    ports = yield from _ports()
    units = [(0, "", (yield from _fru(0)))]
    units += yield from _further_units()
    nic = Nic(id="bmc", nic_ports=tuple(ports)) if ports else None
    problems = tuple(f"FRU {number}: {problem}" for number, _name, fru in units for problem in fru.problems)
    return replace(device_of(units), bmc=replace(bmc, nic=nic)), problems


def _ports() -> Asking[list[NicPort]]:
    """A port for each LAN channel that has an address. Where no channel says what it is: channel 1."""
    channels = []
    for channel in _CHANNELS:
        info = yield from ask(0x06, 0x42, channel)  # Get Channel Info
        if len(info) > 1 and info[0] & 0x0F == channel and info[1] & 0x7F == _LAN:
            channels.append(channel)
    ports: list[NicPort] = []
    for channel in channels or _CHANNELS[:1]:
        port = yield from _port(channel, f"lan{channel}" if ports else "lan")
        if port.macaddress or port.ip_addresses:
            ports.append(port)
    return ports


def _port(channel: int, name: str) -> Asking[NicPort]:
    def parameter(number: int, selector: int = 0) -> Asking[bytes]:
        found = yield from ask(0x0C, 0x02, channel, number, selector, 0)  # Get LAN Configuration Parameters
        return found[1:]

    address = yield from parameter(3)
    source = yield from parameter(4)
    mac = yield from parameter(5)
    netmask = yield from parameter(6)
    gateway = yield from parameter(12)
    vlan = yield from parameter(20)
    addresses = [_ipv4(address)]
    if (yield from parameter(50))[:1] not in (b"", b"\0"):  # IPv6 is supported
        counts = yield from parameter(55)
        for number, count in zip((56, 59), counts):  # static and dynamic addresses
            for selector in range(min(count, _MAX_ADDRESSES)):
                found = yield from parameter(number, selector)
                addresses.append(_ipv6(found, number == 56))
    details = {
        "source": _SOURCES.get(source[0] & 0x0F) if source else None,
        "netmask": _ipv4(netmask),
        "gateway": _ipv4(gateway),
        "vlan": str(vlan[0] | (vlan[1] & 0x0F) << 8) if len(vlan) > 1 and vlan[1] & 0x80 else None,
    }
    return lan_port(name, mac[:6].hex(":"), addresses, details)


def _ipv4(data: bytes) -> Optional[str]:
    return str(ipaddress.IPv4Address(data[:4])) if len(data) >= 4 else None


def _ipv6(data: bytes, static: bool) -> Optional[str]:
    """Read selector, source (static ones: with a bit for enabled), address, prefix length, and status (0: active)."""
    if len(data) < 20 or data[19] or (static and not data[1] & 0x80):
        return None
    return str(ipaddress.IPv6Address(data[2:18]))


def _fru(number: int) -> Asking[Fru]:
    return parse_fru((yield from read_fru(number)))


def _further_units() -> Asking[list[tuple[int, str, Fru]]]:
    """The FRU devices of the BMC itself that its sensor data records locate. An empty bay has a record and no data."""
    named: dict[int, str] = {}
    record = 0
    seen: set[int] = set()
    while record != 0xFFFF and record not in seen and len(seen) < _MAX_RECORDS:
        seen.add(record)
        where = (0x0A, 0x23, 0, 0, record & 0xFF, record >> 8, 0)  # Get SDR
        head = yield from ask(*where, 5)
        if len(head) < 7:
            break
        if head[5] == _LOCATOR:
            body = (yield from ask(*where, min(5 + head[6], 0xFF)))[2:]
            if len(body) > 15 and body[5] == _BMC and body[7] & 0x80 and body[6]:
                named.setdefault(body[6], text_of(body[15:]))
        record = head[0] | head[1] << 8
    units = []
    for number, name in list(named.items())[:_MAX_FRUS]:
        data = yield from read_fru(number)
        if data:
            units.append((number, name, parse_fru(data)))
    return units
