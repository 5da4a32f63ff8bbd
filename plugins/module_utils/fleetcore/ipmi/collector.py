# SPDX-License-Identifier: BSD-2-Clause

"""Makes the device document of what FRU, SDR, SEL, the controller and its LAN settings say of a machine over IPMI."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from .. import __version__
from ..document.model import Collector, Coverage, Device, Source, Stats, Verdict
from ..document.outputs import said
from ..document.parts import Bmc, Boot, Nic, NicPort, Status
from ..document.sections import SECTIONS
from ..document.values import clean_mac
from ..errors import (
    BadResponse,
    FleetError,
    ParseError,
    PermissionDenied,
    TimedOut,
    TransientError,
    Unreachable,
    Unsupported,
)
from ..ports import PowerState
from .fru import Fru, device_of, parse_fru, read_fru
from .sdr import fans_of, read_locators, read_sensors, supplies_of
from .sel import read_log
from .session import Session
from .values import parse_device_id, text_or_none

_LOG_TAIL = 20
# Get Chassis Status (IPMI 2.0, table 28-3): what is wrong, by byte and bit.
_CHASSIS_FAULTS = {
    (0, 1): "power overload",
    (0, 3): "power fault",
    (0, 4): "power control fault",
    (2, 0): "chassis intrusion",
    (2, 2): "drive fault",
    (2, 3): "cooling fault",
}


def collect(session: Session, sections: Optional[Iterable[str]] = None, deadline: float = 300.0) -> Device:
    """Read what IPMI knows of a machine: identity from the FRU, the BMC, its LAN port, sensors and the last log
    entries.

    Parts that fail are recorded in the coverage; sections that IPMI has no words for are ``absent``. The session is
    closed.

    :param deadline: seconds for everything.
    :raises FleetError: not even the power state can be read.
    """
    clock = session.clock
    asked = frozenset(SECTIONS if sections is None else sections)
    begin = clock.monotonic()
    end = begin + deadline
    coverage = {
        name: Coverage(Verdict.ABSENT, "IPMI does not have it") if name in asked else Coverage(Verdict.SKIPPED)
        for name in SECTIONS
    }

    def section(name: str, read: Callable[[], Any], empty: Any) -> Any:
        if name not in asked and name not in ("system", "power"):
            return empty
        if session.is_late(end, name):
            coverage[name] = Coverage(Verdict.TIMEOUT, "the deadline was reached")
            return empty
        try:
            found = read()
        except TimedOut as error:
            coverage[name] = Coverage(Verdict.TIMEOUT, error.message)
        except PermissionDenied as error:
            coverage[name] = Coverage(Verdict.DENIED, error.message)
        except Unsupported as error:
            coverage[name] = Coverage(Verdict.ABSENT, error.message)
        except TransientError as error:
            coverage[name] = Coverage(Verdict.FAILED, error.message)
        else:
            coverage[name] = Coverage()
            return found
        return empty

    try:
        chassis = session.raw(netfn=0, command=1)  # Get Chassis Status
        state = PowerState.ON if chassis and chassis[0] & 1 else PowerState.OFF
        coverage["power"] = Coverage()
        fru, guid = (
            section("system", lambda: (read_unit(session, 0), read_uuid(session)), (None, None))
            if asked != {"power"}
            else (None, None)
        )
        controller = section("manager", lambda: _controller(session), None)
        lan = section("network", lambda: session.call(lambda bmc: bmc.get_net_configuration(gateway_macs=False)), {})
        sensors = section("sensors", lambda: read_sensors(session), ())
        units = section("power_supplies", lambda: _units(session), [])
        fans = section("thermal", lambda: fans_of(sensors or read_sensors(session)), ())
        boot = section("boot", lambda: _boot(session), None)
        log = section("log", lambda: tuple(read_log(session, _LOG_TAIL)), ())
    finally:
        session.close()
    if "network" in asked and coverage["network"].verdict is Verdict.COLLECTED:
        coverage["network"] = Coverage(Verdict.ABSENT, "IPMI knows the BMC's port only")
    machine = device_of([(0, "", fru or Fru()), *units])
    supplies = machine.power_supplies or supplies_of(sensors)
    for name, found in (("power_supplies", supplies), ("thermal", fans), ("boot", boot)):
        if name in asked and not found and coverage[name].verdict is Verdict.COLLECTED:
            coverage[name] = Coverage(Verdict.ABSENT, "the BMC does not have it")
    faults = [
        words for (byte, bit), words in _CHASSIS_FAULTS.items() if len(chassis) > byte and chassis[byte] >> bit & 1
    ]
    return dataclasses.replace(
        machine,
        vendor=machine.vendor or (controller.vendor if controller else None),
        uuid=guid,
        chassis=fru.chassis_type if fru else None,
        status=Status(Health="Critical" if faults else "OK"),
        metadata=said(chassis_faults=", ".join(faults)),
        power_supplies=supplies if "power_supplies" in asked else (),
        fans=fans,
        boot=boot,
        source=Source.OOB,
        collected_at=clock.now(),
        collector=Collector(name="ipmi", version=__version__),
        stats=Stats(logins=1, seconds=round(clock.monotonic() - begin, 3)),
        power_state=state.value,
        bmc=_bmc(controller, lan if isinstance(lan, Mapping) else {}),
        sensors=sensors,
        log=log,
        coverage=coverage,
    )


def replay(
    commands: Iterable[Mapping[str, Any]], address: str = "the capture", sections: Optional[Iterable[str]] = None
) -> Device:
    """Make the device document of recorded commands: as it was when they were recorded, but for ``stats``.

    :param address: of the BMC, for messages.
    :raises FleetError: as :func:`collect`.
    """
    session = Session(address, _Moment(), replay=commands)
    return dataclasses.replace(collect(session, sections), stats=None)


class _Moment:
    """Time while a capture is read: none passes."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> str:
        return ""

    def sleep(self, seconds: float) -> None:
        """Nobody is waited for."""


