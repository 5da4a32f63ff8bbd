# SPDX-License-Identifier: BSD-2-Clause
"""What requests may do that carry no token of this server: nobody's, and those for whom a trusted proxy speaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.auth.service import GRANTS, May, Principal
from fleetd.server.kernel.errors import Unauthorized
from fleetd.server.kernel.http.limits import Limit
from fleetd.server.kernel.http.proxy import Identity, Proxies

LEGACY = ("/json/v1/", "/_/")
"""Paths whose clients know no tokens."""


@dataclass(frozen=True)
class Policy:
    """What requests without a token may do. ``legacy_open``: everything on the paths whose clients know no tokens."""

    anonymous_scope: str = "none"
    legacy_open: bool = False
    secure_cookies: bool = False
    proxies: Proxies = field(default_factory=Proxies)
    failures: Limit = field(default_factory=Limit)

    def anonymous(self, path: str) -> Principal:
        """Nobody, at ``path``."""
        if self.legacy_open and path.startswith(LEGACY):
            return Principal("", May.READ | May.OPERATE | May.REPORT | May.PUBLISH)
        if self.anonymous_scope == "none":
            return Principal("", May.NOTHING)
        scope = Scope(self.anonymous_scope)
        return Principal("", GRANTS[scope], (scope.value,))

    def identified(self, said: Identity) -> Principal:
        """Whom a trusted proxy names, with all that the user and the groups may.

        :raises Unauthorized: that is no name.
        """
        if said.user is None:
            raise Unauthorized("the proxy did not say in one header who asks: have it replace what clients send")
        named = [self.proxies.scopes[name] for name in (said.user, *said.groups) if name in self.proxies.scopes]
        if not named and self.proxies.default_scope != "none":
            named = [self.proxies.default_scope]
        scopes = [Scope(name) for name in dict.fromkeys(named)]
        may = May.NOTHING
        for scope in scopes:
            may |= GRANTS[scope]
        return Principal(said.user, may, tuple(scope.value for scope in scopes))
