# SPDX-License-Identifier: BSD-2-Clause

"""The search for Redfish services over SSDP (DSP0266, section "Discovery"). Bytes only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

SERVICE = "urn:dmtf-org:service:redfish-rest:1"
GROUPS = {4: "239.255.255.250", 6: "ff02::c"}
PORT = 1900
_MAX_BYTES = 4096
_UUID = re.compile(r"uuid:([0-9a-fA-F-]{36})(?:$|::)")


@dataclass(frozen=True)
class Answer:
    """A Redfish service that made itself known.

    :ivar uuid: of the service, lower case. :ivar version: minor version of what it announced, as text.
    """

    uuid: str
    scheme: str
    host: str
    port: int
    version: Optional[str] = None


def search(host: str, port: int, wait: int) -> bytes:
    """Make the question.

    :param wait: answers are spread over this many seconds (1 to 5)."""
    target = f"[{host.partition('%')[0]}]" if ":" in host else host
    lines = [
        "M-SEARCH * HTTP/1.1",
        f"HOST: {target}:{port}",
        'MAN: "ssdp:discover"',
        f"MX: {min(max(wait, 1), 5)}",
        f"ST: {SERVICE}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def decode(data: bytes) -> Optional[Answer]:
    """Decode an answer to :func:`search`; None for other services, notifications and garbage."""
    lines = data[:_MAX_BYTES].decode("latin-1").split("\r\n")
    if not re.match(r"HTTP/1\.[01] 200\b", lines[0]):
        return None
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _colon, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    target = fields.get("st", "")
    uuid = _UUID.match(fields.get("usn", ""))
    if uuid is None or not (target == SERVICE or target.startswith(SERVICE + ":")):
        return None
    try:
        url = urlsplit(fields.get("al") or fields.get("location") or "")
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not url.hostname:
        return None
    version = target[len(SERVICE) + 1 :]
    return Answer(uuid[1].lower(), url.scheme, url.hostname, port, version if version.isdecimal() else None)
