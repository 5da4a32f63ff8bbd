# SPDX-License-Identifier: BSD-2-Clause

"""Find the components of one list in another. Pure; components are plain data (see ``model.to_dict``).

A component is known by its serial number, else by a WWN, MAC address or UUID, else by where it is: slot, bus address,
id. Never by its place in a list. Placeholder serials are none. Two components with different serial numbers are two,
whatever else they share.

Two sources that describe one machine word places differently and leave out what the other has. ``likely=True`` is for
them: what is left after the identities is paired by what only one component on either side has (PCI numbers, model,
...).

It is longer than other files: one function for each way in which two components are known to be one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from .values import clean_mac, clean_serial, listed, serial_key, squeezed

Part = Mapping[str, Any]
Key = tuple[str, str]

IDENTITIES = ("serial", "wwn", "macaddress", "uuid")
"""Fields that say which part it is, wherever it is; best first."""

PLACES = ("slot", "bus_info", "id", "port", "interface_type", "name", "logical_name")
"""Fields that say where a component is, or what it is called there; best first."""

_STRONG = ("serial", "wwn", "mac", "uuid")  # kinds of identities, best first

# Numbered alike by every source, but from 0 or from 1: n-th to n-th where nothing else tells them apart.
_COUNTED = frozenset(["cpus", "power_supplies"])


class Pairs(NamedTuple):
    """The answer of :func:`pair`; ``both`` in the order of the left list."""

    both: list[tuple[Part, Part]]
    left: list[Part]
    right: list[Part]


# -- identity ----------------------------------------------------------------------------------------------------------


def label(part: Part) -> str:
    """Identity of a component within its list, as in ``component`` of a change: ``serial=X``, ``slot=Y``, or ``?``."""
    for name in IDENTITIES[:2]:
        if isinstance(part.get(name), str):
            return f"{name}={part[name]}"
    addresses = mac_addresses(part)
    if addresses:
        return f"{'macaddress' if part.get('macaddress') else 'mac'}={addresses[0]}"
    for name in ("uuid", *PLACES):
        if isinstance(part.get(name), str):
            return f"{name}={part[name]}"
    return "?"


def labels(parts: Sequence[Part]) -> list[str]:
    """A label for each; where several have one label, their place or number follows it."""
    names = [label(part) for part in parts]
    counts = Counter(names)
    seen: dict[str, int] = {}
    out = []
    for name, part in zip(names, parts):
        if counts[name] > 1:
            place = next((f"{key}={part[key]}" for key in PLACES if part.get(key)), None)
            full = f"{name},{place}" if place and place != name else name
        else:
            full = name
        seen[full] = seen.get(full, 0) + 1
        out.append(full if seen[full] == 1 else f"{full},{seen[full]}")
    return out


def same_serial(mine: Optional[str], theirs: Optional[str]) -> bool:
    """Equal but for case and punctuation, or one cut short (8 characters at least), as some tools do."""
    first, second = sorted((serial_key(mine), serial_key(theirs)), key=len)
    return bool(first) and (first == second or (len(first) >= 8 and first in second))


def same_uuid(mine: str, theirs: str) -> bool:
    """Equal, or with the first three fields in the other byte order: SMBIOS before 2.6, and some BMCs."""
    first, second = (re.sub(r"[^0-9a-f]", "", value.lower()) for value in (mine, theirs))
    return first == second or _swapped(first) == second


def _swapped(digits: str) -> str:
    octets = [digits[place : place + 2] for place in range(0, len(digits), 2)]
    return "".join([*octets[3::-1], *octets[5:3:-1], *octets[7:5:-1], *octets[8:]])


def same_words(mine: str, theirs: str) -> bool:
    """One name of a product in two spellings: trade marks, case, spaces, or one with more words than the other. Several
    words in brackets behind the name of a chip are that of the product: ``GA100 [A100 SXM4 80GB]``."""
    first, second = sorted((_words(mine), _words(theirs)), key=len)
    if first <= second or squeezed(mine) == squeezed(theirs):
        return True
    return _in_brackets(mine) <= _words(theirs) or _in_brackets(theirs) <= _words(mine)


def _in_brackets(text: str) -> frozenset[str]:
    found = re.search(r"\[([^\[\]]*)\]", text)
    words = _words(found.group(1)) if found else frozenset()
    return words if len(words) > 1 else _words(text)


@lru_cache(maxsize=4096)
def place_words(text: str) -> tuple[str, ...]:
    """The words that tell places of one kind apart: ``DIMM.Socket.A1``, ``DIMM A1``, ``A1`` are ("a", "1"),
    ``P1_DIMMA1`` is ("1", "a", "1")."""
    address = _PCI.match(text.strip().lower())
    if address:
        return (f"{int(address.group(1) or '0', 16):x}:{address.group(2)}",)
    out = []
    for piece in re.findall(r"[a-z]+|[0-9]+", text.lower()):
        word = _GLUED.sub("", piece)
        if word and word not in _NOUNS:
            out.append(word.lstrip("0") or "0" if word.isdigit() else word)
    return tuple(out) or (squeezed(text),)


_PCI = re.compile(r"^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-7])?)$")
_GLUED = re.compile(r"^(?:dimm|channel)(?=[a-z]$)")
_NOUNS = listed(
    """
    bank bay channel cpu device dimm disk drive locator mem memory p port power proc processor ps psu slot socket
    status supply unit
    """
)
_SAY_NOTHING = listed(
    """
    r tm c inc corp corporation co ltd technologies technology processor cpu
    """
)
_WORD = re.compile(r"[a-z0-9.]+")


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    words = frozenset(word.strip(".") for word in _WORD.findall(text.lower()))
    return (words - _SAY_NOTHING - {""}) or words


def mac_addresses(part: Part) -> list[str]:
    """MAC addresses of the part or of its ports, sorted."""
    found = {clean_mac(port.get("macaddress")) for port in part.get("nic_ports", ()) if isinstance(port, Mapping)}
    found.add(clean_mac(part.get("macaddress")))
    return sorted(mac for mac in found if mac)


def _strong(part: Part) -> dict[str, frozenset[str]]:
    """Identities of the part, wherever it is: by kind of identity, best first."""
    serial = clean_serial(part.get("serial"))
    found = {
        "serial": frozenset([squeezed(serial) or serial] if serial else []),
        "wwn": frozenset([squeezed(part["wwn"])] if isinstance(part.get("wwn"), str) else []),
        "mac": frozenset(mac_addresses(part)),
        "uuid": frozenset([part["uuid"].lower()] if isinstance(part.get("uuid"), str) else []),
    }
    return {kind: values for kind, values in found.items() if values}


def _places(part: Part) -> list[Key]:
    return [(name, " ".join(place_words(part[name]))) for name in PLACES if isinstance(part.get(name), str)]


def pci_devices(part: Part) -> set[str]:
    """Addresses on the bus, without the function, of a part and of its ports."""
    pieces = [part, *part.get("nic_ports", [])]
    return {" ".join(place_words(piece["bus_info"])).partition(".")[0] for piece in pieces if piece.get("bus_info")}


def same_place(mine: Part, theirs: Part) -> bool:
    """In the first field that both have of where they are, they agree; true when there is none."""
    ours, others = dict(_places(mine)), dict(_places(theirs))
    return next((ours[name] == others[name] for name in PLACES if name in ours and name in others), True)


# -- pairs -------------------------------------------------------------------------------------------------------------


class _Known:
    """A component with what it is known by."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.strong = _strong(part)
        self.places = _places(part)

    def denies(self, other: _Known, weaker_than: str = "") -> bool:
        """They can't be one part: an identity better than ``weaker_than`` that both have is another."""
        for kind in itertools.takewhile(lambda name: name != weaker_than, _STRONG):
            if kind in self.strong and kind in other.strong and not self.strong[kind] & other.strong[kind]:
                return True
        return False


