# SPDX-License-Identifier: BSD-2-Clause

"""One HTTP exchange as bytes, and the facts in a Redfish service root that is read without a login. Pure."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import ParseError
from ..ports import HttpResponse
from ..redfish.values import at, link, text, word

PATH = "/redfish/v1/"
MAX_BYTES = 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r|\n|$)")
_NO_UUID = re.compile(r"^[0f-]*$")


def request(host: str, port: int, tls: bool, path: str = PATH) -> bytes:
    """Make a GET without credentials, after whose answer the server closes."""
    name = f"[{host.partition('%')[0]}]" if ":" in host else host
    name = name if port == (443 if tls else 80) else f"{name}:{port}"
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {name}",
        "Accept: application/json",
        "OData-Version: 4.0",
        "User-Agent: baremetal.fleet",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parse(data: bytes, closed: bool) -> Optional[HttpResponse]:
    """Parse the answer in the bytes received so far; None if there is more to come.

    :param closed: the server has closed; what is missing will not come.
    :raises ParseError: not HTTP, cut off, or too large.
    """
    if not _STATUS.match(data[:16]) and (closed or len(data) >= 16):
        raise ParseError("the answer is not HTTP")
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        if closed or len(data) > MAX_BYTES:
            raise ParseError("the answer has no end of header")
        return None
    lines = head.decode("latin-1").split("\r\n")
    fields = {
        name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines[1:])
    }
    whole = _body(fields, body, closed)
    if len(body) > MAX_BYTES:
        raise ParseError("the answer is too large")
    if whole is None:
        return None
    if fields.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
        try:
            whole = zlib.decompressobj(31).decompress(whole, MAX_BYTES)
        except zlib.error:
            raise ParseError("the answer is not gzip as its header says") from None
    return HttpResponse(int(lines[0][9:12]), fields, whole)


def _body(fields: Mapping[str, str], body: bytes, closed: bool) -> Optional[bytes]:
    if "chunked" in fields.get("transfer-encoding", "").lower():
        whole = _chunks(body)
    elif fields.get("content-length", "").isdecimal() and len(fields["content-length"]) < 10:
        length = int(fields["content-length"])
        whole = body[:length] if len(body) >= length else None
    else:
        whole = body if closed else None
    if whole is None and closed:
        raise ParseError("the answer is cut off")
    return whole


def _chunks(body: bytes) -> Optional[bytes]:
    out: list[bytes] = []
    rest = body
    while True:
        line, mark, rest = rest.partition(b"\r\n")
        if not mark:
            return None
        digits = line.split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
            raise ParseError("the answer has a malformed chunk")
        size = int(digits, 16)
        if size == 0:
            return b"".join(out)
        if len(rest) < size + 2:
            return None
        out.append(rest[:size])
        rest = rest[size + 2 :]


def redirect(response: HttpResponse, path: str = PATH) -> Optional[str]:
    """The path on this server to which the answer redirects, or None. Redirects to other servers are not followed."""
    location = response.headers.get("location", "")
    if response.status not in (301, 302, 307, 308) or not location.startswith("/") or location.startswith("//"):
        return None
    plain = link(location)
    if plain is None or not plain.startswith("/redfish"):
        return None
    target = plain + "/" if location.endswith("/") else plain
    return target if target != path else None


def facts(response: HttpResponse) -> Optional[dict[str, Any]]:
    """Read what the service says about itself; None if it is not Redfish.

    ``product``, ``vendor``, ``name``, ``uuid``, ``redfish_version``, ``server`` as far as they are known;
    ``protected`` if already the service root asks for a login, against the standard.
    """
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        body = None
    out: dict[str, Any] = {"server": text(response.headers.get("server"))}
    if response.status in (401, 403) and ("odata-version" in response.headers or _is_error(body)):
        out["protected"] = True
    elif response.status == 200 and isinstance(body, Mapping) and _is_root(body):
        out.update(
            product=word(body.get("Product")),
            vendor=word(body.get("Vendor")) or _vendor_of(body.get("Oem")),
            name=word(body.get("Name")),
            uuid=known_uuid(text(body.get("UUID"))),
            redfish_version=word(body.get("RedfishVersion")),
        )
    else:
        return None
    return {name: value for name, value in out.items() if value is not None}


def known_uuid(uuid: Optional[str]) -> Optional[str]:
    """A UUID in lower case; None for the placeholders that many BMCs share."""
    return None if uuid is None or _NO_UUID.match(uuid.lower()) else uuid.lower()


def _is_error(body: Any) -> bool:
    return bool(at(at(body, "error"), "@Message.ExtendedInfo"))


def _is_root(body: Mapping[str, Any]) -> bool:
    kind = str(body.get("@odata.type") or "")
    return (
        "ServiceRoot" in kind
        or "RedfishVersion" in body
        or bool(link(body.get("Systems")) and link(body.get("Chassis")))
    )


def _vendor_of(oem: Any) -> Optional[str]:
    return next((word(name) for name in oem if "@" not in name), None) if isinstance(oem, Mapping) else None
