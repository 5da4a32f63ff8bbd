# SPDX-License-Identifier: BSD-2-Clause

"""Attribute values for a BIOS, in the words of that BIOS, checked against its attribute registry. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Optional

from ..document.bios import KEYS, find, index, reduced
from ..errors import InvalidInput
from ..redfish.quirks import BIOS_HINTS
from ..redfish.redact import is_secret
from ..redfish.values import items, text

Registry = Mapping[str, Mapping[str, Any]]
"""The entries of an attribute registry (DSP0268, AttributeRegistry) by attribute; empty when the service has none."""

# What a normalised value may be called, in lower case. A BIOS has one of these words in its list of allowed values.
_VALUES: dict[str, tuple[str, ...]] = {
    "enabled": ("enabled", "enable", "on", "yes", "true", "enabledall", "available", "visible", "auto"),
    "disabled": ("disabled", "disable", "off", "no", "false", "unavailable", "hidden"),
    "uefi": ("uefi", "uefimode", "uefi only", "native"),
    "legacy": ("legacy", "bios", "legacybios", "legacymode", "legacy only"),
}
_SAME = {"on": "enabled", "off": "disabled", "true": "enabled", "false": "disabled", "bios": "legacy"}


def wanted(
    current: Mapping[str, Any],
    registry: Registry,
    attributes: Mapping[str, Any],
    settings: Mapping[str, Any],
    host: str = "the BMC",
) -> dict[str, Any]:
    """Raw attribute values from raw names and from normalised names, each of the type that the BIOS has for it.

    :raises InvalidInput: ``details["problems"]`` says for each name what is wrong with it.
    """
    problems: dict[str, str] = {}
    want: dict[str, Any] = {}
    for name, value in attributes.items():
        if name not in current:
            near = difflib.get_close_matches(str(name), [str(item) for item in current], 3, 0.5)
            problems[name] = "there is no such attribute" + (f"; did you mean {', '.join(near)}?" if near else "")
            continue
        _check(want, problems, name, name, value, current, registry)
    for key, value in settings.items():
        found = _raw_name(key, current, registry)
        if key not in KEYS:
            problems[key] = f"not one of {', '.join(sorted(KEYS))}"
        elif found is None:
            near = _hinted(key, current, registry)
            problems[key] = "this BIOS has no attribute known for it: give the attribute itself in `attributes`" + (
                f", perhaps one of {', '.join(near)}" if near else ""
            )
        else:
            raw = _raw_value(str(value), current[found], registry.get(found))
            _check(want, problems, key, found, raw, current, registry)
    if problems:
        words = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise InvalidInput(f"{host}: nothing was changed: {words}", problems=problems)
    return want


def _check(
    want: dict[str, Any],
    problems: dict[str, str],
    given: str,
    name: str,
    value: Any,
    current: Mapping[str, Any],
    registry: Registry,
) -> None:
    if isinstance(value, bool) and not isinstance(current[name], bool):  # YAML reads On and Yes as booleans
        value = _raw_value("enabled" if value else "disabled", current[name], registry.get(name))
    try:
        clean = clean_value(value, current[name], registry.get(name))
    except InvalidInput as error:
        problems[given] = error.message
        return
    if name in want and want[name] != clean:
        problems[given] = f"{name} is asked for twice, with different values"
    want[name] = clean


def clean_value(value: Any, current: Any, entry: Optional[Mapping[str, Any]]) -> Any:
    """A value in the type of the attribute.

    :param entry: the attribute's entry in the registry (DSP0268, AttributeRegistry).
    :raises InvalidInput: it can't have this value.
    """
    kind = str((entry or {}).get("Type") or "")
    if entry is not None and (entry.get("ReadOnly") is True or entry.get("Immutable") is True):
        raise InvalidInput("it is read only")
    if kind == "Password" or value is None:
        raise InvalidInput("passwords and null can't be set by this module")
    if kind == "Boolean" or (not kind and isinstance(current, bool)):
        words = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
        found = words.get(str(value).lower())
        if found is None:
            raise InvalidInput(f"{value!r} is not true or false")
        return found
    if kind == "Integer" or (not kind and isinstance(current, int)):
        return _integer(value, entry or {})
    if isinstance(value, (Mapping, list)):
        raise InvalidInput("the value is not a text, number or boolean")
    allowed = [text(item.get("ValueName")) for item in items((entry or {}).get("Value"))]
    if kind == "Enumeration" and allowed:
        exact = next((item for item in allowed if item is not None and item == str(value)), None)
        if exact is None:
            raise InvalidInput(f"{str(value)!r} is not one of {', '.join(str(item) for item in allowed)}")
        return exact
    return _string(str(value), entry or {})


def _integer(value: Any, entry: Mapping[str, Any]) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise InvalidInput(f"{value!r} is not a whole number") from None
    low, high, step = (entry.get(name) for name in ("LowerBound", "UpperBound", "ScalarIncrement"))
    if isinstance(low, int) and number < low:
        raise InvalidInput(f"{number} is less than {low}{_range(low, high, step)}")
    if isinstance(high, int) and number > high:
        raise InvalidInput(f"{number} is more than {high}{_range(low, high, step)}")
    if isinstance(step, int) and step > 1 and (number - (low if isinstance(low, int) else 0)) % step:
        raise InvalidInput(f"{number} is not a step of {step}{_range(low, high, step)}")
    return number


def _range(low: Any, high: Any, step: Any) -> str:
    """What is allowed, for a message; empty when the registry does not say."""
    if not isinstance(low, int) or not isinstance(high, int):
        return ""
    return f" (allowed: {low} to {high}" + (f" in steps of {step})" if isinstance(step, int) and step > 1 else ")")


def _string(value: str, entry: Mapping[str, Any]) -> str:
    low, high = entry.get("MinLength"), entry.get("MaxLength")
    if isinstance(low, int) and len(value) < low:
        raise InvalidInput(f"it has less than {low} characters")
    if isinstance(high, int) and len(value) > high:
        raise InvalidInput(f"it has more than {high} characters")
    return value


def _raw_name(key: str, current: Mapping[str, Any], registry: Registry) -> Optional[str]:
    """The attribute of a normalised name.

    It is known by its name, by its name without a group in front (``Processors_SMTMode``), or, where attributes only
    have numbers, by the name that the registry shows to people, if that is of one attribute only.
    """
    shown: dict[str, list[str]] = {}
    for name in current:
        shown.setdefault(reduced(str((registry.get(name) or {}).get("DisplayName") or "")), []).append(str(name))
    only = {words: names[0] for words, names in shown.items() if len(names) == 1}
    return find(key, (*index(map(str, current)), only))


def _hinted(key: str, current: Mapping[str, Any], registry: Registry) -> list[str]:
    """Attributes that may be meant, at most five."""
    found = (
        str(name)
        for name in current
        for words in (reduced(str(name)) + " " + reduced(str((registry.get(name) or {}).get("DisplayName") or "")),)
        if any(hint in words for hint in BIOS_HINTS.get(key, ()))
    )
    return sorted(found)[:5]


def _raw_value(value: str, current: Any, entry: Optional[Mapping[str, Any]]) -> Any:
    """``enabled``, ``disabled``, ``uefi``, ``legacy`` in the words of this BIOS; another value as it is.

    Its words are those of the registry, else those that go with the present value ("Off" -> "On").
    """
    plain = _SAME.get(value.lower(), value.lower())
    synonyms = _VALUES.get(plain, ())
    if isinstance(current, bool):
        return {"enabled": True, "disabled": False}.get(plain, value)
    allowed = [text(item.get("ValueName")) or "" for item in items((entry or {}).get("Value"))]
    for word in synonyms:
        for item in allowed:
            if item.lower() == word:
                return item
    if allowed or not synonyms:
        return value
    return _same_style(plain, str(current)) or value


_PAIRS = (
    ("Enabled", "Disabled"),
    ("Enable", "Disable"),
    ("On", "Off"),
    ("Yes", "No"),
    ("Uefi", "Bios"),
    ("UEFI", "Legacy"),
)


def _same_style(plain: str, current: str) -> Optional[str]:
    for yes, no in _PAIRS:
        if current in (yes, no):
            return yes if plain in ("enabled", "uefi") else no
    return None


def default_values(current: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """The registry's defaults of the attributes that can be written and are no secrets: what a reset brings."""
    return {
        name: entry["DefaultValue"]
        for name, entry in registry.items()
        if name in current
        and entry.get("DefaultValue") is not None
        and entry.get("ReadOnly") is not True
        and not is_secret(name)
    }
