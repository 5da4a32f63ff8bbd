# SPDX-License-Identifier: BSD-2-Clause
"""One virtual BMC: answers Redfish requests as values. Sockets, latency and faults are `fleetlab.farm`'s."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from fleetlab.accounts import Accounts
from fleetlab.actions import Actions
from fleetlab.expand import expand, only_member, page, parse_expand, select
from fleetlab.faults import Fault, Faults
from fleetlab.identity import Identity
from fleetlab.replies import Refused, Reply, Request, matches, missing, parse_body, reply
from fleetlab.sessions import Access, Session, TooManySessions
from fleetlab.spec import BmcSpec, Counters
from fleetlab.state import Event, Later, State
from fleetlab.tree import ROOT, Resource, Tree, canonical, encode, etag_of, link, load_tree

_OPEN = {"/redfish", ROOT, f"{ROOT}/odata", f"{ROOT}/$metadata"}
_PARAMETERS = {"$expand", "$select", "$skip", "$top", "only"}


class Bmc:
    """One virtual BMC. Tests may read everything, add `faults`, set `latency` and call the methods, from any thread."""

    def __init__(
        self,
        spec: BmcSpec,
        index: int,
        later: Later,
        on_event: Callable[[Bmc, Event], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self.index = index
        self.name = spec.name or f"bmc{index}"
        self.port = spec.port
        self.fingerprint = ""
        self.ca_path = ""
        self.latency = spec.latency
        self.identity = Identity(index if spec.index is None else spec.index, self.name, spec.username)
        self.tree: Tree = load_tree(spec.tree, spec.expand, spec.unique)
        self.faults = Faults(spec.faults)
        self.counters = Counters()
        self.access = Access(
            spec.username,
            spec.password,
            clock,
            limit=spec.session_limit,
            timeout=spec.session_timeout,
            lockout_after=spec.lockout_after,
            lockout_seconds=spec.lockout_seconds,
        )
        self.power_log: list[Event] = []
        self._on_event = on_event
        self._clock = clock
        self._gone_until = float("-inf")
        self.state = State(self.tree, spec.behaviour, later, self._log)
        self.actions = Actions(self.state, self._restart, spec.task_seconds, spec.firmware_at_boot)
        self._sessions_path = self._find_sessions()
        self._accounts = Accounts(self.state, self.access, self.identity, self.get)
        if spec.power is not None:
            for system in self.systems:
                if self.power_state(system) != spec.power:
                    self.state.update(system, {"PowerState": spec.power})

    # For tests and people

    @property
    def address(self) -> str:
        return self.spec.address

    @property
    def username(self) -> str:
        return self.access.username

    @property
    def password(self) -> str:
        return self.access.password

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.spec.tls else 'http'}://{host}:{self.port}"

    @property
    def serial(self) -> str:
        """Serial of the first system."""
        system = self.get(self.systems[0]) if self.systems else None
        return str((system or {}).get("SerialNumber") or "")

    @property
    def systems(self) -> list[str]:
        """Paths of the ComputerSystems."""
        return self.tree.systems()

    def power_state(self, system: str = "") -> str:
        """PowerState of a system, by path or Id (default: the first)."""
        return self.state.power_state(self._system(system))

    def set_power(self, on: bool, system: str = "") -> None:
        """As if somebody pulled or plugged the cord: at once, whatever faults and delays the BMC has."""
        self.state.set_power(self._system(system), on, "test")

    def get(self, path: str) -> Resource | None:
        """The resource at a path as a client would see it now, or None."""
        resource = self.state.get(path)
        filled: Resource | None = resource and json.loads(self.identity.fill_in(encode(resource)))
        return filled

    def update(self, path: str, changes: Resource) -> None:
        """Merge changes into a resource behind the clients' backs."""
        self.state.update(path, changes)

    @property
    def gone(self) -> bool:
        """Whether the BMC restarts just now and talks to nobody."""
        return self._clock() < self._gone_until

    def _system(self, system: str) -> str:
        for path in self.systems:
            if system in {"", path, path.rpartition("/")[2]}:
                return path
        raise KeyError(system)

    def _log(self, event: Event) -> None:
        self.power_log.append(event)
        if self._on_event is not None:
            self._on_event(self, event)

    def _restart(self) -> None:
        self.access.close_all()
        self._gone_until = self._clock() + self.spec.bmc_reset_seconds

    # Requests

    def answer(self, request: Request, fault: Fault | None = None) -> Reply:
        """Answer a request, under the influence of a fault that changes what the BMC thinks (not what it sends)."""
        path = self.state.find(request.path)
        kind = fault.kind if fault else ""
        if kind == "logout":
            self.access.close_all()
        try:
            if request.method == "POST" and path in {self._sessions_path, f"{self._sessions_path}/Members"}:
                return self._login(request, full=kind == "session-limit")
            self._authorise(request, path)
            if request.method in {"GET", "HEAD"}:
                return self._get(request, path)
            if kind == "ignore":
                return Reply(204)
            before = self.state.get(path)
            answer = self._write(request, path)
            if fault and kind == "revert" and request.method == "PATCH":
                self.state.later(fault.seconds or 0.0, lambda: self.state.put(path, before))
            return answer
        except Refused as refused:
            return refused.reply

    def _authorise(self, request: Request, path: str) -> None:
        if path in _OPEN and request.method in {"GET", "HEAD"}:
            return
        token = request.headers.get("X-Auth-Token")
        if token is not None:
            if self.access.check_token(token):
                return
        elif self.access.check_basic(request.headers.get("Authorization", "")):
            return
        self.counters.refused += 1
        raise Refused(
            401,
            "NoValidSession",
            "There is no valid session established with the implementation.",
            WWW_Authenticate='Basic realm="Redfish"',
        )

    def _login(self, request: Request, full: bool) -> Reply:
        body = parse_body(request)
        if not self.access.check_password(body.get("UserName"), body.get("Password")):
            self.counters.refused += 1
            raise Refused(
                401,
                "ResourceAtUriUnauthorized",
                f"While accessing the resource at {self._sessions_path}, the service received an authorization error "
                "unauthorized.",
                self._sessions_path,
                "unauthorized",
            )
        try:
            if full:
                raise TooManySessions
            session = self.access.open(str(body["UserName"]))
        except TooManySessions:
            text = "The maximum number of user sessions is reached."
            raise Refused(503, "IDRAC.2.8.RAC0218", text) from None
        self.counters.logins += 1
        made = self._show_session(session)
        return reply(201, made, Location=made["@odata.id"], X_Auth_Token=session.token)

    def _get(self, request: Request, path: str) -> Reply:
        made = self._made_now(path)
        if made is not None:
            return made
        if self.state.get(path) is None:
            raise missing(path)
        if request.query:
            # Captures keep the further pages of a collection under their own address.
            page_path = path + "?" + "&".join(f"{name}={value}" for name, value in request.query.items())
            if self.tree.get(page_path) is None:
                return Reply(200, self._cooked(path, request.query))
            path = page_path
        changed = self.state.changed.get(path)
        etag = etag_of(changed) if changed else self.tree.etag(path)
        if matches(request.headers.get("If-None-Match"), etag):
            return Reply(304, headers={"ETag": etag})
        return Reply(200, self._cooked(path, {}), {"ETag": etag})

    def _made_now(self, path: str) -> Reply | None:
        """The answer for a path that is no resource of the tree, or None."""
        if path == "/redfish":
            return reply(200, {"v1": f"{ROOT}/"})
        if path == f"{ROOT}/odata":
            return reply(200, self._odata())
        if path == f"{ROOT}/$metadata":
            return Reply(200, _METADATA, {"Content-Type": "application/xml"})
        if path in self.actions.task_of_monitor:
            return self.actions.show_task(path)
        live = self._live(path)
        return None if live is None else reply(200, live)

    def _cooked(self, path: str, query: Mapping[str, str]) -> bytes:
        """The finished body for a path and query; shared between BMCs where none of what it shows was changed."""
        key = (path, tuple(query.items()), self.spec.page_size)
        ready = self.tree.cached(key)
        if ready is not None and self.state.changed.keys().isdisjoint(ready[1]):
            return self.identity.fill_in(ready[0])
        used = {path}

        def read(target: str) -> Resource | None:
            found = self.state.find(target)
            used.add(found)
            return self._live(found) or self.state.get(found)

        body = encode(self._queried(path, query, read))
        if self.state.changed.keys().isdisjoint(used) and not any(self.is_session(item) for item in used):
            self.tree.cache(key, body, frozenset(used))
        return self.identity.fill_in(body)

    def _queried(self, path: str, query: Mapping[str, str], read: Callable[[str], Resource | None]) -> Resource:
        for name in query:
            if name.startswith("$") and name not in _PARAMETERS:
                raise Refused(501, "QueryNotSupported", f"The query parameter {name} is not supported.", name)
        resource = read(path) or {}
        if "only" in query:
            resource = only_member(resource, read)
        resource = page(resource, query, self.spec.page_size)
        if "$expand" in query:
            features = (self.tree.get(ROOT) or {}).get("ProtocolFeaturesSupported") or {}
            resource = expand(resource, parse_expand(query["$expand"], features.get("ExpandQuery") or {}), read)
        if "$select" in query:
            resource = select(resource, query["$select"])
        return resource

    def _write(self, request: Request, path: str) -> Reply:
        if request.method == "POST" and path == self._accounts.path:
            return self._accounts.add(parse_body(request))
        if request.method == "DELETE" and path.startswith(f"{self._accounts.path}/"):
            self._check_condition(request, self.state.get(path) or {})
            return self._accounts.remove(path)
        if request.method == "POST":
            pushed = self.actions.push(canonical(request.path), request.headers.get("Content-Type", ""), request.body)
            if pushed is not None:
                return pushed
            return self.actions.post(canonical(request.path), parse_body(request))
        if request.method == "DELETE" and path.startswith(f"{self._sessions_path}/"):
            if not self.access.close(path.rpartition("/")[2]):
                raise missing(path)
            self.counters.logouts += 1
            return Reply(204)
        resource = self.state.get(path)
        if resource is None:
            raise missing(path)
        if request.method != "PATCH":
            allow = "GET, HEAD, PATCH"
            raise Refused(405, "OperationNotAllowed", "The HTTP method is not allowed on this resource.", Allow=allow)
        self._check_condition(request, resource)
        changes = parse_body(request)
        self.actions.patch(path, resource, changes)
        self._accounts.change(resource, changes)
        return Reply(200, self._cooked(path, {}), {"ETag": etag_of(self.state.get(path) or {})})

    def _check_condition(self, request: Request, resource: Resource) -> None:
        """If-Match, as this BMC understands it. Raises Refused."""
        condition, etag = request.headers.get("If-Match"), etag_of(resource)
        if condition is None and self.spec.if_match:
            raise Refused(428, "PreconditionRequired", "The request did not provide the required precondition.")
        good = {
            "strong": condition == etag.removeprefix("W/"),
            "bare": condition == etag.removeprefix("W/").strip('"'),
            "star": condition == "*",
        }.get(self.spec.if_match, condition is None or matches(condition, etag))
        if not good:
            raise Refused(412, "PreconditionFailed", "The ETag supplied did not match the current ETag.")

    # What changes all the time

    def _find_sessions(self) -> str:
        root = self.tree.get(ROOT) or {}
        path = link((root.get("Links") or {}).get("Sessions")) or f"{ROOT}/SessionService/Sessions"
        return self.state.find(path)

    def is_session(self, path: str) -> bool:
        return path == self._sessions_path or path.startswith(f"{self._sessions_path}/")

    def _live(self, path: str) -> Resource | None:
        """The collection of sessions, or one session; None for other paths."""
        if not self.is_session(path):
            return None
        sessions = {f"{self._sessions_path}/{session.id}": session for session in self.access.sessions()}
        if path != self._sessions_path:
            return self._show_session(sessions[path]) if path in sessions else None
        return {
            "@odata.id": path,
            "@odata.type": "#SessionCollection.SessionCollection",
            "Name": "Sessions",
            "Members": [{"@odata.id": item} for item in sessions],
            "Members@odata.count": len(sessions),
        }

    def _show_session(self, session: Session) -> Resource:
        return {
            "@odata.id": f"{self._sessions_path}/{session.id}",
            "@odata.type": "#Session.v1_7_1.Session",
            "Id": session.id,
            "Name": "User Session",
            "UserName": session.username,
        }

    def _odata(self) -> dict[str, Any]:
        root = self.tree.get(ROOT) or {}
        services = [("Service", ROOT), *((name, link(value)) for name, value in root.items() if link(value))]
        return {
            "@odata.context": f"{ROOT}/$metadata",
            "value": [{"name": name, "kind": "Singleton", "url": path} for name, path in services],
        }


_METADATA = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:DataServices/></edmx:Edmx>\n'
)
