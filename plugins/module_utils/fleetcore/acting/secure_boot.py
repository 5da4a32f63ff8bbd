# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""UEFI Secure Boot: on or off from the next boot, and its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import FleetError, InvalidInput, Unsupported
from ..redfish.service import Service, allowable
from ..redfish.values import at, link, text
from .base import Change, read_back, seconds
from .reboot import reboot

KEYS = {"default": "ResetAllKeysToDefault", "deleted": "DeleteAllKeys"}
_MODES = {"default": ("UserMode", "DeployedMode"), "deleted": ("SetupMode",)}


def prepare_secure_boot(service: Service, params: Mapping[str, Any]) -> Change:
    """The change of SecureBoot (DSP0268), and, on request, the reboot that applies it.

    :raises InvalidInput: Secure Boot is to be on without keys.
    """
    system_path, system = service.system()
    path = link(system.get("SecureBoot"), system_path)
    body = service.find(path)
    if path is None or body is None or not isinstance(body.get("SecureBootEnable"), bool):
        raise Unsupported(f"{service.host}: the BMC does not show Secure Boot")
    have = shown(body)
    enabled, keys = params.get("enabled"), params.get("keys")
    want_keys = keys is not None and have["mode"] not in _MODES[keys]
    if keys is not None and want_keys:
        _can_reset(service.host, body, KEYS[keys])
    if enabled and (keys == "deleted" or (have["mode"] == "SetupMode" and keys is None)):
        raise InvalidInput(
            f"{service.host}: Secure Boot can't be on without keys; use keys: default to enrol the maker's",
            field="keys",
        )
    want_enabled = enabled is not None and have["enabled"] != enabled
    current = "Enabled" if enabled else "Disabled"
    rebooting = bool(
        params["reboot"]
        and enabled is not None
        and have["current_boot"] is not None
        and have["current_boot"] != current
    )
    after = {
        "enabled": enabled if want_enabled else have["enabled"],
        "mode": _MODES[keys][0] if keys is not None and want_keys else have["mode"],
        "current_boot": current if rebooting else have["current_boot"],
    }

    def apply() -> Mapping[str, Any]:
        timeout = seconds(params, "verify_timeout")
        if keys is not None and want_keys:
            service.act(body, "SecureBoot.ResetKeys", {"ResetKeysType": KEYS[keys]})
        if want_enabled:
            service.patch(path, {"SecureBootEnable": enabled})
            _until(service, path, lambda found: bool(found["enabled"] == enabled), timeout)
        power = None
        if rebooting:
            try:
                power = reboot(params, service.clock)
                limit = seconds(params, "apply_timeout")
                _until(service, path, lambda found: bool(found["current_boot"] == current), limit)
            except FleetError as error:
                error.details.setdefault("staged", want_enabled)
                raise
        if keys is not None and want_keys:
            _until(service, path, lambda found: found["mode"] in _MODES[keys], timeout)
        return facts(shown(service.get(path)), power)

    def facts(state: Mapping[str, Any], power: Any = None) -> dict[str, Any]:
        pending = enabled is not None and state["current_boot"] not in (None, current)
        return {"secure_boot": {**state, "pending": pending, "rebooted": power is not None}}

    return Change(have, after, apply, facts(after))


def _until(service: Service, path: str, good: Any, timeout: float) -> None:
    read_back(service.clock, lambda: shown(service.get(path)), good, "Secure Boot", timeout=timeout)


def shown(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "enabled": body.get("SecureBootEnable"),
        "mode": text(body.get("SecureBootMode")),
        "current_boot": text(body.get("SecureBootCurrentBoot")),
    }


def _can_reset(host: str, body: Mapping[str, Any], kind: str) -> None:
    action = (at(body, "Actions") or {}).get("#SecureBoot.ResetKeys")
    values = allowable(action, "ResetKeysType") if isinstance(action, Mapping) else []
    if not isinstance(action, Mapping) or (values and kind not in values):
        raise Unsupported(f"{host}: the BMC can't do {kind} with the keys", allowed=values)
