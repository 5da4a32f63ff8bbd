# SPDX-License-Identifier: BSD-2-Clause

"""The addresses to look at. Pure. Nothing is guessed: an empty list, a host name or a network with host bits is an
error.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Union

from ..errors import InvalidInput

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


_Span = tuple[Address, int]
"""The first address, and how many follow each other."""


def expand(networks: Iterable[str], limit: int) -> list[str]:
    """List the addresses of networks (``192.0.2.0/24``: without network and broadcast address), ranges
    (``192.0.2.10-192.0.2.20``, ``192.0.2.10-20``) and single addresses, in their order, each once, in the usual
    spelling.

    :param limit: of their number; they are counted before they are made.
    :raises InvalidInput: empty, not an address, multicast, or more than ``limit``; ``details["field"]`` is
        ``networks``.
    """
    spans = [_span(str(item).strip()) for item in networks]
    if not spans:
        raise _wrong("the list is empty; nothing is scanned unless it is named")
    total = sum(count for _first, count in spans)
    if total > limit:
        raise InvalidInput(
            f"networks: {total} addresses are more than max_addresses ({limit}); name smaller networks, or raise it",
            field="networks",
            addresses=total,
            limit=limit,
        )
    found: dict[str, None] = {}
    for first, count in spans:
        for number in range(count):
            address = first + number if number else first  # adding loses an IPv6 zone
            if address.is_multicast or address.is_unspecified or address == _BROADCAST:
                raise _wrong(f"{address} is not the address of one machine")
            found[str(address)] = None
    return list(found)


def _span(item: str) -> _Span:
    if "/" in item:
        return _network(item)
    if "-" in item and "%" not in item:
        return _range(item)
    return (_address(item), 1)


def _network(item: str) -> _Span:
    try:
        network = ipaddress.ip_network(item)
    except ValueError as error:
        if "host bits" in str(error):
            whole = ipaddress.ip_network(item, strict=False)
            raise _wrong(
                f"{item} has host bits set; {whole} is the network, {item.split('/', maxsplit=1)[0]} the address"
            ) from None
        raise _wrong(f"{item!r} is not a network") from None
    count = network.num_addresses
    if count <= 2:
        return (network.network_address, count)
    # IPv6 has no broadcast address; its first address is the routers'.
    return (network.network_address + 1, count - (2 if network.version == 4 else 1))


def _range(item: str) -> _Span:
    begin, _dash, end = (part.strip() for part in item.partition("-"))
    first = _address(begin)
    if first.version == 4 and end.isdecimal():
        end = f"{begin.rpartition('.')[0]}.{end}"
    last = _address(end)
    if first.version != last.version or int(last) < int(first):
        raise _wrong(f"{item}: the end of a range comes after its begin")
    return (first, int(last) - int(first) + 1)


def _address(item: str) -> Address:
    try:
        return ipaddress.ip_address(item)
    except ValueError:
        raise _wrong(f"{item!r} is not an IP address, range or network (host names are not looked up)") from None


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(f"networks: {message}", field="networks")


_BROADCAST = ipaddress.ip_address("255.255.255.255")
