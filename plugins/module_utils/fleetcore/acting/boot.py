# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a machine boots from next: the boot source override of Redfish, the boot flags of IPMI."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import FleetError, InvalidInput, Unsupported
from ..redfish.actions import allowable, spelt
from ..redfish.quirks import VIRTUAL_CD_IS_USB
from ..redfish.service import Service
from ..redfish.values import at, link, text
from .base import Change, Ipmi, carry_out, read_back, seconds

DEVICES = ("pxe", "disk", "cdrom", "usb", "bios_setup", "http", "none")
DURATIONS = ("once", "persistent")
MODES = ("uefi", "legacy")

# The first one that the BMC offers is taken; where it does not say what it offers, the first one.
_TARGETS = {
    "pxe": ("Pxe",),
    "disk": ("Hdd",),
    "cdrom": ("Cd", "UsbCd"),
    "usb": ("Usb",),
    "bios_setup": ("BiosSetup",),
    "http": ("UefiHttp",),
}
_DEVICES = {target.lower(): device for device, targets in _TARGETS.items() for target in targets}
_ENABLED = {"once": "Once", "persistent": "Continuous"}
_DURATIONS = {value.lower(): name for name, value in _ENABLED.items()}
_MODES = {"uefi": "UEFI", "legacy": "Legacy"}

# Boot flags (IPMI 2.0, table 28-14, parameter 5): data 2, bits 5 to 2.
_FLAGS = {"none": 0, "pxe": 1, "disk": 2, "cdrom": 5, "bios_setup": 6, "usb": 15}
_VALID, _PERSISTENT, _EFI = 0x80, 0x40, 0x20

State = Mapping[str, Optional[str]]


def wanted(params: Mapping[str, Any]) -> dict[str, Optional[str]]:
    """The part of the boot state that the options name.

    :raises InvalidInput: options that do not go together.
    """
    device = params["device"]
    if params.get("http_boot_uri") and device != "http":
        raise InvalidInput("http_boot_uri: only device: http boots from a URI", field="http_boot_uri")
    if device == "http" and params.get("mode") == "legacy":
        raise InvalidInput("mode: HTTP boot is UEFI only", field="mode")
    want: dict[str, Optional[str]] = {"device": device, "duration": None if device == "none" else params["duration"]}
    if params.get("mode") and device != "none":
        want["mode"] = params["mode"]
    if device == "http":
        want["http_boot_uri"] = params.get("http_boot_uri") or None
    return want


def prepare_redfish(service: Service, params: Mapping[str, Any]) -> Change:
    """The change of ``ComputerSystem.Boot`` (DSP0268). Only what differs is sent: some BMCs refuse the whole object."""
    want = wanted(params)
    path, system = service.system()
    boot = at(system, "Boot")
    if not isinstance(boot, Mapping):
        raise Unsupported(f"{service.host}: the BMC shows no boot override")
    staged_path = link(at(system, "@Redfish.Settings.SettingsObject"), path)
    staged = _staged(service, staged_path)
    have = read_redfish({**boot, **staged})
    usb_first = (text(system.get("Manufacturer")) or "").lower() in VIRTUAL_CD_IS_USB
    payload = redfish_payload(service.host, {**boot, **staged}, have, want, usb_first)

    def write() -> None:
        for place, names in ((staged_path, payload.keys() & staged.keys()), (path, payload.keys() - staged.keys())):
            if place is not None and names:
                service.patch(place, {"Boot": {name: payload[name] for name in payload if name in names}})

    def read() -> State:
        return read_redfish({**(at(service.system()[1], "Boot") or {}), **_staged(service, staged_path)})

    return _change(service, params, have, want, write, read)


def _staged(service: Service, path: Optional[str]) -> Mapping[str, Any]:
    """The part of Boot that the BMC wants written to, and shows in, the system's settings resource instead."""
    found = at(service.find(path), "Boot")
    return found if isinstance(found, Mapping) else {}


def read_redfish(boot: Mapping[str, Any]) -> dict[str, Optional[str]]:
    """The boot state of a ComputerSystem's Boot. A target of ours by its name, another one in small letters."""
    enabled, target, mode = (
        (text(boot.get(f"BootSourceOverride{name}")) or "").lower() for name in ("Enabled", "Target", "Mode")
    )
    off = enabled in ("", "disabled") or target in ("", "none")
    return {
        "device": "none" if off else _DEVICES.get(target, target),
        "duration": None if off else _DURATIONS.get(enabled, enabled),
        "mode": mode or None,
        "http_boot_uri": text(boot.get("HttpBootUri")),
    }


