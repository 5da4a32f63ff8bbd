# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading what tools print: every helper takes anything and returns a clean value or None. One bad field loses itself only."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from ..errors import ParseError
from .model import Firmware, Status, clean_serial

MAX_INPUT = 64 * 1024 * 1024
"""Characters of one tool's output; more is not the output of a tool."""
MAX_TEXT = 1024
MAX_ITEMS = 20_000
"""Components of one kind: a bound on what garbage can make us build."""

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

F = TypeVar("F", bound=Callable[..., Any])

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]+")
_UNKNOWN = frozenset(
    [
        "n/a",
        "na",
        "[n/a]",
        "none",
        "null",
        "unknown",
        "not available",
        "not specified",
        "not provided",
        "notprovided",
        "not present",
        "undefined",
        "unspecified",
        "default string",
        "<out of spec>",
        "<bad index>",
        "no dimm",
        "empty",
        "[empty]",
        "(none)",
        "(null)",
        "not set",
        "not defined",
        "invalid",
        "sku",
        "[not supported]",
        "not supported",
        "not support",
        "unknown error",
        "[unknown error]",
        "insufficient permissions",
        "[insufficient permissions]",
        "requested functionality has been deprecated",
        "[gpu is lost]",
        "err!",
    ]
)
# What stands in a field that nobody has filled: the field's own name, what to do with it, or dots.
_UNFILLED = re.compile(
    r"^[\W_]*$|^x{3,}$|^0x0+$|^(to be )?fill(ed)? (by|on) |^tbd by oem|^oem define \d+$|^reserved for system "
    r"|^type[1-3](sku|family| - )|^(system |chassis |base ?board |board )(manufacturer?|product name|version|sku ?#|sku number)$|^sku number$"
    r"|(part|serial|ser)_?num(ber)?\d{0,2}$|(^|_|\d)manufacturer(_name_string)?\d{0,2}$|asset[ _]?tag(num)?\d{0,2}$"
)
_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_SIZE = re.compile(r"([0-9]{1,24}(?:\.[0-9]{1,12})?)\s*([KMGTPE]?)(i?)(B|b(?:ytes)?)?\b", re.IGNORECASE)
_PCI = re.compile(r"^(?:pci@)?(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})[.:]([0-9a-f]{1,2})$", re.IGNORECASE)


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


def text(value: Any) -> Optional[str]:
    """Trimmed text on one line, numbers as text; None if nothing is left."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > 10**300:
        return None
    return _CONTROL.sub(" ", str(value)[: MAX_TEXT * 4]).strip()[:MAX_TEXT].strip() or None


def word(value: Any) -> Optional[str]:
    """Like :func:`text`, but None for the words by which firmware says that it doesn't know, and for punctuation only."""
    clean = text(value)
    if clean is None:
        return None
    lower = clean.lower()
    return None if lower in _UNKNOWN or _UNFILLED.search(lower) else clean


def token(value: Any) -> Optional[str]:
    """A part number, SKU or revision: like :func:`word`, but none of the figures that stand for none, either."""
    return clean_serial(word(value))


def number(value: Any) -> Optional[float]:
    """The first number of a text ("1200 W", "2.5 GT/s"), or a number as it is. Finite."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        try:
            out = float(value)
        except OverflowError:
            return None
    elif isinstance(value, str):
        found = _NUMBER.search(value[:200])
        if not found:
            return None
        out = float(found.group())
    else:
        return None
    return out if math.isfinite(out) else None


def integer(value: Any, scale: float = 1) -> Optional[int]:
    """``value * scale`` as a whole number that fits 63 bits."""
    if isinstance(value, int) and not isinstance(value, bool) and scale == int(scale):
        out = value * int(scale)
        return out if abs(out) < 2**63 else None
    real = number(value)
    if real is None or not math.isfinite(real * scale) or abs(real * scale) >= 2**63:
        return None
    return round(real * scale)


def positive(value: Any, scale: float = 1) -> Optional[int]:
    out = integer(value, scale)
    return out if out is not None and out > 0 else None


def hexadecimal(value: Any) -> Optional[int]:
    """``0x1a2b`` or ``1a2b`` as a number, or a number as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 2**63 else None
    if isinstance(value, str) and re.match(r"^\s*(0x)?[0-9a-fA-F]{1,15}\s*$", value):
        return int(value, 16)
    return None


def pci_id(value: Any) -> Optional[str]:
    """A PCI vendor or device id as four lower-case hex digits; a number is taken as it is, text as hexadecimal."""
    found = hexadecimal(value)
    return f"{found:04x}" if found is not None and 0 < found <= 0xFFFF else None


def pci_address(value: Any) -> Optional[str]:
    """``pci@0000:41:00.0``, ``41:00.0``, ``00000000:41:00.0`` or ``00:41:00:00`` as ``0000:41:00.0``."""
    if not isinstance(value, str):
        return None
    clean = value.strip()
    short = re.match(r"^([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{1,2})$", clean, re.IGNORECASE)
    if short:  # storcli: domain, bus, device and function
        return f"{int(short[1], 16):04x}:{short[2]}:{short[3]}.{int(short[4], 16):x}".lower()
    found = _PCI.match(clean)
    if not found:
        return None
    return f"{int(found[1] or '0', 16):04x}:{found[2]}:{found[3]}.{int(found[4], 16):x}".lower()


