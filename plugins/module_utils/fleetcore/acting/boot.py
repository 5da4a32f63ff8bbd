# SPDX-License-Identifier: BSD-2-Clause

"""What a machine boots from next: the boot source override of Redfish, the boot flags of IPMI."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from ..errors import FleetError, InvalidInput, Unsupported
from ..ipmi.session import Session as Ipmi
from ..option import Options, option
from ..ports import Plan
from ..power.options import seconds
from ..redfish.actions import allowable, spelt
from ..redfish.quirks import VIRTUAL_CD_IS_USB
from ..redfish.service import REFUSED_INPUT, Service
from ..redfish.settings import Settings
from ..redfish.values import at, text
from .base import Change, Connection, reach

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
_OVERRIDE = ("BootSourceOverrideTarget", "BootSourceOverrideEnabled", "BootSourceOverrideMode")

# Boot flags (IPMI 2.0, table 28-14, parameter 5): data 2, bits 5 to 2.
_FLAGS = {"none": 0, "pxe": 1, "disk": 2, "cdrom": 5, "bios_setup": 6, "usb": 15}
_VALID, _PERSISTENT, _EFI = 0x80, 0x40, 0x20

State = Mapping[str, Optional[str]]
"""``device``, ``duration``, ``mode`` and ``http_boot_uri``."""


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


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for ``ComputerSystem.Boot`` (DSP0268)."""
    want = wanted(params)
    return _plan(service, RedfishBoot(service, want), params, want)


def plan_ipmi(ipmi: Ipmi, params: Mapping[str, Any]) -> Plan:
    """Plan for the boot flags.

    :raises Unsupported: IPMI has no such device.
    """
    want = wanted(params)
    if want["device"] not in _FLAGS:
        raise Unsupported(f"{ipmi.host}: IPMI has no boot device {want['device']!r}", device=want["device"])
    return _plan(ipmi, IpmiBoot(ipmi, want), params, want)


def _plan(connection: Connection, boot: Union[RedfishBoot, IpmiBoot], params: Mapping[str, Any], want: State) -> Plan:
    have = boot.have
    settle = seconds(params, "settle_seconds")

    def right(found: State, want: State) -> bool:
        return all(found[name] == value for name, value in want.items())

    def facts(before: State, after: State, verified: bool) -> Mapping[str, Any]:
        shown = {"driver": connection.name, "before": dict(before), "after": dict(after), "verified": verified}
        return {"boot": shown}

    def reached(write: Callable[[], None], good: Callable[[State], bool]) -> State:
        return reach(connection.clock, params, write, boot.read, good, "the boot device", settle=settle)

    def apply() -> Mapping[str, Any]:
        kept = boot.kept_mode
        first = want if kept is None else {name: value for name, value in want.items() if name != "mode"}
        try:
            found = reached(boot.write, lambda found: right(found, first))
            if kept not in (None, found["mode"]):  # some change the mode when it is not named
                found = reached(boot.write_mode, lambda found: right(found, {**want, "mode": kept}))
        except FleetError as error:
            error.details.setdefault("wanted", dict(want))
            raise
        return facts(have, found, boot.sure)

    after = {**have, **want}
    before = after if right(have, want) else dict(have)
    return Plan(before, after, lambda: facts(have, after, right(have, want)), apply)


class RedfishBoot:
    """The boot override of ComputerSystem.Boot; ``have`` is how it was at first.

    Only what differs is sent: some BMCs refuse the whole object. What a BMC misses then is added, as it is.

    :ivar kept_mode: the mode that is to stay; None: any is right.
    """

    sure = True

    def __init__(self, service: Service, want: State) -> None:
        self._service = service
        self._path, system = service.system()
        boot = system.get("Boot")
        if not isinstance(boot, Mapping):
            raise Unsupported(f"{service.host}: the BMC shows no boot override")
        self._settings = Settings(service, self._path, system, "Boot")
        self._staged = self._settings.staged()
        boot = {**boot, **self._staged}
        usb_first = (text(system.get("Manufacturer")) or "").lower() in VIRTUAL_CD_IS_USB
        self.have: State = read_redfish(boot)
        self._payload = redfish_payload(service.host, boot, self.have, want, usb_first)
        self._boot = boot
        self.kept_mode: Optional[str] = None
        only_uefi = want["device"] == "http" and self.have["mode"] != "uefi"
        if "BootSourceOverrideMode" not in self._payload and want["device"] != "none" and not only_uefi:
            self.kept_mode = self.have["mode"]

    def read(self) -> State:
        return read_redfish({**(at(self._service.system()[1], "Boot") or {}), **self._settings.staged()})

    def write(self) -> None:
        payload = self._payload
        while True:
            try:
                return self._patch(payload)
            except Unsupported as error:
                refused = error.details.get("status") in REFUSED_INPUT
                missed = self._missed(payload, error.message) if refused else {}
                if not missed:
                    raise
                payload = {**payload, **missed}

    def write_mode(self) -> None:
        """Write all that was written, and the mode as it was. Reading back tells whether a refusal matters."""
        with contextlib.suppress(Unsupported):
            self._patch({**self._payload, "BootSourceOverrideMode": self._boot["BootSourceOverrideMode"]})

    def _missed(self, payload: Mapping[str, Any], refusal: str) -> dict[str, Any]:
        """What was not sent and is missed by a refusal, with its present value; all of it if nothing of it is named."""
        unsent = [name for name in _OVERRIDE if name not in payload and self._boot.get(name) is not None]
        named = [name for name in unsent if name in refusal]
        return {name: self._boot[name] for name in named or unsent}

    def _patch(self, payload: Mapping[str, Any]) -> None:
        here, there = payload.keys() - self._staged.keys(), payload.keys() & self._staged.keys()
        for path, names in ((self._settings.path, there), (self._path, here)):
            if names:
                self._service.patch(path, {"Boot": {name: payload[name] for name in payload if name in names}})


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


