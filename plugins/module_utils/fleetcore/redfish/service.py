# SPDX-License-Identifier: BSD-2-Clause

"""One Redfish service for those who act on it: resources are read and written one by one, and what is wrong raises."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Optional, cast

from ..document.model import Verdict
from ..errors import (
    BadResponse,
    Busy,
    FatalError,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TransientError,
    Unsupported,
)
from ..ports import Clock, HttpResponse
from .actions import action_of, action_target, allowable
from .answers import message_of, outcome_of, refusal
from .session import Session
from .systems import Choice, choose_system
from .values import at, items, last_part, link, links, text

_PAGES = 50
REFUSED_INPUT = (400, 415, 422)
"""Statuses of a service that does not take what it was sent."""
Member = tuple[str, Mapping[str, Any]]
"""Path and body of a resource."""


class Service:
    """One login to one BMC. :meth:`open` before use; always :meth:`close`.

    Every method raises FleetError: a 404 is NotFound when reading and Unsupported when writing, a 400 Unsupported.
    Answers "busy" (503, 429) are asked again, and a request that found the session expired is sent once more.

    :param system: the name of the system that is meant; None: the only machine.
    """

    name = "redfish"

    def __init__(self, session: Session, clock: Clock, host: str, system: Optional[str] = None) -> None:
        self.login = session
        self.clock = clock
        self.host = host
        self.open = session.open
        self.close = session.close
        self.remember = session.remember
        self.send = session.send
        self._wanted = system
        self._system: Optional[str] = None
        self._choice: Optional[Choice] = None
        self._listed: Optional[dict[str, Optional[Mapping[str, Any]]]] = None
        self._silent_managers: tuple[str, ...] = ()

    @property
    def root(self) -> Mapping[str, Any]:
        """The service root as it was read before the login."""
        return self.login.root or {}

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, path: str) -> Mapping[str, Any]:
        """Read one resource.

        :raises NotFound: there is none.
        """
        return self._read(path)[0]

    def _read(self, path: str, patient: bool = True) -> tuple[Mapping[str, Any], str]:
        """Read a resource, and the ETag of the answer's header."""
        response = self.send("GET", path, patient=patient)
        outcome = outcome_of(response)
        if outcome.verdict is Verdict.ABSENT:
            raise NotFound(f"{self.host}: {path} does not exist", path=path)
        if outcome.body is None:
            if response.status < 400:
                raise BadResponse(f"{self.host}: {path}: {outcome.reason}")
            raise refusal(self.host, response, path)
        return outcome.body, response.headers.get("etag", "")

    def find(self, path: Optional[str]) -> Optional[Mapping[str, Any]]:
        """Read one resource; None if there is none or no path."""
        try:
            return self.get(path) if path else None
        except NotFound:
            return None

    def members(self, path: Optional[str]) -> list[Member]:
        """Read every member of a collection, all pages; empty without one."""
        found = {target: inline or self.find(target) for target, inline in self._members(path).items()}
        return [(target, body) for target, body in found.items() if body is not None]

    def _members(self, path: Optional[str]) -> dict[str, Optional[Mapping[str, Any]]]:
        """The members of a collection by path, each with its body where the collection holds it."""
        found: dict[str, Optional[Mapping[str, Any]]] = {}
        page, pages = path, 0
        while page and pages < _PAGES:
            body = self.find(page) or {}
            for member in items(body.get("Members")):
                target = link(member, page)
                if target:
                    found.setdefault(target, member if "@odata.type" in member else None)
            page, pages = link(body.get("Members@odata.nextLink"), page), pages + 1
        return found

    # -- targets ------------------------------------------------------------------------------------------------------

    def system(self) -> Member:
        """Read the system that is meant: the one that was named, or the only machine (:func:`.systems.choose_system`).

        :raises NotFound: the name is not behind this BMC. :raises InvalidInput: several are and none was named.
        """
        if self._system is None:
            members = self._systems()
            named = [path for path in members if last_part(path) == self._wanted]
            if not named:
                return self._choose(members)
            self._system = named[0]  # the others are not asked: one of them may be broken
        return self._system, self.get(self._system)

    def choice(self) -> Choice:
        """Say which system is meant, which parts it has, which other machines there are, and which did not answer."""
        if self._choice is None:
            self._choose(self._systems())
        return cast(Choice, self._choice)

    def left_out(self) -> tuple[str, ...]:
        """Words for the systems and managers that did not answer, and were left out when one was chosen."""
        silent = (*(self._choice.silent if self._choice is not None else ()), *self._silent_managers)
        return (f"{self.host}: left out, as the BMC gave no answer for it: {', '.join(silent)}",) if silent else ()

    def is_alone(self) -> bool:
        """Whether the system that is meant is known to be the only machine behind the BMC."""
        if self._listed is None or len(self._listed) == 1:
            return self._listed is not None
        with contextlib.suppress(FleetError):
            choice = self.choice()
            return not choice.others and not choice.silent
        return False

    def _systems(self) -> dict[str, Optional[Mapping[str, Any]]]:
        self._listed = self._members(link(self.root.get("Systems")) or "/redfish/v1/Systems")
        return self._listed

    def _choose(self, members: Mapping[str, Optional[Mapping[str, Any]]]) -> Member:
        """Read the systems and choose.

        Those that don't answer are left out: the GPU board of a machine that is off is one. One that is busy is waited
        for only where it may be the machine.
        """
        found: dict[str, Mapping[str, Any]] = {}
        silent: dict[str, FleetError] = {}

        def look(paths: Iterable[str], patient: bool) -> None:
            for path in paths:
                try:
                    found[path] = members[path] or self._read(path, patient)[0]
                    silent.pop(path, None)
                except NotFound:
                    silent.pop(path, None)
                except PermissionDenied as error:  # the list could be read: it is this one that nobody may see
                    silent[path] = error
                except FatalError:
                    raise
                except FleetError as error:
                    silent[path] = error

        def choose() -> Choice:
            return choose_system(list(found.items()), self._wanted, silent, self.host)

        look(members, patient=False)
        busy = [path for path, error in silent.items() if isinstance(error, Busy)]
        if busy:
            try:
                choose()
            except (InvalidInput, NotFound):
                look(busy, patient=True)
        if silent and not found:
            raise next(iter(silent.values()))
        self._choice = choose()
        self._system = path = self._choice.path
        return path, self.get(path) if members[path] else found[path]

    def managers(self) -> list[Member]:
        """Read the managers of the chosen system: those that say so, else all of kind BMC, else all.

        One that does not answer is left out where another one is known to be the system's: that of a GPU board, say.
        """
        path, system = self.system()
        listed = self._members(link(self.root.get("Managers")) or "/redfish/v1/Managers")
        named = links(at(system, "Links.ManagedBy"))
        found: dict[str, Mapping[str, Any]] = {}
        silent: list[str] = []
        for target, inline in listed.items():
            try:
                found[target] = inline or self._read(target, patient=False)[0]
            except NotFound:
                continue
            except (PermissionDenied, TransientError, Unsupported):
                silent.append(target)

        def mine() -> list[Member]:
            said = [item for item in found.items() if path in links(at(item[1], "Links.ManagerForServers"))]
            return said or [item for item in found.items() if item[0] in named]

        if not mine() or not set(named).isdisjoint(silent):
            found.update({target: self.get(target) for target in silent})
            silent = []
        self._silent_managers = tuple(map(last_part, silent))
        every = list(found.items())
        return mine() or [item for item in every if item[1].get("ManagerType") == "BMC"] or every

    # -- writing ------------------------------------------------------------------------------------------------------

    def patch(self, path: str, changes: Mapping[str, Any]) -> HttpResponse:
        """Change properties. The ETag is sent only to a service that asks for it: some refuse any."""
        return self.accepted(self.write("PATCH", path, json.dumps(changes).encode()))

    def write(self, method: str, path: str, body: Optional[bytes] = None) -> HttpResponse:
        """Send a change of a resource.

        A service that wants to be told what it changes is told so, in each way that services understand: they refuse
        the others, and change nothing then.
        """
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
        """Remove a resource. The ETag is sent as for :meth:`patch`."""
        return self.accepted(self.write("DELETE", path))

    def action_values(self, resource: Mapping[str, Any], action: str, parameter: str) -> list[str]:
        """The values that a parameter of an action may have, by the action or its ActionInfo; empty: nobody says."""
        found = action_of(resource, action)
        values = allowable(found, parameter)
        if values:
            return values
        info = self.find(link(found.get("@Redfish.ActionInfo"))) or {}
        for item in items(info.get("Parameters")):
            said = item.get("AllowableValues")
            if item.get("Name") == parameter and isinstance(said, list):
                return [value for value in said if isinstance(value, str)]
        return []

    def act(self, resource: Mapping[str, Any], action: str, parameters: Mapping[str, Any]) -> HttpResponse:
        """Carry out an action of a resource, ``Manager.Reset`` for example.

        :raises Unsupported: the resource does not have it.
        """
        target = action_target(resource, action)
        if target is None:
            raise Unsupported(f"{self.host}: the BMC does not offer {action}", action=action)
        return self.post(target, parameters)

    def accepted(self, response: HttpResponse) -> HttpResponse:
        """The answer to a write; raises for one that is an error."""
        if response.status < 300:
            return response
        if response.status in REFUSED_INPUT:
            words = message_of(response)[:300] or f"HTTP {response.status}"
            raise Unsupported(f"{self.host}: the BMC refuses this: {words}", status=response.status)
        raise refusal(self.host, response)


def etag_ways(header: str, annotation: str) -> list[str]:
    """The ways in which an If-Match may have to be written, the standard's first.

    Vendors differ in whose ETag they believe, the header's or that in the body, whether it may be a weak one, and
    whether its quotes belong to it; some only know ``*``.

    >>> etag_ways('W/"1"', 'W/"1"')
    ['W/"1"', '"1"', '1', '*']
    """
    ways: list[str] = []
    for tag in (header.strip(), annotation.strip()):
        strong = tag[2:] if tag.startswith("W/") else tag
        ways += [tag, strong, strong.strip('"')]
    return list(dict.fromkeys(way for way in [*ways, "*"] if way))
