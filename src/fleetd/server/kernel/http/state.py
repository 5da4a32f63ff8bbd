# SPDX-License-Identifier: BSD-2-Clause
"""The one object that requests find in the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Live, Services
from fleetd.server.kernel.http.limits import FailedLogins

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """Of one application.

    :param error_page: the page that tells people of an error. :param live: what streams are fed by.
    :param description: how the description of a machine is spelt; /api/v1 has the words of /json/v1.
    """

    services: Services
    policy: Policy
    failures: FailedLogins
    registry: CollectorRegistry
    error_page: Callable[[Request, int, str], Response | None]
    description: Callable[[Any], dict[str, Any]]
    live: Sequence[Live] = ()

    def stream(self, kind: type[T]) -> T:
        """What streams of one kind are fed by."""
        return next(item for item in self.live if isinstance(item, kind))


def of(where: Request | FastAPI) -> State:
    """The state of an application, or of the one that a request came to."""
    application = where.app if isinstance(where, Request) else where
    state: State = application.state.fleetd
    return state
