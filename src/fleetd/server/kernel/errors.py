# SPDX-License-Identifier: BSD-2-Clause
"""Errors that HTTP has a status of its own for."""

from __future__ import annotations

from fleetcore.errors import ConflictError, FleetError, ParseError, PermissionDenied


class VersionMismatch(ConflictError):
    """If-Match named another version than the resource has: read it again."""


class Unauthorized(FleetError):
    """No token, or one that is not valid."""

    code = "unauthorized"


class Forbidden(PermissionDenied):
    """A valid token of a scope that may not do this."""

    code = "forbidden"


class TooManyFailures(FleetError):
    """Failed logins of one address; ``details["retry_after"]`` says how many seconds it has to wait."""

    code = "too_many_requests"


class BadRequest(ParseError):
    """Not what the format says, before any field could be looked at."""