def size_bytes(value: Any, *, binary: bool) -> Optional[int]:
    """``7.277 TB`` in bytes. ``binary``: what the tool means by TB; ``TiB`` is always binary."""
    if not isinstance(value, str):
        return None
    # Languages that write 1.8T as 1,8T; three digits behind a comma are thousands.
    found = _SIZE.search(re.sub(r"(?<=\d),(?=\d{1,2}(?!\d))", ".", value[:200]))
    if not found:
        return None
    power = " KMGTPE".index(found[2].upper() or " ")
    base = 1024 if binary or found[3] else 1000
    return positive(float(found[1]), base**power)


def speed_gbps(value: Any) -> Optional[float]:
    """``6.0 Gb/s``, ``12.0Gb/s``, ``6.0 Gbps`` as a number of Gbit/s."""
    found = number(value)
    return found if found is not None and found > 0 else None


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def at(value: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        value = mapping(value).get(key)
    return value


def items(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; of a single object that object."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value[:MAX_ITEMS] if isinstance(item, Mapping)] if isinstance(value, list) else []


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


def _excerpt(content: str) -> str:
    return repr((text(content[:200]) or "")[:80])


_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]{0,500}>")


def xml(raw: Any, tool: str, *, comments: bool = False) -> ET.Element:
    """Tool output as XML; what stands before and after the document is ignored. Entities of its own are refused, a DOCTYPE
    without any is ignored.

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


def blocks(raw: Any, starts: str, limit: int = MAX_ITEMS) -> Iterator[tuple[Optional[re.Match[str]], list[str]]]:
    """Split output at lines that match ``starts``: the match and the lines up to the next; first what came before, with None."""
    begin = re.compile(starts)
    head: Optional[re.Match[str]] = None
    lines: list[str] = []
    count = 0
    for line in decoded(raw).splitlines():
        found = begin.match(line[:2000])
        if found:
            yield head, lines
            count += 1
            if count > limit:
                return
            head, lines = found, []
        else:
            lines.append(line)
    yield head, lines


def firmware(version: Any, available: Any = None) -> Optional[Firmware]:
    installed, newer = word(version), word(available)
    return Firmware(installed=installed, available=newer) if installed or newer else None


def nic_firmware(words: Any) -> Optional[Firmware]:
    """A driver's words for a network card's firmware; Mellanox' have the card's PSID behind the version: ``14.27.1016 (MT_2420110034)``."""
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

_DRIVE_VENDORS: tuple[tuple[str, str], ...] = (
    ("intel", "Intel"),
    ("micron", "Micron"),
    ("mtfd", "Micron"),
    ("crucial", "Crucial"),
    ("ct", "Crucial"),
    ("samsung", "Samsung"),
    ("mz", "Samsung"),
    ("toshiba", "Toshiba"),
    ("kxg", "Toshiba"),
    ("kioxia", "KIOXIA"),
    ("kcd", "KIOXIA"),
    ("kcm", "KIOXIA"),
    ("kpm", "KIOXIA"),
    ("hgst", "HGST"),
    ("hus", "HGST"),
    ("huh", "HGST"),
    ("huc", "HGST"),
    ("hitachi", "Hitachi"),
    ("wdc", "Western Digital"),
    ("wd", "Western Digital"),
    ("wus", "Western Digital"),
    ("wuh", "Western Digital"),
    ("seagate", "Seagate"),
    ("st", "Seagate"),
    ("sandisk", "SanDisk"),
    ("kingston", "Kingston"),
    ("sk hynix", "SK hynix"),
    ("hynix", "SK hynix"),
    ("hfs", "SK hynix"),
    ("solidigm", "Solidigm"),
    ("ssdsc", "Intel"),
    ("ssdpe", "Intel"),
    ("adata", "ADATA"),
    ("qemu", "QEMU"),
)


def drive_vendor(model: Any) -> Optional[str]:
    """The maker that a drive's model number begins with (or whose name stands in it), or None."""
    clean = (text(model) or "").lower()
    for prefix, vendor in _DRIVE_VENDORS:
        # Two letters begin many a word; before a number they are a maker's.
        if clean.startswith(prefix) and (prefix not in ("st", "ct") or clean[2:3].isdigit()):
            return vendor
    return next((vendor for prefix, vendor in _DRIVE_VENDORS if len(prefix) > 4 and prefix in clean), None)


def wwn(value: Any) -> Optional[str]:
    """A WWN, EUI-64 or NGUID as lower-case hex digits without prefix, or None."""
    clean = re.sub(r"^(0x|naa\.|eui\.|wwn-0x|t10\.)", "", (text(value) or "").lower())
    clean = re.sub(r"[\s:-]", "", clean)
    if not re.match(r"^[0-9a-f]{16,32}$", clean) or not clean.strip("0f"):
        return None
    return clean
