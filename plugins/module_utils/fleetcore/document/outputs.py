# SPDX-License-Identifier: BSD-2-Clause

"""Reading what tools print: every helper takes anything and returns a clean value or None.

One bad field loses itself only.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from ..errors import ParseError
from .parts import Firmware, Nic, NicPort, Status
from .values import MAX_ITEMS, card_of, firmware, text, word

MAX_INPUT = 64 * 1024 * 1024
"""Characters of one tool's output; more is not the output of a tool."""

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

F = TypeVar("F", bound=Callable[..., Any])


def parser(tool: str) -> Callable[[F], F]:
    """Mark a function as the parser of ``tool``'s output: whatever comes in, it returns a result or raises ParseError.

    The function itself is at ``__wrapped__``: tests hold it to the same promise without the last line of defence here.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def guarded(raw: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(raw, (str, bytes)):
                raise ParseError(f"{tool}: expected its output, got {type(raw).__name__}", field=tool)
            if len(raw) > MAX_INPUT:
                raise ParseError(f"{tool}: {len(raw)} bytes are too much", field=tool)
            try:
                return function(raw, *args, **kwargs)
            except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise ParseError(
                    f"{tool}: output not understood ({type(error).__name__}: {error})", field=tool
                ) from None

        return guarded  # type: ignore[return-value]

    return decorate


def expect(tool: str, found: Any, problem: str, **details: Any) -> None:
    """Go on if something was found.

    :raises ParseError: nothing was; ``problem`` says of what.
    """
    if not found:
        raise ParseError(f"{tool}: {problem}", field=tool, **details)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def at(value: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        value = mapping(value).get(key)
    return value


def document(raw: Any, tool: str) -> Any:
    """Tool output as JSON. What stands before the first bracket (banners, warnings) and after the document is ignored.

    :raises ParseError: no JSON in it.
    """
    content = decoded(raw)
    starts = [place for place in (content.find("{", 0, 65536), content.find("[", 0, 65536)) if place >= 0]
    decoder = json.JSONDecoder(strict=False)  # strings of tools have tabs and worse in them, unescaped
    for start in sorted(starts):
        try:
            return decoder.raw_decode(content, start)[0]
        except (ValueError, RecursionError):
            continue
    raise ParseError(f"{tool}: the output is not JSON: {_excerpt(content)}", field=tool)


def json_object(raw: Any, tool: str, problem: str, *needed: str) -> Mapping[str, Any]:
    """Tool output as a JSON object that has one of the keys ``needed``.

    :raises ParseError: it is none; ``problem`` says what it is not.
    """
    body = document(raw, tool)
    expect(tool, isinstance(body, Mapping) and (not needed or any(name in body for name in needed)), problem)
    return mapping(body)


def _excerpt(content: str) -> str:
    return repr((text(content[:200]) or "")[:80])


_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]{0,500}>")


def xml(raw: Any, tool: str, *, comments: bool = False) -> ET.Element:
    """Tool output as XML; what stands before and after the document is ignored. Entities of its own are refused, a
    DOCTYPE without any is ignored.

    :raises ParseError: not XML.
    """
    import xml.etree.ElementTree as ET  # noqa: PLC0415  (few tools write XML)

    content = decoded(raw)
    start = content.find("<")
    if start < 0:
        raise ParseError(f"{tool}: the output is not XML: {_excerpt(content)}", field=tool)
    content = re.sub(r"^<\?xml[^>]{0,200}\?>", "", content[start:])
    content = _DOCTYPE.sub("", content, count=1)
    root = re.match(r"(?:\s|<!--.{0,2000}?-->)*<([\w.:-]{1,100})", content, re.DOTALL)
    end = content.rfind(f"</{root[1]}>") if root else -1
    if root and end >= 0:  # what a tool or its caller has written behind the document
        content = content[: end + len(root[1]) + 3]
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        raise ParseError(f"{tool}: XML with entities of its own", field=tool)
    try:
        return ET.fromstring(  # noqa: S314  (no entities, see above)
            content.encode("utf-8", "replace"),
            ET.XMLParser(target=ET.TreeBuilder(insert_comments=comments), encoding="utf-8"),  # noqa: S314
        )
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise ParseError(f"{tool}: the output is not XML ({error})", field=tool) from None


def decoded(raw: Any) -> str:
    """Bytes as text: UTF-8 or, if they begin so, UTF-16; Latin-1 for what is neither. Without a byte order mark."""
    if not isinstance(raw, bytes):
        return str(raw)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def pairs(lines: Iterable[str], separator: str = ":") -> dict[str, str]:
    """``Key : value`` lines as a dict; the first of equal keys wins."""
    out: dict[str, str] = {}
    for line in lines:
        key, found, value = line.partition(separator)
        key = key.strip()
        if found and key and len(key) <= 120:
            out.setdefault(key, value.strip())
    return out


def keyed(raw: Any, tool: str, problem: str, *needed: str) -> dict[str, str]:
    """Tool output of ``Key : value`` lines, with one of the keys ``needed``.

    :raises ParseError: it has none of them; ``problem`` says what is missing.
    """
    values = pairs(decoded(raw).splitlines()[:2000])
    expect(tool, any(name in values for name in needed), problem)
    return values


def blocks(raw: Any, starts: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Split output at lines that match ``starts``: the match, and the lines up to the next one."""
    begin = re.compile(starts)
    head: Optional[re.Match[str]] = None
    lines: list[str] = []
    count = 0
    for line in decoded(raw).splitlines():
        found = begin.match(line[:2000])
        if not found:
            lines.append(line)
            continue
        if head:
            yield head, lines
        count += 1
        if count > MAX_ITEMS:
            return
        head, lines = found, []
    if head:
        yield head, lines


