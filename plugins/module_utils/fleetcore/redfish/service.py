# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Acting on one Redfish service: resources read and written one by one over one login, with errors instead of verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..document.model import Verdict
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    ConflictError,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unsupported,
)
from ..ports import Clock, HttpResponse
from .session import Session, body_of, message_of, outcome_of, retry_after
from .values import at, items, link, links, text
from .walker import candidates

_BUSY_RETRIES = 3
_PAGES = 50


class Service:
    """One login to one BMC. :meth:`open` before use; always :meth:`close`.

    Every method raises FleetError: a 404 is NotFound when reading and Unsupported when writing, a 400 Unsupported.
    Answers "busy" (503, 429) are asked again, and a request that found the session expired is sent once more.
    """

    name = "redfish"

    def __init__(self, session: Session, clock: Clock, host: str, system: Optional[str] = None) -> None:
        self._session = session
        self.clock = clock
        self.host = host
        self._wanted = system
        self._system: Optional[str] = None
        self._others: list[tuple[str, str]] = []

    def open(self) -> None:
        """Log in; errors as of :class:`Session`."""
        self._session.open()

    def close(self) -> None:
        """Log out. Never raises."""
        self._session.close()

    def remember(self, password: str) -> None:
        """The password of this login has changed: a session that the BMC ends because of it is renewed with the new one."""
        self._session.remember(password)

    @property
    def root(self) -> Mapping[str, Any]:
        return self._session.root or {}

    # -- reading ----------------------------------------------------------------------------------------------------------

    def get(self, path: str) -> Mapping[str, Any]:
        """One resource.

        :raises NotFound: there is none.
        """
        return self._read(path)[0]

    def _read(self, path: str) -> tuple[Mapping[str, Any], str]:
        """A resource, and the ETag of the answer's header."""
        response = self.send("GET", path)
        outcome = outcome_of(response)
        if outcome.verdict is Verdict.ABSENT:
            raise NotFound(f"{self.host}: {path} does not exist", path=path)
        if outcome.body is None:
            if response.status < 400:
                raise BadResponse(f"{self.host}: {path}: {outcome.reason}")
            raise refusal(self.host, response.status, message_of(response)[:300] or path)
        return outcome.body, response.headers.get("etag", "")

    def find(self, path: Optional[str]) -> Optional[Mapping[str, Any]]:
        """One resource, or None if there is none or no path."""
        try:
            return self.get(path) if path else None
        except NotFound:
            return None

    def members(self, path: Optional[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """(path, body) of every member of a collection, all pages; empty without one."""
        found: dict[str, Mapping[str, Any]] = {}
        page, pages = path, 0
        while page and pages < _PAGES:
            body = self.find(page) or {}
            for member in items(body.get("Members")):
                target = link(member, page)
                if target and target not in found:
                    inline = member if "@odata.type" in member else self.find(target)
                    if inline is not None:
                        found[target] = inline
            page, pages = link(body.get("Members@odata.nextLink"), page), pages + 1
        return list(found.items())

    # -- targets ----------------------------------------------------------------------------------------------------------

    def system(self) -> tuple[str, Mapping[str, Any]]:
        """Path and fresh body of the system that was named, or of the only one.

        :raises NotFound: the name is not behind this BMC. :raises InvalidInput: several are and none was named.
        """
        if self._system is None:
            found = self.members(link(self.root.get("Systems")) or "/redfish/v1/Systems")
            names = [(text(body.get("Id")) or path.rsplit("/", 1)[-1], path) for path, body in found]
            able = candidates([body for _path, body in found])
            number = choose_system(self.host, names, able, self._wanted)
            self._system = found[number][0]
            self._others = [names[other] for other in able if other != number]
        return self._system, self.get(self._system)

    def other_systems(self) -> list[tuple[str, str]]:
        """(id, path) of the other machines behind this BMC."""
        if self._system is None:
            self.system()
        return self._others

    def managers(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The managers of the chosen system: those that say so, else all of kind BMC, else all."""
        path, system = self.system()
        every = self.members(link(self.root.get("Managers")) or "/redfish/v1/Managers")
        mine = [item for item in every if path in links(at(item[1], "Links.ManagerForServers"))]
        named = links(at(system, "Links.ManagedBy"))
        mine = mine or [item for item in every if item[0] in named]
        return mine or [item for item in every if item[1].get("ManagerType") == "BMC"] or every

    # -- writing ----------------------------------------------------------------------------------------------------------

    def patch(self, path: str, changes: Mapping[str, Any]) -> HttpResponse:
        """Change properties. The ETag is sent only to a service that asks for it: some refuse any."""
        return self.accepted(self.write("PATCH", path, json.dumps(changes).encode()))

    def write(self, method: str, path: str, body: Optional[bytes] = None) -> HttpResponse:
        """The answer to a change of a resource. A service that wants to be told what it changes is told so, in each way that services
        understand: they refuse the others, and change nothing then."""
        response, number = self.send(method, path, body), 0
        while response.status in (412, 428):
            found, header = self._read(path)  # anew each time: with some it changes from one reading to the next
            ways = etag_ways(header, text(found.get("@odata.etag")) or "")
            if number >= len(ways):
                break
            response = self.send(method, path, body, headers={"If-Match": ways[number]})
            number += 1
        return response

    def post(
        self,
        path: str,
        body: Any,
        *,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 0,
    ) -> HttpResponse:
        """POST an object as JSON, or bytes as they are with a Content-Type of ``headers``."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.accepted(self.send("POST", path, data, headers=headers, timeout=timeout))

    def delete(self, path: str) -> HttpResponse:
        return self.accepted(self.write("DELETE", path))

    def action_values(self, resource: Mapping[str, Any], action: str, parameter: str) -> list[str]:
        """What a parameter of an action may be, from the action itself or its ActionInfo; empty when the service does not say."""
        found = action_of(resource, action)
        values = allowable(found, parameter)
        if values:
            return values
        info = self.find(link(found.get("@Redfish.ActionInfo"))) or {}
        for item in items(info.get("Parameters")):
            values = item.get("AllowableValues")
            if item.get("Name") == parameter and isinstance(values, list):
                return [value for value in values if isinstance(value, str)]
        return []

    def task_words(self, response: Optional[HttpResponse]) -> str:
        """What the task says that a write has begun (HTTP 202); empty when there is none, or it says nothing."""
        place = _task_of(response) if response is not None and response.status == 202 else None
        try:
            task = self.find(place) or {}
        except FleetError:
            return ""
        said = [text(item.get("Message")) for item in items(task.get("Messages"))]
        words = "; ".join(item for item in (text(task.get("TaskState")), *said) if item)
        return f"its task: {words[:300]}" if words else ""

    def act(self, resource: Mapping[str, Any], action: str, parameters: Mapping[str, Any]) -> HttpResponse:
        """Carry out an action of a resource, ``Manager.Reset`` for example.

        :raises Unsupported: the resource does not have it.
        """
        target = action_target(resource, action)
        if target is None:
            raise Unsupported(f"{self.host}: the BMC does not offer {action}", action=action)
        return self.post(target, parameters)

    def send(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 0,
        renew: bool = True,
    ) -> HttpResponse:
        """One request, whatever the status of its answer.

        :param renew: log in anew when the service forgot the session.
        """
        renewed = not renew
        busy = 0
        while True:
            response = self._session.send(method, path, body, more_headers=headers, timeout=timeout)
            if response.status == 401 and not renewed and self._session.renew():
                renewed = True
            elif response.status in (429, 503) and busy < _BUSY_RETRIES:
                busy += 1
                self.clock.sleep(min(retry_after(response) or 1.0 * busy, 10.0))
            else:
                return response

    def accepted(self, response: HttpResponse) -> HttpResponse:
        """The answer to a write; raises for one that is an error."""
        if response.status < 300:
            return response
        words = message_of(response)[:300] or f"HTTP {response.status}"
        if response.status in (400, 415, 422):
            raise Unsupported(f"{self.host}: the BMC refuses this: {words}", status=response.status)
        raise refusal(self.host, response.status, words)


def _task_of(response: HttpResponse) -> Optional[str]:
    """Where the task, or its monitor, is that a write has begun."""
    body = body_of(response)
    return link(body) if "Task" in str(body.get("@odata.type")) else link(response.headers.get("location", ""))


def etag_ways(header: str, annotation: str) -> list[str]:
    """What an If-Match may have to be, the standard's way first. Vendors differ in whose ETag they believe, the header's or that in
    the body, whether it may be a weak one, and whether its quotes belong to it; some only know ``*``.

    >>> etag_ways('W/"1"', 'W/"1"')
    ['W/"1"', '"1"', '1', '*']
    """
    ways: list[str] = []
    for tag in (header.strip(), annotation.strip()):
        strong = tag[2:] if tag.startswith("W/") else tag
        ways += [tag, strong, strong.strip('"')]
    return list(dict.fromkeys(way for way in [*ways, "*"] if way))


def action_of(resource: Mapping[str, Any], action: str) -> Mapping[str, Any]:
    """What a resource says of one of its actions; empty if it does not have it."""
    actions = resource.get("Actions")
    found = actions.get(f"#{action}") if isinstance(actions, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def action_target(resource: Mapping[str, Any], action: str) -> Optional[str]:
    """Where an action of a resource is posted to; None if it has no such action."""
    return link(action_of(resource, action).get("target"))


def allowable(resource: Mapping[str, Any], name: str) -> list[str]:
    """``<name>@Redfish.AllowableValues``, or an empty list when the service does not say."""
    values = resource.get(f"{name}@Redfish.AllowableValues")
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def spelt(wanted: Sequence[str], offered: Sequence[str]) -> Optional[str]:
    """The first of the wanted values that is offered, as the service spells it (some do not keep to the standard's capitals). The first
    one where the service does not say what it offers; None when none is offered."""
    if not offered:
        return wanted[0]
    known = {value.lower(): value for value in offered}
    return next((known[value.lower()] for value in wanted if value.lower() in known), None)


def choose_system(
    host: str, names: Sequence[tuple[str, str]], able: Sequence[int], wanted: Optional[str] = None
) -> int:
    """Which of several systems is meant. Never guesses.

    :param names: (id, path) of each; ``able``: those that may be meant when none is named (:func:`.walker.candidates`).
    :raises NotFound: none there, or not the wanted one.
    :raises InvalidInput: several, and none is named.
    """
    ids = sorted(name for name, _path in names)
    if not names:
        raise NotFound(f"{host}: the BMC lists no system")
    if wanted is not None:
        for number, (name, path) in enumerate(names):
            if wanted in (name, path.rstrip("/").rsplit("/", 1)[-1]):
                return number
        raise NotFound(
            f"{host}: system {wanted!r} is not behind this BMC; there are: {', '.join(ids)}",
            system=wanted,
            systems=ids,
        )
    if len(able) > 1:
        raise InvalidInput(
            f"{host}: several systems are behind this BMC: name one of them with `system`: {', '.join(ids)}",
            systems=ids,
        )
    return able[0]


def refusal(host: str, status: int, words: str) -> FleetError:
    """The error that an HTTP status of 400 or more means."""
    if status == 401:
        return AuthenticationFailed(f"{host}: the BMC does not accept the login any more ({words})", status=status)
    if status == 403:
        return PermissionDenied(f"{host}: this account may not do this ({words})", status=status)
    if status in (409, 429, 502, 503, 504):
        return Busy(f"{host}: the BMC can't do this now ({words})", status=status)
    if status in (412, 428):
        return ConflictError(
            f"{host}: the BMC takes no ETag that it shows, or somebody else changes this ({words})", status=status
        )
    if status in (404, 405, 501):
        return Unsupported(f"{host}: the BMC can't do this ({words})", status=status)
    return BadResponse(f"{host}: HTTP {status} ({words})", status=status)
