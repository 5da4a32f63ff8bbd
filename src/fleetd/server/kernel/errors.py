# SPDX-License-Identifier: BSD-2-Clause
"""Errors that several capabilities raise and HTTP has a status of its own for."""

from __future__ import annotations

from fleetcore.errors import ConflictError


class VersionMismatch(ConflictError):
    """If-Match named another version than the resource has: read it again."""
