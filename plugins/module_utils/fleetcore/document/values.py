# SPDX-License-Identifier: BSD-2-Clause

"""Values from anywhere, cleaned: texts, numbers, serial numbers, addresses.

Every function takes anything; what is none gives None.

Firmware has many words for "nobody has filled this in". They are listed here, once, for whoever reads a machine:
:func:`word` knows those that stand in any field, :func:`clean_serial` also what stands in the place of a number.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from .parts import Firmware

MAX_TEXT = 4096
MAX_ITEMS = 20_000
"""Components of one kind: a bound on what garbage can make us build."""


def listed(words: str) -> frozenset[str]:
    """The words of a text, for tables that are easier to read so."""
    return frozenset(words.split())


def in_order(names: str) -> tuple[str, ...]:
    """The names of a text, which commas separate."""
    return tuple(name.strip() for name in names.split(","))


def named(names: tuple[str, ...], code: Optional[int]) -> Optional[str]:
    """The name with this number, counted from 1 as in tables of SMBIOS and IPMI; None if there is none."""
    return names[code - 1] if code is not None and 0 < code <= len(names) else None


CHASSIS_TYPES = in_order(
    """
    Other, Unknown, Desktop, Low Profile Desktop, Pizza Box, Mini Tower, Tower, Portable, Laptop, Notebook,
    Hand Held, Docking Station, All In One, Sub Notebook, Space-saving, Lunch Box, Main Server Chassis,
    Expansion Chassis, Sub Chassis, Bus Expansion Chassis, Peripheral Chassis, RAID Chassis, Rack Mount Chassis,
    Sealed-case PC, Multi-system, CompactPCI, AdvancedTCA, Blade, Blade Enclosing, Tablet, Convertible, Detachable,
    IoT Gateway, Embedded PC, Mini PC, Stick PC
    """
)
"""Types of chassis, in the order of their numbers (SMBIOS, section 7.4.1; IPMI's FRU has the same)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]+")
_SEPARATORS = re.compile(r"[\s_]+")

# What firmware writes in a field that it does not know, without blanks and underscores.
_NOTHING = listed(
    """
    n/a na [n/a] none (none) null (null) nil unknown undefined unspecified invalid empty [empty] sku nodimm
    defaultstring notavailable notspecified notprovided notpresent notset notdefined notsupport notsupported
    [notsupported] notapplicable tobefilledbyo.e.m. tobefilledbyo.e.m tobefilledbyoem <outofspec> <badindex> nostring
    noassettag noassetinformation freeformassettag unknownerror [unknownerror] insufficientpermissions
    [insufficientpermissions] [gpuislost] err! requestedfunctionalityhasbeendeprecated
    """
)
# What stands in a field that nobody has filled: the field's own name, what to do with it, or dots. A percent sign is
# a unit.
_UNFILLED = re.compile(
    r"^(?:[^\w%]|_)*$|^x{3,}$|^0x0+$|^(to be )?fill(ed)? (by|on) |^tbd by oem|^oem define \d+$|^reserved for system "
    r"|^type[1-3](sku|family| - )"
    r"|^(system |chassis |base ?board |board )(manufacturer?|product name|version|sku ?#|sku number)$|^sku number$"
    r"|(part|serial|ser)_?num(ber)?\d{0,2}$|(^|_|\d)manufacturer(_name_string)?\d{0,2}$|asset[ _]?tag(num)?\d{0,2}$"
)
# What stands in the place of a serial number, a part number or an asset tag, and may be a word elsewhere.
_NO_NUMBER = listed(
    """
    default asset serial serialnumber systemserialnumber chassisserialnumber baseboardserialnumber chassisserial
    systemserial boardserial oem o.e.m.
    0123456789 01234567 01234567890123456789ab 123456789 1234567890 9876543210
    """
)
# One character but letters, and what BIOSes number from slot to slot.
_NO_NUMBERS = re.compile(r"^(?:([^a-z])\1*|(?:sernum|assettagnum|oemdefine)\d*)$")
_MAC = re.compile(r"^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^[0-9a-f]{12}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$", re.IGNORECASE)
_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_SIZE = re.compile(r"([0-9]{1,24}(?:\.[0-9]{1,12})?)\s*([KMGTPE]?)(i?)(B|b(?:ytes)?)?\b", re.IGNORECASE)
_PCI = re.compile(r"^(?:pci@)?(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})[.:]([0-9a-f]{1,2})$", re.IGNORECASE)


# -- texts -------------------------------------------------------------------------------------------------------------


def text(value: Any) -> Optional[str]:
    """Trimmed text on one line, numbers as text; None if nothing is left."""
    if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable() and "\ufffd" not in value:
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > 10**300:
        return None
    return _CONTROL.sub(" ", str(value)[: MAX_TEXT * 2]).strip()[:MAX_TEXT].strip() or None


def word(value: Any) -> Optional[str]:
    """Text that says something: None for the words by which firmware says that it doesn't know, and for dots."""
    clean = text(value)
    return None if clean is None or _is_nothing(clean) else clean


@functools.lru_cache(maxsize=4096)
def _is_nothing(clean: str) -> bool:
    lower = clean.lower()
    return _SEPARATORS.sub("", lower) in _NOTHING or bool(_UNFILLED.search(lower))


def clean_serial(value: Any) -> Optional[str]:
    """A serial number, part number, SKU or asset tag; None also for the figures that stand for none: "0",
    "0123456789"."""
    clean = word(value)
    squeezed = _SEPARATORS.sub("", clean or "").lower()
    return None if squeezed in _NO_NUMBER or _NO_NUMBERS.match(squeezed) else clean


def serial_key(value: Any) -> str:
    """A serial number without case and punctuation, for comparing; empty for none."""
    return squeezed(clean_serial(value) or "")


@functools.lru_cache(maxsize=4096)
def squeezed(words: str) -> str:
    """Letters and digits only, in lower case."""
    return "".join(letter for letter in words.lower() if letter.isalnum())


def clean_mac(value: Any) -> Optional[str]:
    """A 48-bit MAC address as ``aa:bb:cc:dd:ee:ff``, or None if it is malformed, all zero or broadcast."""
    if not isinstance(value, str) or not _MAC.match(value.strip()):
        return None
    digits = squeezed(value)
    if digits in ("0" * 12, "f" * 12):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def clean_uuid(value: Any) -> Optional[str]:
    """A UUID in lower case; None if it is malformed, all zero or all ones."""
    clean = (text(value) or "").lower()
    return clean if _UUID.match(clean) and set(clean) - set("-0") and set(clean) - set("-f") else None


def time_of(value: Any) -> Optional[datetime]:
    """A time in UTC, which it is without a zone, too; None: the text is none that a calendar has."""
    try:
        time = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


# -- numbers -----------------------------------------------------------------------------------------------------------


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


def percent(value: Any) -> Optional[float]:
    found = number(value)
    return found if found is not None and 0 <= found <= 100 else None


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


def card_of(address: Optional[str]) -> Optional[str]:
    """The address of a PCI card: without the function."""
    return address.rpartition(".")[0] if address else None


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


def items(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; of a single object that object."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value[:MAX_ITEMS] if isinstance(item, Mapping)] if isinstance(value, list) else []


def firmware(version: Any, available: Any = None, software_id: Any = None) -> Optional[Firmware]:
    """Firmware of what is installed and what could be; None if neither is known."""
    installed, newer = word(version), word(available)
    if not installed and not newer:
        return None
    return Firmware(installed=installed, available=newer, software_id=word(software_id))


def wwn(value: Any) -> Optional[str]:
    """A WWN, EUI-64 or NGUID as lower-case hex digits without prefix, or None."""
    clean = re.sub(r"^(0x|naa\.|eui\.|wwn-0x|t10\.)", "", (text(value) or "").lower())
    clean = re.sub(r"[\s:-]", "", clean)
    if not re.match(r"^[0-9a-f]{16,32}$", clean) or not clean.strip("0f"):
        return None
    return clean
