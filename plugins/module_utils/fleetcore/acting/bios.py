# SPDX-License-Identifier: BSD-2-Clause

"""BIOS settings: staged, applied by a reboot, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Unsupported
from ..option import Options, option
from ..ports import Plan
from ..redfish.actions import action_of, action_target
from ..redfish.redact import is_secret
from ..redfish.service import Service
from ..redfish.settings import Settings
from ..redfish.tasks import task_words
from ..redfish.values import at, items, last_part, link, text
from . import reboot
from .base import Change, reach
from .bios_values import Registry, default_values, wanted

_RESET = "Bios.ResetBios"
Values = Mapping[str, Any]
"""Attributes by name."""


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for the attributes that have to be staged, and, on request, for the reboot that applies them.

    :raises InvalidInput: an attribute that is not there, is read only, or can't have this value; all are named at once.
    :raises Unsupported: the BMC does not show attributes, or can't reset them to defaults.
    """
    bios = _Bios(service, params)
    return bios.plan_defaults() if params.get("defaults") else bios.plan_attributes()


class _Bios:
    def __init__(self, service: Service, params: Mapping[str, Any]) -> None:
        self.service = service
        self.params = params
        path, system = service.system()
        self.path = link(system.get("Bios"), path) or ""
        self.body = service.find(self.path) or {}
        if not isinstance(self.body.get("Attributes"), Mapping):
            raise Unsupported(f"{service.host}: the BMC does not show BIOS attributes")
        self.current: Values = self.body["Attributes"]
        self.registry = _read_registry(service, self.body)
        self.settings = Settings(service, self.path, self.body, "Attributes")
        self.staged = self.settings.staged()

    # -- attributes ---------------------------------------------------------------------------------------------------

    def plan_attributes(self) -> Plan:
        """Plan to stage attributes, in the options by their names or by normalised names."""
        attributes, settings = self.params.get("attributes") or {}, self.params.get("settings") or {}
        want = wanted(self.current, self.registry, attributes, settings, self.service.host)
        # As staged, not as running, so that a second run before the reboot changes nothing.
        before = {name: self.staged.get(name, self.current.get(name)) for name in want}
        to_stage = {name: value for name, value in want.items() if before[name] != value}
        waiting = {name: value for name, value in want.items() if self.current.get(name) != value}
        rebooting = bool(self.params["reboot"] and waiting)

        def apply() -> Mapping[str, Any]:
            if to_stage:
                self._stage(to_stage)
            return self._reboot(want, waiting) if rebooting else self._facts(want, self.current, waiting)

        facts = self._facts(want, self.current, waiting)
        return _plan(before, want, facts, apply, rebooting, always=bool(to_stage) or rebooting)

    def _stage(self, values: Values) -> None:
        reach(
            self.service.clock,
            self.params,
            lambda: self.service.patch(self.settings.path, {"Attributes": values, **self.settings.apply_time}),
            lambda: self._read_staged(values),
            lambda found: found == values,
            "the staged BIOS configuration",
            why=lambda answer: task_words(self.service, answer),
        )

    # -- defaults -----------------------------------------------------------------------------------------------------

    def plan_defaults(self) -> Plan:
        """Plan for Bios.ResetBios. The registry tells the defaults; without one it is done each time."""
        if action_target(self.body, _RESET) is None:
            raise Unsupported(f"{self.service.host}: the BMC does not reset the BIOS to its defaults")
        defaults = default_values(self.current, self.registry)
        # What runs otherwise, and what was staged otherwise: the next boot would bring it.
        want = {
            name: value
            for name, value in defaults.items()
            if self.current[name] != value or self.staged.get(name, value) != value
        }
        done = bool(defaults) and not want
        pending = not done and self._defaults_pending(want)
        rebooting = bool(self.params["reboot"]) and not done

        def apply() -> Mapping[str, Any]:
            if not pending:
                self.service.act(self.body, _RESET, _reset_parameters(self.service, self.body))
            if rebooting:
                return self._reboot(want, want)
            unseen = (
                "the BMC accepted the reset to defaults and does not show that it is pending; only the next boot tells"
            )
            return {**facts, "warnings": () if self._defaults_pending(want) else (unseen,)}

        facts = self._facts(want, self.current, want)
        before = want if pending else {name: self.staged.get(name, self.current[name]) for name in want}
        return _plan(
            {**before, "defaults": done or pending}, {**want, "defaults": True}, facts, apply, rebooting, always=False
        )

    def _defaults_pending(self, want: Values) -> bool:
        if self.service.get(self.path).get("ResetBiosToDefaultsPending") is True:
            return True
        return bool(want) and self._read_staged(want) == want

    # -- both ---------------------------------------------------------------------------------------------------------

    def _read(self, names: Values) -> dict[str, Any]:
        """Read the attributes of these names as they run."""
        found = self.service.get(self.path).get("Attributes") or {}
        return {name: found.get(name) for name in names}

    def _read_staged(self, names: Values) -> dict[str, Any]:
        """Read the attributes of these names as the next boot brings them."""
        return {**self._read(names), **{name: value for name, value in self.settings.staged().items() if name in names}}

    def _reboot(self, want: Values, waiting: Values) -> Mapping[str, Any]:
        power, now = reboot.reboot_until(
            self.params,
            self.service.clock,
            lambda: self._read(want),
            lambda found: found == want,
            "the BIOS configuration",
            staged=sorted(waiting),
        )
        return self._facts(want, now, {}, rebooted=True, power=power)

    def _facts(self, names: Values, now: Values, pending: Values, **more: Any) -> dict[str, Any]:
        shown = {name: now.get(name) for name in names}
        return {"bios": {"attributes": _public(shown), "pending": _public(pending), "rebooted": False, **more}}