def pair(left: Iterable[Part], right: Iterable[Part], kind: str = "", likely: bool = False) -> Pairs:
    """Pair the components of ``left`` with those of ``right``; each is in the answer once.

    :param kind: the list's name in the device document. :param likely: see the module.
    """
    ours, theirs = [_Known(part) for part in left], [_Known(part) for part in right]
    found: dict[int, tuple[_Known, _Known]] = {}
    for match in (*_SURE, *(_LIKELY if likely else ())):
        open_left = [item for item in ours if id(item) not in found]
        taken = {id(other) for _item, other in found.values()}
        open_right = [item for item in theirs if id(item) not in taken]
        if not open_left or not open_right:
            break
        for mine, other in match(open_left, open_right, kind):
            found[id(mine)] = (mine, other)
    taken = {id(other) for _item, other in found.values()}
    return Pairs(
        [(item.part, found[id(item)][1].part) for item in ours if id(item) in found],
        [item.part for item in ours if id(item) not in found],
        [item.part for item in theirs if id(item) not in taken],
    )


_Matches = Iterable[tuple[_Known, _Known]]
_Rule = Callable[[list[_Known], list[_Known], str], _Matches]


def _first_come(
    left: list[_Known],
    right: list[_Known],
    keys: Callable[[_Known], Iterable[Any]],
    fits: Callable[[_Known, _Known], bool],
) -> list[tuple[_Known, _Known]]:
    """Pairs that have a key in common and fit: for each on the left the first on the right that is still alone."""
    pairs = []
    gone: set[int] = set()
    waiting: dict[Any, list[_Known]] = {}
    for item in right:
        for key in keys(item):
            waiting.setdefault(key, []).append(item)
    for mine in left:
        for other in (item for key in keys(mine) for item in waiting.get(key, ())):
            if id(other) not in gone and fits(mine, other):
                pairs.append((mine, other))
                gone.add(id(other))
                break
    return pairs


