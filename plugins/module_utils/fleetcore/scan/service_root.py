# SPDX-License-Identifier: BSD-2-Clause

"""The facts in a Redfish service root that is read without a login. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from ..ports import HttpResponse
from ..redfish.values import at, link, text, word

PATH = "/redfish/v1/"
_NO_UUID = re.compile(r"^[0f-]*$")


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
