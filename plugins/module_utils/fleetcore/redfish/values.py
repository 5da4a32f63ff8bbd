# SPDX-License-Identifier: BSD-2-Clause

"""Reading untrusted JSON of Redfish: every function takes anything and returns a clean value or None.

One bad property loses itself only. Texts, words and lists of objects are read as everywhere else:
``document/values.py``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote, urljoin, urlsplit

from ..document import values
from ..document.values import items, text, word

__all__ = [
    "at",
    "boolean",
    "first",
    "id_of",
    "integer",
    "is_resource",
    "items",
    "link",
    "links",
    "links_at",
    "number",
    "objects_at",
    "positive",
    "text",
    "word",
]

MAX_LINK = 2048
# An absolute path in which nothing is to be resolved, cut off or quoted: nearly every link, and urljoin is slow.
_USUAL_LINK = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9%:@!$&'()*+,=~._-]+)+/*")


def at(body: Any, path: str) -> Any:
    """The value at a dotted property path, or None. A leading annotation (``@Redfish.Settings``) is one name."""
    if "." not in path:  # nearly every path
        return body.get(path) if isinstance(body, (dict, Mapping)) else None
    value = body
    for name in _split(path):
        if value is None or not isinstance(value, (dict, Mapping)):  # dict first: it is one, and quicker to tell
            return None
        value = value.get(name)
    return value


@functools.lru_cache(maxsize=4096)
def _split(path: str) -> list[str]:
    names = path.split(".")
    return [".".join(names[:2]), *names[2:]] if path.startswith("@") else names


def first(body: Any, *paths: str) -> Any:
    """The first value of these dotted paths that is not None, "" or an empty list or object."""
    for path in paths:
        value = at(body, path)
        if value is not None and value not in ("", [], {}):
            return value
    return None


def number(value: Any) -> Optional[float]:
    """A finite number; a text that is a number counts, one that only has a number in it does not."""
    if isinstance(value, str):
        try:
            value = float(value.strip()[:40])
        except ValueError:
            return None
    return values.number(value)


def integer(value: Any, scale: float = 1) -> Optional[int]:
    """``value * scale`` as a whole number that fits 63 bits, or None."""
    return values.integer(number(value) if isinstance(value, str) else value, scale)


def positive(value: Any, scale: float = 1) -> Optional[int]:
    """:func:`integer`, None for 0 and less: by 0 BMCs mean that they don't know."""
    return values.positive(number(value) if isinstance(value, str) else value, scale)


def boolean(value: Any) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def link(value: Any, base: str = "/redfish/v1") -> Optional[str]:
    """The resource that ``{"@odata.id": ...}`` (or a bare string) points to, as a normal path, or None.

    Scheme, host, fragment and trailing slashes go; relative links are resolved against ``base``.
    """
    raw = value.get("@odata.id") if isinstance(value, (dict, Mapping)) else value
    if not isinstance(raw, str) or not raw or len(raw) > MAX_LINK:
        return None
    if _USUAL_LINK.fullmatch(raw):
        return raw.rstrip("/")
    try:
        joined = urljoin("http://bmc" + base.rstrip("/") + "/", raw.strip())
        parts = urlsplit(joined)
    except ValueError:
        return None
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~#-._", errors="replace")
    if not path.startswith("/"):
        return None
    return path + ("?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?-._", errors="replace") if parts.query else "")


def is_resource(member: Any) -> bool:
    """Whether a member of a collection is the resource itself, not only a link to it."""
    return (
        isinstance(member, Mapping)
        and ("Id" in member or "@odata.type" in member or "Members" in member)
        and "error" not in member
    )


def links(value: Any, base: str = "/redfish/v1") -> list[str]:
    """All links of one link, or of a list of links, without repeats, in order."""
    found = [link(item, base) for item in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(path for path in found if path))


def links_at(body: Any, path: str, base: str) -> list[str]:
    """:func:`links` at a dotted path, in which ``[]`` after a name stands for every object of that list."""
    head, each, rest = path.partition("[].")
    if not each:
        return links(at(body, path), base)
    return list(dict.fromkeys(found for item in items(at(body, head)) for found in links_at(item, rest, base)))


def objects_at(body: Any, path: str, base: str) -> list[tuple[str, Any]]:
    """Links as :func:`links_at` finds them, each with the value that holds it: after ``$expand`` the resource."""
    head, each, rest = path.partition("[].")
    if each:
        return [pair for item in items(at(body, head)) for pair in objects_at(item, rest, base)]
    value = at(body, path)
    found: dict[str, Any] = {}
    for item in value if isinstance(value, list) else [value]:
        target = link(item, base)
        if target and target not in found:
            found[target] = item
    return list(found.items())


def last_part(path: str) -> str:
    """``/redfish/v1/Systems/1`` -> ``1``."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def id_of(path: str, body: Mapping[str, Any]) -> str:
    """The name of a resource: its ``Id``, else its ``MemberId``, else the last part of its path."""
    return text(body.get("Id")) or text(body.get("MemberId")) or last_part(path)