def _identity(kind: str, placed: bool) -> _Rule:
    """By one kind of identity; ``placed``: only what is in one place, too."""
    return lambda left, right, _kind: _first_come(
        left,
        right,
        lambda item: sorted(item.strong.get(kind, ())),
        lambda mine, other: not mine.denies(other, kind) and (not placed or same_place(mine.part, other.part)),
    )


def _place(name: Optional[str]) -> _Rule:
    """By one field that says where it is; None: by all of them."""

    def keys(item: _Known) -> Iterable[Any]:
        whole = [tuple(item.places)] if item.places else []
        return whole if name is None else [place for place in item.places if place[0] == name]

    return lambda left, right, _kind: _first_come(
        left, right, keys, lambda mine, other: not mine.denies(other) and same_place(mine.part, other.part)
    )


def _being_equal(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    """Components that have nothing to know them by, if they are equal."""
    return _first_come(
        left,
        right,
        lambda item: [] if item.strong or item.places else [json.dumps(item.part, sort_keys=True, default=str)],
        lambda _mine, _other: True,
    )


_SURE = (
    # Of several with one identity those in one place come first.
    *(_identity(kind, placed) for kind in _STRONG for placed in (True, False)),
    *(_place(name) for name in (None, *PLACES)),
    _being_equal,
)


# -- two sources -------------------------------------------------------------------------------------------------------


def _only(read: Callable[[Part], Iterable[Any]]) -> _Rule:
    """Pairs of which ``read`` gives a value that no other component on either side has."""

    def match(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
        ours, theirs = _single(left, read), _single(right, read)
        gone: set[int] = set()
        for value, mine in ours.items():
            other = theirs.get(value)
            if other and not {id(mine), id(other)} & gone and _could_be(mine, other):
                gone |= {id(mine), id(other)}
                yield mine, other

    return match


def _single(items: list[_Known], read: Callable[[Part], Iterable[Any]]) -> dict[Any, _Known]:
    by_value: dict[Any, list[_Known]] = {}
    for item in items:
        for value in dict.fromkeys(read(item.part)):
            by_value.setdefault(value, []).append(item)
    return {value: found[0] for value, found in by_value.items() if len(found) == 1}


def could_be(mine: Part, theirs: Part) -> bool:
    """Nothing that both say of what they are is another."""
    return _could_be(_Known(mine), _Known(theirs))


def _could_be(mine: _Known, other: _Known, but: str = "") -> bool:
    """Nothing that both say of what they are is another; ``but``: identities from this one on don't count."""
    if not same_serial(mine.part.get("serial"), other.part.get("serial")) and mine.denies(other, but):
        return False
    for names in (("pci_vendor_id", "pci_product_id"), ("part_number",)):
        ours, theirs = [tuple(str(item.part.get(name) or "").lower() for name in names) for item in (mine, other)]
        if all(ours) and all(theirs) and ours != theirs:
            return False
    ours_said, theirs_said = mine.part.get("model"), other.part.get("model")
    return not (ours_said and theirs_said) or same_words(ours_said, theirs_said) or _part_number(mine, other)


def _part_number(mine: _Known, other: _Known) -> bool:
    """The model of one is the part number of the other."""
    numbers = [
        (squeezed(one.part.get("model") or ""), squeezed(two.part.get("part_number") or ""))
        for one, two in ((mine, other), (other, mine))
    ]
    return any(model and model == number for model, number in numbers)


def _same_bus(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    """One address on the bus is one part, whatever MAC address each says: a bond gives its members that of one."""
    return _first_come(
        left,
        right,
        lambda item: (
            sorted(pci_devices(item.part))
            if "nic_ports" in item.part
            else [place for place in item.places if place[0] == "bus_info"]
        ),
        lambda mine, other: not mine.denies(other, "mac") and _could_be(mine, other, "mac"),
    )


def _same_mac(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    """One MAC address is one card: some sources give a number of their own, or the address, as its serial number."""
    return _first_come(
        left,
        right,
        lambda item: sorted(item.strong.get("mac", ())),
        lambda mine, other: _could_be(mine, other, "serial"),
    )


def _cut_serials(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    return _mutual(left, right, lambda one, two: same_serial(one.get("serial"), two.get("serial")))


def _ends_of_places(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    """``A1`` is ``P1_DIMMA1``, if only one place ends so."""

    def ends(one: Part, two: Part) -> bool:
        for name in ("slot", "id"):
            ours, theirs = one.get(name) or one.get("id"), two.get(name) or two.get("id")
            if isinstance(ours, str) and isinstance(theirs, str):
                short, long = sorted((place_words(ours), place_words(theirs)), key=len)
                if long[-len(short) :] == short:
                    return True
        return False

    return ((mine, other) for mine, other in _mutual(left, right, ends) if _could_be(mine, other))


def _mutual(left: list[_Known], right: list[_Known], same: Callable[[Part, Part], bool]) -> _Matches:
    """Pairs that are the only ones for each other."""
    ours = {id(mine): [other for other in right if same(mine.part, other.part)] for mine in left}
    counts: dict[int, int] = {}
    for found in ours.values():
        for other in found:
            counts[id(other)] = counts.get(id(other), 0) + 1
    return [
        (mine, ours[id(mine)][0]) for mine in left if len(ours[id(mine)]) == 1 and counts[id(ours[id(mine)][0])] == 1
    ]


def _counted(left: list[_Known], right: list[_Known], kind: str) -> _Matches:
    if kind not in _COUNTED or len(left) != len(right):
        return []
    ours, theirs = [sorted(items, key=lambda item: _number(item.part)) for items in (left, right)]
    pairs = list(zip(ours, theirs))
    return pairs if all(_could_be(mine, other) for mine, other in pairs) else []


def _number(part: Part) -> tuple[Any, ...]:
    """Sorts by the numbers of the place."""
    for name in PLACES:
        if isinstance(part.get(name), str):
            return tuple((word.isdigit(), len(word) if word.isdigit() else 0, word) for word in place_words(part[name]))
    return ((False, 0, json.dumps(part, sort_keys=True, default=str)),)


def _the_only_ones(left: list[_Known], right: list[_Known], _kind: str) -> _Matches:
    return [(left[0], right[0])] if len(left) == len(right) == 1 and _could_be(left[0], right[0]) else []


def _pci_numbers(part: Part) -> Iterable[Any]:
    found = tuple(str(part.get(name) or "").lower() for name in ("pci_vendor_id", "pci_product_id"))
    return [found] if all(found) else []


def _models(part: Part) -> Iterable[Any]:
    return [
        squeezed(part[name]) for name in ("model", "product_name", "part_number") if isinstance(part.get(name), str)
    ]


_LIKELY = (
    _same_mac,
    _same_bus,
    _cut_serials,
    _ends_of_places,
    _only(_pci_numbers),
    _only(_models),
    _counted,
    _the_only_ones,
)
