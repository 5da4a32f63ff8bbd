# SPDX-License-Identifier: BSD-2-Clause
"""Requests to and replies of a virtual BMC, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetlab.tree import Resource, encode


@dataclass(frozen=True)
class Request:
    """`path` as it was asked for, percent-decoded; `headers` finds names in any case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that is answered with an error of Redfish's form."""

    def __init__(self, status: int, message_id: str, text: str, *args: str, **headers: str) -> None:
        super().__init__(text)
        self.reply = error(status, message_id, text, *args, **headers)


def reply(status: int, content: object, **headers: str) -> Reply:
    return Reply(status, encode(content), {name.replace("_", "-"): value for name, value in headers.items()})


def error(status: int, message_id: str, text: str, *args: str, **headers: str) -> Reply:
    """An error body with one extended message. `message_id` without registry means one of the Base registry."""
    full_id = message_id if "." in message_id else f"Base.1.18.{message_id}"
    message: dict[str, Any] = {
        "@odata.type": "#Message.v1_1_2.Message",
        "MessageId": full_id,
        "Message": text,
        "MessageArgs": list(args),
        "MessageSeverity": "Warning",
        "Resolution": "None.",
    }
    content = {"error": {"code": full_id, "message": text, "@Message.ExtendedInfo": [message]}}
    return reply(status, content, **headers)


def missing(path: str) -> Refused:
    return Refused(404, "ResourceMissingAtURI", f"The resource at the URI {path} was not found.", path)


def matches(condition: str | None, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this ETag. Weak and strong tags compare equal, as BMCs do."""
    if condition is None:
        return False
    named = {item.strip().removeprefix("W/") for item in condition.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def parse_body(request: Request) -> Resource:
    """Read the JSON object in a request. An empty body is an empty object. Raises Refused."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "MalformedJSON", "The request body was malformed JSON.")
    return body