class IpmiBoot:
    """The boot flags (IPMI 2.0, sections 28.12 and 28.13).

    Some BMCs keep the device and show no flags at all: then it is there, as far as can be seen, and ``sure`` is false.
    """

    def __init__(self, ipmi: Ipmi, want: State) -> None:
        self._ipmi = ipmi
        self._want = want
        self.sure = True
        self.kept_mode: Optional[str] = None
        self.write_mode = self.write  # the mode is one of the flags, which are all written
        self.have: State = _shown(*self._flags())

    def read(self) -> State:
        flags, number = self._flags()
        if not flags and number and number == _FLAGS[str(self._want["device"])]:
            self.sure = False
            return {**self.have, **self._want}
        return _shown(flags, number)

    def write(self) -> None:
        want = self._want
        with contextlib.suppress(Unsupported):
            # Boot info valid flags: do not forget the flags when no boot follows within 60 s.
            self._ipmi.raw(netfn=0, command=8, data=[3, 8])
        mode = want.get("mode") or self.have["mode"]
        flags = 0 if want["device"] == "none" else _VALID
        flags |= (_PERSISTENT if want["duration"] == "persistent" else 0) | (_EFI if flags and mode == "uefi" else 0)
        self._ipmi.raw(netfn=0, command=8, data=[5, flags, _FLAGS[str(want["device"])] << 2, 0, 0, 0])

    def _flags(self) -> tuple[int, int]:
        """Data 1, and the device selector of data 2, of the boot flags."""
        data = self._ipmi.raw(netfn=0, command=9, data=[5, 0, 0])
        return (data[2], data[3] >> 2 & 0x0F) if len(data) > 3 else (0, 0)


def _shown(flags: int, number: int) -> dict[str, Optional[str]]:
    """The boot state of the boot flags.

    Without their valid bit they are those of a boot that is over: nothing is chosen.
    """
    off = not flags & _VALID or not number
    names = {value: name for name, value in _FLAGS.items()}
    return {
        "device": "none" if off else names.get(number, f"device {number}"),
        "duration": None if off else "persistent" if flags & _PERSISTENT else "once",
        "mode": None if off else "uefi" if flags & _EFI else "legacy",
        "http_boot_uri": None,
    }


OPTIONS: Options = {
    "device": option(
        "str",
        """
            What to boot from. V(none) removes the choice, so that the machine boots as its firmware says.

            V(http) is UEFI HTTP boot and needs Redfish.
        """,
        choices=[*_TARGETS, "none"],
        required=True,
    ),
    "duration": option(
        "str",
        "Whether the choice is for the next boot only, or for every boot from now on.",
        choices=list(_ENABLED),
        default="once",
    ),
    "mode": option(
        "str", "Whether to boot by UEFI or as a PC of old. Without it that stays as it is.", choices=list(_MODES)
    ),
    "http_boot_uri": option(
        "str",
        "With O(device=http), the URI to boot from. Without it the machine asks DHCP, and a URI of before is removed.",
    ),
    "verify_timeout": option("float", "Seconds that the BMC has to show what was set.", default=30),
    "settle_seconds": option(
        "float", "Seconds after which it is read once more. With V(0) it is read once.", default=3
    ),
}

CHANGE = Change("boot device", OPTIONS, plan_redfish, plan_ipmi)
