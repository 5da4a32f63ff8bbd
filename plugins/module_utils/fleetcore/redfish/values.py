# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading untrusted JSON: every function takes anything and returns a clean value or None. One bad property loses itself only."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote, urljoin, urlsplit

MAX_TEXT = 4096
MAX_LINK = 2048
# An absolute path in which nothing is to be resolved, cut off or quoted: nearly every link, and urljoin is slow.
_USUAL_LINK = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9%:@!$&'()*+,=~._-]+)+/*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


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


def text(value: Any) -> Optional[str]:
    """Trimmed text without control characters, numbers as text; None if nothing is left."""
    if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable():
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > 10**300:
        return None
    clean = _CONTROL.sub(" ", str(value)[: MAX_TEXT * 2]).strip()[:MAX_TEXT]
    return clean or None


def word(value: Any) -> Optional[str]:
    """Like :func:`text`, but None for the words by which BMCs say that they don't know."""
    clean = text(value)
    if clean is None or clean.lower() in (
        "n/a",
        "na",
        "none",
        "null",
        "unknown",
        "nil",
        "not available",
        "not specified",
        "-",
    ):
        return None
    return clean


def number(value: Any) -> Optional[float]:
    """A finite number; numbers written as text count."""
    if isinstance(value, str):
        try:
            value = float(value.strip()[:40])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        out = float(value)
    except OverflowError:
        return None
    return out if math.isfinite(out) else None


def integer(value: Any, scale: float = 1) -> Optional[int]:
    """``value * scale`` as a whole number that fits 63 bits, or None."""
    if isinstance(value, int) and not isinstance(value, bool) and scale == int(scale):
        out = value * int(scale)
    else:
        real = number(value)
        if real is None or not math.isfinite(real * scale):
            return None
        out = round(real * scale)
    return out if abs(out) < 2**63 else None


def positive(value: Any, scale: float = 1) -> Optional[int]:
    """:func:`integer`, None for 0 and less: by 0 BMCs mean that they don't know."""
    out = integer(value, scale)
    return out if out is not None and out > 0 else None


def boolean(value: Any) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def items(value: Any) -> list[Any]:
    """The objects of a list; of a single object that object."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


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
    """Like :func:`links_at`, each link with the value that holds it: after ``$expand`` that is the resource itself."""
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
    """The name of a resource: its ``Id``, or the last part of its path where it has none."""
    return text(body.get("Id")) or last_part(path)