def _plan(before: Values, after: Values, facts: Mapping[str, Any], apply: Any, rebooting: bool, always: bool) -> Plan:
    """The plan, in which the reboot is part of the difference, and secrets are not."""
    before, after = _public(before), _public(after)
    if rebooting:
        before, after = {**before, "reboot": False}, {**after, "reboot": True}
    return Plan(before, after, lambda: facts, apply, always)


def _public(attributes: Values) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not is_secret(name)}


def _read_registry(service: Service, bios: Mapping[str, Any]) -> Registry:
    """Read the attribute registry of a Bios; empty when the service has none."""
    name = text(bios.get("AttributeRegistry"))
    if name is None:
        return {}
    for path, body in service.members(link(service.root.get("Registries")) or "/redfish/v1/Registries"):
        if name not in (text(body.get("Registry")), text(body.get("Id")), last_part(path)):
            continue
        locations = items(body.get("Location"))
        english = [item for item in locations if str(item.get("Language", "")).startswith("en")]
        for location in english + locations:
            found = service.find(link(location.get("Uri"), path))
            entries = items(at(found, "RegistryEntries.Attributes"))
            if entries:
                return {str(entry.get("AttributeName")): entry for entry in entries}
    return {}


def _reset_parameters(service: Service, bios: Mapping[str, Any]) -> dict[str, Any]:
    """Some want a ResetType, which the standard does not have; what may be in it is in their ActionInfo."""
    info = service.find(link(action_of(bios, _RESET).get("@Redfish.ActionInfo")))
    found: dict[str, Any] = {}
    for parameter in items((info or {}).get("Parameters")):
        values = parameter.get("AllowableValues")
        if parameter.get("Required") is True and isinstance(values, list) and values:
            found[str(parameter.get("Name"))] = values[0]
    return found


OPTIONS: Options = {
    "attributes": option("dict", "Attributes by the names that this BIOS has for them, with their values."),
    "settings": option(
        "dict",
        """
            Settings by names that are the same for all vendors. They are V(amd_sev), V(boot_mode), V(intel_sgx),
            V(intel_txt), V(secure_boot), V(smt), V(sr_iov) and V(tpm).

            The values V(enabled) and V(disabled), and for C(boot_mode) V(uefi) and V(legacy), are written in this
            BIOS's own words. Another value is written as it is.
        """,
    ),
    "defaults": option(
        "bool",
        """
            Resets the whole BIOS configuration to its defaults, at the next boot. Passwords are left as the BIOS leaves
            them.

            What the defaults are, and whether they are in effect already, is known where the BMC has an attribute
            registry. Elsewhere it is done each time.
        """,
    ),
    **reboot.OPTIONS,
}

CHANGE = Change("BIOS settings", OPTIONS, plan_redfish)
