# SPDX-License-Identifier: BSD-2-Clause
"""HTTP: /json/v1, /api/v1, the page. Everything that decides is in the services."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fleetcore.errors import FleetError
from starlette.exceptions import HTTPException

from fleetd import __version__
from fleetd.server.credentials import api as credentials
from fleetd.server.devices import api as devices
from fleetd.server.kernel import ops
from fleetd.server.kernel.auth.http import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events import api as events
from fleetd.server.kernel.http import errors, middleware, proxy, streams, updates
from fleetd.server.kernel.http.limits import FailedLogins
from fleetd.server.legacy import api as legacy
from fleetd.server.machines import api as v1
from fleetd.server.page import actions, rendering
from fleetd.server.page import api as page
from fleetd.server.work import api as work


def create(
    services: Services,
    policy: Policy | None = None,
    max_body_bytes: int = 16 * 1024 * 1024,
    body_seconds: float = 60,
    max_header_bytes: int = 32 * 1024,
) -> FastAPI:
    """The ASGI application over ``services``."""
    api = FastAPI(
        title="fleetd",
        version=__version__,
        description="Machine server of baremetal.fleet",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url=None,
    )
    api.state.services = services
    policy = policy or Policy()
    api.state.policy = policy
    api.state.failures = FailedLogins(policy.failures)
    api.state.registry = ops.registry(services)
    api.state.error_page = rendering.error_page
    api.state.live = updates.Updates(page.looks(services), page.LOOK_SECONDS, page.LOOK_SECONDS)
    api.state.updates = updates.Updates(updates.descriptions(services))
    api.state.feed = streams.Feed(services.events)
    for router in (
        ops.router,
        legacy.router,
        v1.router,
        devices.router,
        work.router,
        credentials.router,
        events.router,
        actions.router,
        page.router,
    ):
        api.include_router(router)
    api.add_exception_handler(FleetError, errors.on_fleet_error)
    api.add_exception_handler(HTTPException, errors.on_http_error)
    api.add_exception_handler(RequestValidationError, errors.on_invalid)
    api.add_exception_handler(Exception, errors.on_crash)
    # The last one added is the outermost.
    api.add_middleware(updates.Wake, wake=(api.state.updates.wake, api.state.feed.wake))
    api.add_middleware(middleware.BodyLimit, max_bytes=max_body_bytes, seconds=body_seconds)
    api.add_middleware(middleware.EncodedSlashes)
    api.add_middleware(proxy.ProxyHeaders, proxies=policy.proxies)
    api.add_middleware(middleware.HeaderLimit, max_bytes=max_header_bytes)
    api.add_middleware(middleware.Headers)
    api.add_middleware(middleware.Figures, registry=api.state.registry)
    return api


def end_streams(application: FastAPI) -> None:
    """The server stops: answers that have no end of their own end now. Call it in the event loop."""
    application.state.feed.close()
    application.state.updates.close()
    application.state.live.close()
