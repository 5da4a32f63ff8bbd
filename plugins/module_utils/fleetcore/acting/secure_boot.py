# SPDX-License-Identifier: BSD-2-Clause

"""UEFI Secure Boot: on or off from the next boot, and its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..errors import InvalidInput, NotVerified, Unsupported
from ..option import Options, option
from ..ports import Plan
from ..power.options import seconds
from ..redfish.actions import action_target
from ..redfish.service import Service
from ..redfish.values import link, text
from . import reboot
from .base import Change, reach, read_back

KEYS = {"default": "ResetAllKeysToDefault", "deleted": "DeleteAllKeys"}
_RESET = "SecureBoot.ResetKeys"
_MODES = {"default": ("UserMode", "DeployedMode"), "deleted": ("SetupMode",)}


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for the ComputerSystem's SecureBoot (DSP0268), and, on request, for the reboot that applies it.

    :raises InvalidInput: Secure Boot is to be on without keys.
    """
    system_path, system = service.system()
    path = link(system.get("SecureBoot"), system_path)
    body = service.find(path)
    if path is None or body is None or not isinstance(body.get("SecureBootEnable"), bool):
        raise Unsupported(f"{service.host}: the BMC does not show Secure Boot")
    return _SecureBoot(service, params, path, body).plan()


class _SecureBoot:
    def __init__(self, service: Service, params: Mapping[str, Any], path: str, body: Mapping[str, Any]) -> None:
        self.service = service
        self.params = params
        self.path = path
        self.body = body
        self.have = shown(body)
        self.enabled: Optional[bool] = params.get("enabled")
        self.keys: Optional[str] = params.get("keys")
        self.modes = _MODES[self.keys] if self.keys is not None else ()
        self.current = "Enabled" if self.enabled else "Disabled"
        self.want_keys = self.keys is not None and self.have["mode"] not in self.modes
        self.want_enabled = self.enabled is not None and self.have["enabled"] != self.enabled
        self.boots_otherwise = self.enabled is not None and self.have["current_boot"] not in (None, self.current)
        self.rebooting = bool(params["reboot"] and (self.boots_otherwise or self.want_keys))

    def read(self) -> dict[str, Any]:
        return shown(self.service.get(self.path))

    def plan(self) -> Plan:
        if self.keys is not None and self.want_keys:
            _can_reset(self.service, self.body, KEYS[self.keys])
        if self.enabled and (self.keys == "deleted" or (self.have["mode"] == "SetupMode" and self.keys is None)):
            raise InvalidInput(
                f"{self.service.host}: Secure Boot can't be on without keys; use keys: default to enrol the maker's",
                field="keys",
            )
        after = {
            "enabled": self.enabled if self.want_enabled else self.have["enabled"],
            "mode": self.modes[0] if self.want_keys else self.have["mode"],
            "current_boot": self.current if self.rebooting and self.boots_otherwise else self.have["current_boot"],
        }
        before = dict(self.have)
        if self.rebooting:
            before["reboot"] = False
        facts = self._facts(after)
        return Plan(before, {**after, "reboot": True} if self.rebooting else after, lambda: facts, self._apply)

    def _apply(self) -> Mapping[str, Any]:
        if self.keys is not None and self.want_keys:
            self.service.act(self.body, _RESET, {"ResetKeysType": KEYS[self.keys]})
        if self.want_enabled:
            reach(
                self.service.clock,
                self.params,
                lambda: self.service.patch(self.path, {"SecureBootEnable": self.enabled}),
                self.read,
                lambda found: bool(found["enabled"] == self.enabled),
                "Secure Boot",
            )
        if self.rebooting:
            reboot.reboot_until(
                self.params,
                self.service.clock,
                self.read,
                lambda found: not self.boots_otherwise or bool(found["current_boot"] == self.current),
                "Secure Boot",
                staged=self.want_enabled,
            )
        unseen = self.want_keys and not self._keys_show()
        warnings = ("the BMC accepted the change of the keys and does not show it; only the next boot tells",)
        return {**self._facts(self.read(), unseen, self.rebooting), "warnings": warnings if unseen else ()}

    def _keys_show(self) -> bool:
        """Tell whether the keys are seen to be changed.

        Many change them at the next boot only, and show nothing until then.

        :raises NotVerified: that boot was.
        """
        timeout = seconds(self.params, "apply_timeout" if self.rebooting else "verify_timeout")
        try:
            read_back(
                self.service.clock, self.read, lambda found: found["mode"] in self.modes, "Secure Boot", timeout=timeout
            )
        except NotVerified:
            if self.rebooting:
                raise
            return False
        return True

    def _facts(self, state: Mapping[str, Any], unseen: bool = False, rebooted: bool = False) -> dict[str, Any]:
        boots_otherwise = self.enabled is not None and state["current_boot"] not in (None, self.current)
        return {"secure_boot": {**state, "pending": unseen or boots_otherwise, "rebooted": rebooted}}


def shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """``{enabled, mode, current_boot}`` of a SecureBoot."""
    return {
        "enabled": body.get("SecureBootEnable"),
        "mode": text(body.get("SecureBootMode")),
        "current_boot": text(body.get("SecureBootCurrentBoot")),
    }


def _can_reset(service: Service, body: Mapping[str, Any], kind: str) -> None:
    values = service.action_values(body, _RESET, "ResetKeysType")
    if action_target(body, _RESET) is None or (values and kind not in values):
        raise Unsupported(f"{service.host}: the BMC can't do {kind} with the keys", allowed=values)


OPTIONS: Options = {
    "enabled": option("bool", "Whether the firmware starts signed software only. Without it that stays as it is."),
    "keys": option(
        "str",
        """
            V(default) enrols the keys that the maker delivers, V(deleted) deletes all. Without it the keys stay as they
            are.

            Secure Boot without keys can't be enabled. That is refused before anything is written.

            Many machines change their keys at the next boot only. Without O(reboot=true) that is C(pending), with a
            warning, and asked for again by the next run.
        """,
        choices=list(KEYS),
        no_log=False,
    ),
    **reboot.OPTIONS,
}

CHANGE = Change("Secure Boot", OPTIONS, plan_redfish)