def first(value: Any) -> Any:
    """The first of a list; what is none as it is."""
    return value[0] if isinstance(value, list) and value else value


def first_word(fields: Mapping[str, Any], *names: str) -> Optional[str]:
    """The first of these fields that says something (:func:`word`)."""
    return next((found for found in (word(fields.get(name)) for name in names) if found), None)


def said(**values: Any) -> dict[str, str]:
    """Metadata of what there is, as text: without what is None or empty."""
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def one_port(port: NicPort, **fields: Any) -> Nic:
    """The card of a port, by the PCI address of both; of a port without one the name is all that is known."""
    card = card_of(port.bus_info)
    return Nic(id=card or port.logical_name, bus_info=card, nic_ports=(port,), **fields)


def nic_firmware(words: Any) -> Optional[Firmware]:
    """A driver's words for a network card's firmware; Mellanox' have the card's PSID behind the version: ``14.27.1016
    (MT_2420110034)``."""
    found = re.match(r"^(\S{1,40}) \(([A-Z]{2,6}_?\d{6,20})\)$", word(words) or "")
    return Firmware(installed=found[1], software_id=found[2]) if found else firmware(words)


def health(word_: Any) -> Optional[Status]:
    """A tool's word for health as ``OK``, ``Warning`` or ``Critical``; the word itself is kept as State."""
    state = word(word_)
    if state is None:
        return None
    return Status(Health=next((level for level, sign in _HEALTH if sign.search(state)), None), State=state)


# Beginnings of words, the worst first; for OK whole words: "broken", "inactive" and "unhealthy" are none.
_HEALTH = tuple(
    (level, re.compile(rf"\b(?:{words})", re.IGNORECASE))
    for level, words in (
        ("Warning", "predict|non-?critical"),
        (
            "Critical",
            "fail|critical|off-?line|off?ln|fault|unavail|suspend|dead|missing|msng|u?bad|broken|removed|lost|unhealthy",
        ),
        ("Warning", "degrad|warning|rebuil|rbld|partial|attention|dgrd|pdgd|recover|inactive"),
        ("OK", "(?:ok|optimal|optl|onln|online|u?good|functional|jbod|ghs|dhs|clean|active|healthy)\\b"),
    )
)