def read_uuid(session: Session) -> Optional[str]:
    """Read the UUID of the machine."""
    guid = bytes(session.raw(netfn=6, command=0x37))  # Get System GUID
    return _uuid(guid) if len(guid) == 16 and any(guid) else None


def read_unit(session: Session, number: int) -> Optional[Fru]:
    """Read one FRU device (IPMI 2.0, section 34); None if nothing is in it. Number 0 is the machine's own."""
    data = session.ask(read_fru(number))
    return parse_fru(data) if data else None


def _units(session: Session) -> list[tuple[int, str, Fru]]:
    """Number, name and content of every further FRU that the sensor records name."""
    units = []
    for number, name in read_locators(session):
        try:
            found = read_unit(session, number)
        except (TimedOut, Unreachable):
            raise
        except FleetError:  # an empty bay has a record and no data
            continue
        if found is not None:
            units.append((number, name, found))
    return units


def _boot(session: Session) -> Optional[Boot]:
    """The pending boot override (Get System Boot Options)."""
    found = session.call(lambda bmc: bmc.get_bootdev())
    target = text_or_none(found.get("bootdev")) if isinstance(found, Mapping) else None
    if target is None:
        return None
    if target == "default":
        return Boot(override_enabled="Disabled", override_target="None")
    return Boot(
        override_enabled="Continuous" if found.get("persistent") else "Once",
        override_target=target,
        mode="UEFI" if found.get("uefimode") else None,
    )


def _uuid(data: bytes) -> str:
    """Read a GUID. BMCs send it as SMBIOS has it, as IPMI says (section 20.8: last byte first), or as written.

    The reading that is a valid UUID is taken.
    """
    readings = [uuid.UUID(bytes_le=data), uuid.UUID(bytes=data[::-1]), uuid.UUID(bytes=data)]
    valid = [found for found in readings if found.variant == uuid.RFC_4122 and found.version in range(1, 6)]
    return str((valid or readings)[0])


def _controller(session: Session) -> Bmc:
    """Get Device ID: manufacturer, product and firmware revision of the BMC."""
    try:
        return parse_device_id(bytes(session.raw(netfn=6, command=1)))
    except ParseError as error:
        raise BadResponse(error.message) from None


def _bmc(controller: Optional[Bmc], lan: Mapping[str, Any]) -> Optional[Bmc]:
    mac = clean_mac(text_or_none(lan.get("mac_address")))
    address = (text_or_none(lan.get("ipv4_address")) or "").split("/", maxsplit=1)[0]
    nic = None
    if mac:
        nic = Nic(nic_ports=(NicPort(macaddress=mac, ip_addresses=(address,) if address.strip("0.") else ()),))
    if controller is None:
        return Bmc(nic=nic) if nic else None
    return dataclasses.replace(controller, nic=nic)
