# SPDX-License-Identifier: BSD-2-Clause
"""What a reverse proxy says of a request: believed from proxies that are configured, taken away from everybody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IDENTITY = "fleetd.identity"
_FORWARDED = ("forwarded", "x-real-ip")
_PREFIX = "x-forwarded-"


@dataclass(frozen=True)
class Proxies:
    """Which peers are proxies of ours, and in which headers they say who asks; without a header they say it of nobody.

    ``scopes`` has scopes by name of a user or a group; ``default_scope`` is that of users whom it does not name.
    """

    networks: Sequence[Network] = ()
    user_header: str | None = None
    groups_header: str | None = None
    scopes: Mapping[str, str] = field(default_factory=dict)
    default_scope: str = "none"

    def trusts(self, address: str) -> bool:
        """Whether ``address`` is one of them."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)


@dataclass(frozen=True)
class Identity:
    """Who asks, as a trusted proxy says. ``user`` None: it said so twice, or nothing that is a name."""

    user: str | None
    groups: tuple[str, ...] = ()


class ProxyHeaders:
    """Takes all headers of proxies off a request; what a trusted one said becomes the client's address and identity."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.app = app
        self.proxies = proxies
        own = (proxies.user_header, proxies.groups_header)
        self._own = frozenset(name.lower() for name in own if name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            said: dict[str, list[str]] = {}
            kept = []
            for raw, value in scope["headers"]:
                name = raw.decode("latin-1").lower()
                if name in self._own or name in _FORWARDED or name.startswith(_PREFIX):
                    said.setdefault(name, []).append(value.decode("latin-1"))
                else:
                    kept.append((raw, value))
            scope["headers"] = kept
            peer = scope.get("client")
            if peer and self.proxies.trusts(peer[0]):
                self._believe(scope, said)
        await self.app(scope, receive, send)

    def _believe(self, scope: Scope, said: Mapping[str, list[str]]) -> None:
        address = self._source(",".join(said.get("x-forwarded-for", [])))
        if address:
            scope["client"] = (address, 0)
        scheme = ",".join(said.get("x-forwarded-proto", [])).rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
        users = said.get((self.proxies.user_header or "").lower(), [])
        if self.proxies.user_header and users:
            scope[IDENTITY] = Identity(_name(users), self._groups(said))

    def _source(self, chain: str) -> str | None:
        """The nearest address that is no proxy of ours: what stands before it, anybody can have written."""
        source = None
        for item in reversed(chain.split(",")):
            text = item.strip()
            if text.startswith("["):
                text = text[1:].partition("]")[0]
            elif text.count(":") == 1:
                text = text.partition(":")[0]
            try:
                source = str(ipaddress.ip_address(text))
            except ValueError:
                return source
            if not self.proxies.trusts(source):
                return source
        return source

    def _groups(self, said: Mapping[str, list[str]]) -> tuple[str, ...]:
        values = said.get((self.proxies.groups_header or "").lower(), []) if self.proxies.groups_header else []
        return tuple(name.strip() for name in ",".join(values).split(",") if name.strip())


def _name(values: Sequence[str]) -> str | None:
    """The one name; two headers are one of the client's that the proxy has let pass."""
    name = values[0].strip() if len(values) == 1 else ""
    return name if name and name.isascii() and name.isprintable() and len(name) <= 255 else None
