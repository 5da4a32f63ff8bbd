# SPDX-License-Identifier: BSD-2-Clause
"""One virtual BMC: answers Redfish requests as values. Sockets, latency and faults are `fleetlab.farm`'s."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetlab import certs
from fleetlab.actions import Actions
from fleetlab.expand import expand, only_member, page, parse_expand, select
from fleetlab.faults import Fault, Faults
from fleetlab.identity import Identity
from fleetlab.replies import Refused, Reply, Request, error, reply
from fleetlab.sessions import Access, Session, TooManySessions
from fleetlab.state import Event, Later, PowerBehaviour, State
from fleetlab.tree import ROOT, Resource, Tree, canonical, encode, etag_of, link, load_tree, members

_OPEN = {"/redfish", ROOT, f"{ROOT}/odata", f"{ROOT}/$metadata"}
_PARAMETERS = {"$expand", "$select", "$skip", "$top", "only"}


@dataclass(frozen=True)
class BmcSpec:
    """What one virtual BMC is like.

    - `tree`: name of a built-in tree, or a directory or .tar.gz of a Redfish mockup
    - `name`: for people and placeholders (default: bmc<index>); `index`: seed of serial, UUID and MACs
      (default: position in the farm); `unique`: give a captured machine serial, UUID and MACs of its own too
    - `address`, `port` (0: any free one), `tls`, `certificate`: self-signed, expired or wrong-name
    - `expand`: maximum levels of `$expand`, 0 for none (default: as the tree advertises); `page_size`: members per
      answer of a collection, the rest under nextLink (default: all)
    - `session_limit`, `session_timeout` (s), `lockout_after` wrong passwords (0: never), `lockout_seconds`
    - `power`: On or Off at start (default: as in the tree); `behaviour`: how it obeys
    - `latency`: seconds before each answer; `faults`: from the start
    - `bmc_reset_seconds`: how long it is gone after Manager.Reset; `task_seconds`: how long a task takes
    - `firmware_at_boot`: an update is over when its task is, and in effect after the machine's next boot
    - `if_match`: what an If-Match must be for a PATCH or DELETE: any, strong (not `W/"..."`), bare (no quotes), or star
      (`*`) (default: it may be left out)
    - `count_paths`: count requests by path (switch off for thousands of BMCs with large trees)
    """

    tree: str = "server"
    name: str = ""
    index: int | None = None
    unique: bool = False
    address: str = "127.0.0.1"
    port: int = 0
    tls: bool = True
    certificate: str = "self-signed"
    username: str = "admin"
    password: str = field(default="password", repr=False)
    expand: int | None = None
    page_size: int | None = None
    session_limit: int = 16
    session_timeout: float = 1800.0
    lockout_after: int = 0
    lockout_seconds: float = 60.0
    power: str | None = None
    behaviour: PowerBehaviour = field(default_factory=PowerBehaviour)
    latency: float = 0.0
    faults: tuple[Fault, ...] = ()
    bmc_reset_seconds: float = 0.0
    task_seconds: float = 1.0
    firmware_at_boot: bool = False
    if_match: str = ""
    count_paths: bool = True

    def __post_init__(self) -> None:
        if self.certificate not in certs.KINDS:
            raise ValueError(f"unknown certificate {self.certificate!r} (known: {', '.join(certs.KINDS)})")
        if self.power not in {None, "On", "Off"}:
            raise ValueError(f"power must be On or Off, not {self.power!r}")
        if self.if_match not in {"", "any", "strong", "bare", "star"}:
            raise ValueError(f"if_match must be any, strong, bare or star, not {self.if_match!r}")


@dataclass
class Counters:
    """What reached a BMC. `bytes_out` counts bodies; `by_path` only with `count_paths`; `logins` those that succeeded;
    `writes` is what was to change something, but for sessions."""

    requests: int = 0
    logins: int = 0
    logouts: int = 0
    refused: int = 0
    bytes_out: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Start counting anew."""
        vars(self).update(vars(Counters()))


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
        service = self.state.follow(self.tree.get(ROOT), "AccountService") or {}
        self._accounts_path = link(service.get("Accounts"))
        self._passwords: dict[str, str] = {}
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
        if request.method == "POST" and path == self._accounts_path:
            return self._add_account(parse_body(request))
        if request.method == "DELETE" and path.startswith(f"{self._accounts_path}/"):
            self._check_condition(request, self.state.get(path) or {})
            return self._remove_account(path)
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
        self._change_account(resource, changes)
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

    def _change_account(self, resource: Resource, changes: Resource) -> None:
        """When this was the resource of an account, it logs in with the new name and password, or no longer."""
        if "ManagerAccount." not in str(resource.get("@odata.type")):
            return
        path = resource["@odata.id"]
        if "Password" in changes:
            self.state.update(path, {"Password": None})
        name = self.identity.fill_in(str(resource.get("UserName", "")).encode()).decode()
        now = self.get(path) or {}
        if name == self.access.username:
            self.access.username = str(changes.get("UserName", self.access.username))
            self.access.password = str(changes.get("Password", self.access.password))
            return
        password = str(changes.get("Password", self._passwords.get(path, "")))
        self._passwords[path] = password
        self.access.others.pop(name, None)
        if now.get("Enabled") and not now.get("Locked") and now.get("UserName"):
            self.access.others[str(now["UserName"])] = password

    def _add_account(self, body: Resource) -> Reply:
        for needed in ("UserName", "Password", "RoleId"):
            if not body.get(needed):
                text = f"The create operation failed because the required property {needed} was missing."
                raise Refused(400, "CreateFailedMissingReqProperties", text, needed)
        number = (
            max((int(item.rpartition("/")[2]) for item in members(self.state.get(self._accounts_path))), default=0) + 1
        )
        path = f"{self._accounts_path}/{number}"
        made = {
            "@odata.id": path,
            "@odata.type": "#ManagerAccount.v1_12_1.ManagerAccount",
            "Id": str(number),
            "Name": "User Account",
            "Enabled": True,
            "Locked": False,
            **body,
        }
        self.state.add_member(self._accounts_path, made)
        self._change_account(made, body)
        return reply(201, self.get(path), Location=path)

    def _remove_account(self, path: str) -> Reply:
        account = self.get(path)
        if account is None:
            raise missing(path)
        if account.get("UserName") == self.access.username:
            raise Refused(400, "ResourceCannotBeDeleted", "This account can't be deleted.")
        self.access.others.pop(str(account.get("UserName")), None)
        self.state.remove_member(self._accounts_path, path)
        return Reply(204)

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


def missing(path: str) -> Refused:
    return Refused(404, "ResourceMissingAtURI", f"The resource at the URI {path} was not found.", path)


def matches(condition: str | None, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag. Weak and strong tags compare equal, as BMCs do."""
    if condition is None:
        return False
    named = {item.strip().removeprefix("W/") for item in condition.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def parse_body(request: Request) -> Resource:
    """The JSON object in a request. An empty body is an empty object. Raises Refused."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "MalformedJSON", "The request body was malformed JSON.")
    return body


def fault_reply(fault: Fault) -> Reply:
    """The answer of the faults that have a fixed one."""
    if fault.kind == "garbage":
        return Reply(200, b'\x00\xff{"Members": [<<<\xfe', {"Content-Type": "application/json"})
    if fault.kind == "reply":
        return Reply(fault.status or 200, (fault.body or "").encode(), {"Content-Type": "text/html"})
    status = fault.status or 500
    if status == 503:
        text = "The service is temporarily unavailable. Retry in 1 seconds."
        return error(503, "ServiceTemporarilyUnavailable", text, "1", Retry_After="1")
    return error(status, {404: "ResourceMissingAtURI", 401: "NoValidSession"}.get(status, "InternalError"), "Fault.")
