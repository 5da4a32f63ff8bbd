# SPDX-License-Identifier: BSD-2-Clause
"""The page for people: server-rendered, no external assets."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)


def error_page(request: Request, status: int, message: str) -> Response | None:  # noqa: ARG001
    """None: no page yet."""
    return None