def redfish_payload(
    host: str, boot: Mapping[str, Any], have: State, want: State, usb_first: bool = False
) -> dict[str, Any]:
    """The least that brings the boot override from ``have`` to ``want``, in the BMC's spelling.

    :param usb_first: an inserted image is a USB CD.
    :raises Unsupported: the service lists its values, and what is wanted is not among them.
    """
    if want["device"] == "none":
        if spelt(("Disabled",), allowable(boot, "BootSourceOverrideEnabled")) is None:
            return {"BootSourceOverrideTarget": _offered(host, boot, "BootSourceOverrideTarget", ("None",))}
        return {"BootSourceOverrideEnabled": _offered(host, boot, "BootSourceOverrideEnabled", ("Disabled",))}
    targets = _TARGETS[str(want["device"])]
    if usb_first and allowable(boot, "BootSourceOverrideTarget"):
        targets = targets[::-1]
    values: dict[str, tuple[str, ...]] = {
        "BootSourceOverrideTarget": targets,
        "BootSourceOverrideEnabled": (_ENABLED[str(want["duration"])],),
    }
    if want.get("mode") and want["mode"] != have["mode"]:
        values["BootSourceOverrideMode"] = (_MODES[str(want["mode"])],)
    payload: dict[str, Any] = {name: _offered(host, boot, name, words) for name, words in values.items()}
    if "http_boot_uri" in want and want["http_boot_uri"] != have["http_boot_uri"]:
        payload["HttpBootUri"] = want["http_boot_uri"]
    return payload


def _offered(host: str, boot: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    values = allowable(boot, name)
    found = spelt(words, values)
    if found is None:
        raise Unsupported(
            f"{host}: {name} can't be {' or '.join(words)}; the BMC offers {', '.join(values)}", allowed=values
        )
    return found


def prepare_ipmi(driver: Ipmi, params: Mapping[str, Any]) -> Change:
    """The change of the boot flags (IPMI 2.0, sections 28.12 and 28.13)."""
    want = wanted(params)
    if want["device"] not in _FLAGS:
        raise Unsupported(f"{driver.host}: IPMI has no boot device {want['device']!r}", device=want["device"])
    have = read_ipmi(driver)
    mode = want.get("mode") or have["mode"]

    def write() -> None:
        with contextlib.suppress(Unsupported):
            # Boot info valid flags: do not forget the flags when no boot follows within 60 s.
            driver.raw(netfn=0, command=8, data=[3, 8])
        flags = 0 if want["device"] == "none" else _VALID
        flags |= (_PERSISTENT if want["duration"] == "persistent" else 0) | (_EFI if flags and mode == "uefi" else 0)
        driver.raw(netfn=0, command=8, data=[5, flags, _FLAGS[str(want["device"])] << 2, 0, 0, 0])

    blind = []

    def read() -> State:
        flags, number = ipmi_flags(driver)
        if not flags and number and number == _FLAGS[str(want["device"])]:
            blind.append(
                number
            )  # some BMCs keep the device and show no flags at all: it is there, as far as can be seen
            return {**have, **want}
        return read_ipmi(driver)

    return _change(driver, params, have, want, write, read, lambda: not blind)


def ipmi_flags(driver: Ipmi) -> tuple[int, int]:
    """Data 1, and the device selector of data 2, of the boot flags."""
    data = driver.raw(netfn=0, command=9, data=[5, 0, 0])
    return (data[2], data[3] >> 2 & 0x0F) if len(data) > 3 else (0, 0)


def read_ipmi(driver: Ipmi) -> dict[str, Optional[str]]:
    """The boot state. Flags without their valid bit are those of a boot that is over: nothing is chosen."""
    flags, number = ipmi_flags(driver)
    off = not flags & _VALID or not number
    names = {value: name for name, value in _FLAGS.items()}
    return {
        "device": "none" if off else names.get(number, f"device {number}"),
        "duration": None if off else "persistent" if flags & _PERSISTENT else "once",
        "mode": None if off else "uefi" if flags & _EFI else "legacy",
        "http_boot_uri": None,
    }


def _change(
    connection: Any,
    params: Mapping[str, Any],
    have: State,
    want: State,
    write: Callable[[], None],
    read: Callable[[], State],
    sure: Callable[[], bool] = lambda: True,
) -> Change:
    timeout, settle = seconds(params, "verify_timeout"), seconds(params, "settle_seconds")

    def right(found: State) -> bool:
        return all(found[name] == value for name, value in want.items())

    def facts(before: State, after: State, verified: bool) -> Mapping[str, Any]:
        shown = {"driver": connection.name, "before": dict(before), "after": dict(after), "verified": verified}
        return {"boot": shown}

    def apply() -> Mapping[str, Any]:
        try:
            found = carry_out(
                write,
                lambda: read_back(connection.clock, read, right, "the boot device", timeout=timeout, settle=settle),
            )
        except FleetError as error:
            error.details.setdefault("wanted", dict(want))
            raise
        return facts(have, found, sure())

    after = {**have, **want}
    return Change(
        before=dict(have) if not right(have) else after, after=after, apply=apply, facts=facts(have, after, right(have))
    )
