# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""BIOS settings: checked against the attribute registry, staged, applied by a reboot, read back."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Optional

from ..document.bios import KEYS, find, index, reduced
from ..errors import FleetError, InvalidInput, Unsupported
from ..redfish.actions import action_of, action_target
from ..redfish.quirks import BIOS_HINTS
from ..redfish.redact import is_secret
from ..redfish.service import Service
from ..redfish.values import at, items, link, text
from .base import Change, carry_out, read_back, seconds
from .reboot import reboot

# What a normalised value may be called, in lower case. A BIOS has one of these words in its list of allowed values.
_VALUES: dict[str, tuple[str, ...]] = {
    "enabled": ("enabled", "enable", "on", "yes", "true", "enabledall", "available", "visible", "auto"),
    "disabled": ("disabled", "disable", "off", "no", "false", "unavailable", "hidden"),
    "uefi": ("uefi", "uefimode", "uefi only", "native"),
    "legacy": ("legacy", "bios", "legacybios", "legacymode", "legacy only"),
}
_SAME = {"on": "enabled", "off": "disabled", "true": "enabled", "false": "disabled", "bios": "legacy"}


_RESET = "Bios.ResetBios"


def prepare_bios(service: Service, params: Mapping[str, Any]) -> Change:
    """The attributes that have to be staged, and, on request, the reboot that applies them.

    :raises InvalidInput: an attribute that is not there, is read only, or can't have this value; all of them are named at once.
    """
    path, system = service.system()
    bios_path = link(system.get("Bios"), path)
    bios = service.find(bios_path)
    if bios_path is None or bios is None or not isinstance(bios.get("Attributes"), Mapping):
        raise Unsupported(f"{service.host}: the BMC does not show BIOS attributes")
    current: Mapping[str, Any] = bios["Attributes"]
    registry = read_registry(service, bios)
    if params.get("defaults"):
        return _prepare_defaults(service, params, bios_path, bios, registry)
    want = wanted(current, registry, params.get("attributes") or {}, params.get("settings") or {}, service.host)
    settings_path = link(at(bios, "@Redfish.Settings.SettingsObject"), bios_path) or bios_path
    staged = _pending(service, settings_path, bios_path)
    to_stage = {name: value for name, value in want.items() if staged.get(name, current.get(name)) != value}
    waiting = {name: value for name, value in want.items() if current.get(name) != value}
    rebooting = bool(params["reboot"] and waiting)
    timeout = seconds(params, "apply_timeout")

    def facts(now: Mapping[str, Any], pending: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        shown = {name: now.get(name) for name in want}
        return {"bios": {"attributes": _public(shown), "pending": _public(pending), "rebooted": False, **more}}

    def apply() -> Mapping[str, Any]:
        if to_stage:
            carry_out(
                lambda: service.patch(settings_path, {"Attributes": to_stage, **_apply_time(bios)}),
                lambda: _verify_staged(service, params, settings_path, bios_path, to_stage),
                service.task_words,
            )
        if not rebooting:
            return facts(current, waiting)
        try:
            power = reboot(params, service.clock)
            now = read_back(
                service.clock,
                lambda: _attributes(service, bios_path, want),
                lambda found: found == want,
                "the BIOS configuration",
                timeout=timeout,
            )
        except FleetError as error:
            error.details.setdefault("staged", sorted(waiting))
            raise
        return facts(now, {}, rebooted=True, power=power)

    # Before: as staged, not as running, so that a second run before the reboot changes nothing.
    before = {name: staged.get(name, current.get(name)) for name in want}
    after = dict(want)
    if rebooting:
        before["reboot"], after["reboot"] = False, True
    return Change(_public(before), _public(after), apply, facts(current, waiting), always=bool(to_stage) or rebooting)


def _prepare_defaults(
    service: Service,
    params: Mapping[str, Any],
    bios_path: str,
    bios: Mapping[str, Any],
    registry: Mapping[str, Mapping[str, Any]],
) -> Change:
    """Bios.ResetBios. What the defaults are is known from the registry only; without one it is done each time.

    :raises Unsupported: the BMC can't.
    """
    if action_target(bios, _RESET) is None:
        raise Unsupported(f"{service.host}: the BMC does not reset the BIOS to its defaults")
    current: Mapping[str, Any] = bios["Attributes"]
    defaults = default_values(current, registry)
    settings_path = link(at(bios, "@Redfish.Settings.SettingsObject"), bios_path) or bios_path
    waits = _pending(service, settings_path, bios_path)
    # What runs, and what was staged otherwise: the next boot would bring it.
    differing = {
        name: value for name, value in defaults.items() if current[name] != value or waits.get(name, value) != value
    }
    done = bool(defaults) and not differing

    def is_pending() -> bool:
        if service.get(bios_path).get("ResetBiosToDefaultsPending") is True:
            return True
        staged = _pending(service, settings_path, bios_path)
        return bool(differing) and all(staged.get(name, current[name]) == value for name, value in differing.items())

    pending = not done and is_pending()
    rebooting = bool(params["reboot"]) and not done

    def facts(now: Mapping[str, Any], waiting: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        shown = {name: now.get(name) for name in differing}
        return {"bios": {"attributes": _public(shown), "pending": _public(waiting), "rebooted": False, **more}}

    def apply() -> Mapping[str, Any]:
        if not pending:
            service.act(bios, _RESET, _reset_parameters(service, bios))
        if not rebooting:
            unseen = (
                "the BMC accepted the reset to defaults and does not show that it is pending; only the next boot tells"
            )
            return {**facts(current, differing), "warnings": () if is_pending() else (unseen,)}
        power = reboot(params, service.clock)
        now = read_back(
            service.clock,
            lambda: _attributes(service, bios_path, differing),
            lambda found: found == differing,
            "the BIOS configuration",
            timeout=seconds(params, "apply_timeout"),
        )
        return facts(now, {}, rebooted=True, power=power)

    have = {name: waits.get(name, current[name]) for name in differing}
    before: dict[str, Any] = {**_public(differing if pending else have), "defaults": done or pending}
    after: dict[str, Any] = {**_public(differing), "defaults": True}
    if rebooting:
        before["reboot"], after["reboot"] = False, True
    return Change(before, after, apply, facts(current, differing))


def default_values(current: Mapping[str, Any], registry: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a reset to defaults brings: the registry's values of the attributes that can be written and are no secrets."""
    return {
        name: entry["DefaultValue"]
        for name, entry in registry.items()
        if name in current
        and entry.get("DefaultValue") is not None
        and entry.get("ReadOnly") is not True
        and not is_secret(name)
    }


def _reset_parameters(service: Service, bios: Mapping[str, Any]) -> dict[str, Any]:
    """Some want a ResetType, which the standard does not have; what may be in it is in their ActionInfo."""
    info = service.find(link(action_of(bios, _RESET).get("@Redfish.ActionInfo")))
    found: dict[str, Any] = {}
    for parameter in items((info or {}).get("Parameters")):
        values = parameter.get("AllowableValues")
        if parameter.get("Required") is True and isinstance(values, list) and values:
            found[str(parameter.get("Name"))] = values[0]
    return found


def _public(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not is_secret(name)}


def _attributes(service: Service, path: str, names: Mapping[str, Any]) -> dict[str, Any]:
    found = service.get(path).get("Attributes")
    return {name: (found or {}).get(name) for name in names}


def _pending(service: Service, settings_path: str, bios_path: str) -> Mapping[str, Any]:
    """What is staged; some services show every attribute there, some only those that differ."""
    if settings_path == bios_path:
        return {}
    found = (service.find(settings_path) or {}).get("Attributes")
    return found if isinstance(found, Mapping) else {}


def _apply_time(bios: Mapping[str, Any]) -> dict[str, Any]:
    times = at(bios, "@Redfish.Settings.SupportedApplyTimes")
    if not isinstance(times, list) or "OnReset" not in times:
        return {}
    kind = "#Settings.v1_3_5.PreferredApplyTime"
    return {"@Redfish.SettingsApplyTime": {"@odata.type": kind, "ApplyTime": "OnReset"}}


def _verify_staged(
    service: Service, params: Mapping[str, Any], settings_path: str, bios_path: str, want: Mapping[str, Any]
) -> None:
    def read() -> dict[str, Any]:
        current = service.get(bios_path).get("Attributes") or {}
        return {name: _pending(service, settings_path, bios_path).get(name, current.get(name)) for name in want}

    read_back(
        service.clock,
        read,
        lambda found: found == dict(want),
        "the staged BIOS configuration",
        timeout=seconds(params, "verify_timeout"),
    )


# -- what is wanted ---------------------------------------------------------------------------------------------------------


def read_registry(service: Service, bios: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The attributes of the BIOS's attribute registry by name; empty when the service has none."""
    name = text(bios.get("AttributeRegistry"))
    if name is None:
        return {}
    for path, body in service.members(link(service.root.get("Registries")) or "/redfish/v1/Registries"):
        if name not in (text(body.get("Registry")), text(body.get("Id")), path.rsplit("/", 1)[-1]):
            continue
        locations = items(body.get("Location"))
        english = [item for item in locations if str(item.get("Language", "")).startswith("en")]
        for location in english + locations:
            found = service.find(link(location.get("Uri"), path))
            entries = items(at(found, "RegistryEntries.Attributes"))
            if entries:
                return {str(entry.get("AttributeName")): entry for entry in entries}
    return {}


def wanted(
    current: Mapping[str, Any],
    registry: Mapping[str, Mapping[str, Any]],
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
    registry: Mapping[str, Mapping[str, Any]],
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


def _raw_name(key: str, current: Mapping[str, Any], registry: Mapping[str, Mapping[str, Any]]) -> Optional[str]:
    """The attribute of a normalised name: by its name, by its name without a group in front (``Processors_SMTMode``), or, where
    attributes only have numbers, by the name that the registry shows to people, if that is of one attribute only."""
    shown: dict[str, list[str]] = {}
    for name in current:
        shown.setdefault(reduced(str((registry.get(name) or {}).get("DisplayName") or "")), []).append(str(name))
    only = {words: names[0] for words, names in shown.items() if len(names) == 1}
    return find(key, (*index(map(str, current)), only))


def _hinted(key: str, current: Mapping[str, Any], registry: Mapping[str, Mapping[str, Any]]) -> list[str]:
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
