# SPDX-License-Identifier: BSD-2-Clause
"""The HTTP application: middleware around the routes of the capabilities."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fleetcore.errors import FleetError
from starlette.exceptions import HTTPException

from fleetd import __version__
from fleetd.server.kernel import ops
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.http import errors, middleware, proxy, state, updates
from fleetd.server.kernel.http.limits import FailedLogins
from fleetd.server.legacy import wire
from fleetd.server.page import rendering


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
    )
    policy = policy or Policy()
    registry = ops.registry(services)
    live = [capability.live(services) for capability in services.capabilities if capability.live]
    failures = FailedLogins(policy.failures)
    api.state.fleetd = state.State(services, policy, failures, registry, rendering.error_page, wire.description, live)
    api.include_router(ops.router)
    for capability in services.capabilities:
        for router in capability.routers:
            api.include_router(router)
    api.add_exception_handler(FleetError, errors.on_fleet_error)
    api.add_exception_handler(HTTPException, errors.on_http_error)
    api.add_exception_handler(RequestValidationError, errors.on_invalid)
    api.add_exception_handler(Exception, errors.on_crash)
    # The last one added is the outermost.
    api.add_middleware(updates.Wake, wake=[item.wake for item in live])
    api.add_middleware(middleware.BodyLimit, max_bytes=max_body_bytes, seconds=body_seconds)
    api.add_middleware(middleware.EncodedSlashes)
    api.add_middleware(proxy.ProxyHeaders, proxies=policy.proxies)
    api.add_middleware(middleware.HeaderLimit, max_bytes=max_header_bytes)
    api.add_middleware(middleware.Headers)
    api.add_middleware(middleware.Figures, registry=registry)
    return api


def end_streams(application: FastAPI) -> None:
    """End the answers that have no end of their own, because the server stops. Call it in the event loop."""
    for item in state.of(application).live:
        item.close()
