# SPDX-License-Identifier: BSD-2-Clause

"""Options and results of a scan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional

from . import rmcp, ssdp

_IPMI_DATAGRAMS = 2  # a presence ping and a question


@dataclass(frozen=True)
class SsdpOptions:
    """A search by multicast.

    :param address: multicast group, or one host.
    :param interface: local IPv4 address, or for IPv6 the name of an interface.
    :param wait: seconds for answers.
    """

    address: str = ssdp.GROUPS[4]
    port: int = ssdp.PORT
    interface: Optional[str] = None
    wait: float = 3.0


@dataclass(frozen=True)
class ScanOptions:
    """The addresses and ports to scan, and how gently.

    :param addresses: of :func:`targets.expand`.
    :param redfish_schemes: tried in this order on each port that accepts a connection.
    :param rate: connections and datagrams per second.
    :param concurrency: probes under way at once.
    :param timeout: seconds for one probe.
    :param attempts: how often a datagram without answer is sent.
    """

    addresses: tuple[str, ...]
    redfish_ports: tuple[int, ...] = (443,)
    redfish_schemes: tuple[str, ...] = ("https",)
    ipmi_ports: tuple[int, ...] = (rmcp.PORT,)
    rate: float = 100.0
    concurrency: int = 256
    timeout: float = 3.0
    attempts: int = 2
    ssdp: Optional[SsdpOptions] = None

    def most_probes(self) -> int:
        """How many connections and datagrams there are at most, but for redirects and what SSDP adds."""
        one = (
            len(self.redfish_ports) * len(self.redfish_schemes) + len(self.ipmi_ports) * _IPMI_DATAGRAMS * self.attempts
        )
        return len(self.addresses) * one + (self.attempts if self.ssdp else 0)


@dataclass
class Service:
    """Something that answered. ``kind`` is ``redfish`` or ``ipmi``; ``scheme`` only with Redfish; ``found_by``
    holds ``scan`` or ``ssdp`` or both.
    """

    address: str
    port: int
    kind: str
    facts: dict[str, Any]
    scheme: Optional[str] = None
    found_by: list[str] = field(default_factory=lambda: ["scan"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data; ``url`` for Redfish."""
        out: dict[str, Any] = {"address": self.address, "port": self.port, "kind": self.kind}
        if self.scheme:
            host = f"[{self.address}]" if ":" in self.address else self.address
            out.update(scheme=self.scheme, url=f"{self.scheme}://{host}:{self.port}")
        return {**out, "found_by": self.found_by, "facts": self.facts}


@dataclass
class ScanResult:
    """The result of a scan.

    :ivar probes: connections and datagrams sent.
    :ivar silent: probes without a service, counted by reason.
    :ivar elsewhere: addresses that answered the SSDP search and were not among those to scan; they were not contacted.
    """

    services: list[Service] = field(default_factory=list)
    probes: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    seconds: float = 0.0
