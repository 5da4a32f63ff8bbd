# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""IPMI over LAN with pyghmi: chassis power, and what FRU, SDR, SEL, the controller and its LAN settings say about the machine."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Optional

from .. import __version__
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    PermissionDenied,
    SessionLimit,
    TimedOut,
    TransientError,
    Unreachable,
    Unsupported,
)
from ..model import (
    Backplane,
    Bmc,
    Boot,
    Collector,
    Coverage,
    Device,
    Fan,
    Firmware,
    LogEntry,
    Mainboard,
    Nic,
    NicPort,
    PowerSupply,
    Sensor,
    Source,
    Stats,
    Status,
    Verdict,
    clean_mac,
    clean_serial,
)
from ..ports import BMC_ACTIONS, Clock, PowerAction, PowerState
from ..redfish.capture import Record, Recording
from ..redfish.rules import SECTIONS
from .expected import Expected, check_machine
from .ipmi_capture import RecordingSession, ReplayedSession, record_late, record_login
from .options import BmcOptions

try:
    from pyghmi import exceptions as pyghmi_exceptions
    from pyghmi.ipmi import command as pyghmi_command
    from pyghmi.ipmi import fru as pyghmi_fru
except ImportError:
    pyghmi_command = None

# Chassis Control (IPMI 2.0, table 28-4).
_CONTROL = {
    PowerAction.OFF: 0,
    PowerAction.ON: 1,
    PowerAction.RESET: 3,
    PowerAction.NMI: 4,
    PowerAction.SHUTDOWN: 5,
}
_NO_ANSWER = 0xFFFF  # pyghmi's own
# Completion codes (IPMI 2.0, table 5-2) by what they mean for us; the rest are bad responses.
_CODES: dict[int, tuple[type[FleetError], str]] = {
    0xC0: (Busy, "the BMC is busy"),
    0xC1: (Unsupported, "the BMC does not know this command"),
    0xC3: (Busy, "the BMC's own time-out"),
    0xCC: (Unsupported, "the BMC does not accept this value"),
    0xD4: (PermissionDenied, "this account may not do this"),
    0xD5: (Busy, "not possible in the present state"),
    _NO_ANSWER: (Unreachable, "no answer"),
}
_LOG_TAIL = 20
# A BMC ends a session that was silent for a minute (IPMI 2.0, 6.12.15), and then does not answer in it.
_IDLE_SECONDS = 45.0
_FRU_PIECE = 16
_FRU_LIMIT = 4096
_FRU_COUNT = 32
_SERIALS = ("Serial Number", "Chassis serial number", "Board serial number")
_HEALTH = {0: "OK", 1: "Warning", 2: "Critical"}
# Manufacturer ids of Get Device ID (IANA enterprise numbers) of BMCs whose maker is the machine's.
_MAKERS = {
    2: "IBM",
    11: "HP",
    42: "Sun Microsystems",
    343: "Intel",
    674: "Dell",
    2011: "Huawei",
    5771: "Cisco",
    7244: "Quanta",
    10368: "Fujitsu",
    10876: "Supermicro",
    15370: "GIGABYTE",
    19046: "Lenovo",
    20974: "American Megatrends",
    47196: "HPE",
}
# Get Chassis Status (IPMI 2.0, table 28-3): what is wrong, by byte and bit.
_CHASSIS_FAULTS = {
    (0, 1): "power overload",
    (0, 3): "power fault",
    (0, 4): "power control fault",
    (2, 0): "chassis intrusion",
    (2, 2): "drive fault",
    (2, 3): "cooling fault",
}
# Words in the names of FRU devices that tell what they are of; the rest is board or chassis, when it says so.
_POWER_SUPPLY_NAME = re.compile(r"psu|power ?supply|^ps ?\d|pwr ?sply", re.IGNORECASE)
_BACKPLANE_NAME = re.compile(r"backplane|^bp ?\d|hdd ?bp", re.IGNORECASE)
_SYSTEM_NAME = re.compile(r"system|chassis|board|^mb\b|built-?in|motherboard|baseboard", re.IGNORECASE)


class IpmiDriver:
    """:class:`fleetcore.ports.PowerDriver`. Logs in at the first use.

    :param record: takes down every command. :param recording: answers them, and nobody is contacted.
    :raises MissingDependency: pyghmi is not installed (from the constructor).
    """

    name = "ipmi"
    actions = BMC_ACTIONS
    reads_state = True

    def __init__(
        self,
        options: BmcOptions,
        clock: Clock,
        record: Optional[Record] = None,
        recording: Optional[Recording] = None,
    ) -> None:
        if pyghmi_command is None:
            raise MissingDependency(
                "the Python package pyghmi is not installed where the module runs: pip install pyghmi", package="pyghmi"
            )
        if options.system is not None:
            raise InvalidInput(
                "IPMI can't choose among several systems: leave out `system`, or use the redfish driver", field="system"
            )
        self._options = options
        self.clock = clock
        self.host = options.host
        self._record = record
        self._session = ReplayedSession(recording.commands, pyghmi_exceptions.IpmiException) if recording else None
        self._connection: Any = None
        self._was_connected = False
        self._used = 0.0
        self._unchecked = options.expected

    def power_state(self) -> PowerState:
        data = self.raw(netfn=0, command=1)  # Get Chassis Status
        return PowerState.ON if data and data[0] & 1 else PowerState.OFF

    def set_power(self, action: PowerAction) -> None:
        self.raw(netfn=0, command=2, data=[_CONTROL[action]])  # Chassis Control

    def raw(self, **request: Any) -> list[int]:
        """One IPMI command; the bytes of the answer after the completion code."""
        response = self.call(lambda connection: connection.raw_command(**request))
        if "error" in response:
            code = int(response.get("code") or 0)
            if code == _NO_ANSWER:
                self.drop()
            kind, words = _CODES.get(code, (BadResponse, str(response["error"])))
            raise kind(f"{self._options.host}: IPMI: {words} (completion code 0x{code:02x})", code=code)
        return list(response.get("data") or [])

    def call(self, function: Callable[[Any], Any]) -> Any:
        """Call into pyghmi with a logged-in connection; its errors become ours."""
        try:
            if self._connection is not None and self.clock.monotonic() - self._used > _IDLE_SECONDS:
                self.drop()
            if self._connection is None:
                self._connection = self._connect()
                self._used = self.clock.monotonic()
                self._check_machine()
            result = function(self._connection)
            self._used = self.clock.monotonic()
            return result
        except FleetError:
            raise
        except pyghmi_exceptions.IpmiException as error:
            if not getattr(error, "ipmicode", 0):  # no completion code: the connection is at fault
                self.drop()
            raise _translate(self._options.host, error) from error
        except Exception as error:  # pyghmi trips over unexpected bytes with any built-in exception
            raise BadResponse(
                f"{self._options.host}: IPMI: the answer can't be used ({type(error).__name__}: {str(error)[:200]})"
            ) from error
        except BaseException:  # interrupted in the middle: what follows needs a login of its own
            self._connection = None
            raise

    def log(self, limit: int = 4096) -> list[LogEntry]:
        """The system event log, oldest first; the last ``limit`` of its first 4096 entries."""
        entries = self.call(lambda bmc: list(itertools.islice(bmc.get_event_log(), 4096)))
        return [
            LogEntry(
                id=_text(item.get("record_id")),
                created_at=_moment(item.get("timecode")),
                severity=_HEALTH.get(int(item.get("severity") or 0)),
                message=_event(item),
                sensor=_text(item.get("component")),
            )
            for item in entries[-limit:]
            if isinstance(item, Mapping)
        ]

    def is_late(self, begin: float, section: str) -> bool:
        """Has the deadline been reached, counted from ``begin`` (monotonic)? In a replay: had it then?"""
        if self._session is not None:
            return self._session.was_late(section)
        late = self.clock.monotonic() - begin > self._options.deadline
        if late and self._record is not None:
            record_late(self._record, section)
        return late

    def _check_machine(self) -> None:
        """Once, at the first login. What can't be read is not known."""
        expected, self._unchecked = self._unchecked, Expected()
        if not expected:
            return
        try:
            found: dict[str, Any] = {}
            unknown = (BadResponse, Busy, PermissionDenied, Unsupported)
            with contextlib.suppress(*unknown):
                found.update(_fru_area(self, 0))
            with contextlib.suppress(*unknown):
                found.update(_guid(self))
            serials = [_text(found.get(name)) for name in _SERIALS]
            check_machine(self.host, expected, serials, _text(found.get("UUID")))
        except BaseException:
            self._unchecked = expected
            self.drop()
            raise

    def _connect(self) -> Any:
        again, self._was_connected = self._was_connected, True
        if self._session is not None:
            if again:
                self._session.log_in_again()
            return _over(self._session)
        try:
            connection = self._log_in()
        except pyghmi_exceptions.IpmiException as error:
            if again and self._record is not None:
                record_login(self._record, str(error))
            raise
        if again and self._record is not None:
            record_login(self._record)
        if self._record is not None:
            connection.ipmi_session = RecordingSession(connection.ipmi_session, self._record)
        return connection

    def _log_in(self) -> Any:
        try:
            return pyghmi_command.Command(
                bmc=self._options.host,
                # As bytes: given text, pyghmi finds its closed session of the same login again, and fails.
                userid=(self._options.username or "").encode(),
                password=(self._options.password or "").encode(),
                port=self._options.ipmi_port,
                keepalive=False,
            )
        except OSError as error:
            raise Unreachable(
                f"{self._options.host}: IPMI: {error.strerror or error}", address=self._options.host
            ) from error

    def drop(self) -> None:
        """Forget the connection; the next command logs in anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # a session that can't be closed ends by itself
                connection.ipmi_session.logout()

    def remember(self, password: str) -> None:
        """The password of this login has changed; the next login uses the new one."""
        self._options = dataclasses.replace(self._options, password=password)

    def close(self) -> None:
        """Log out. Idempotent."""
        self.drop()


def _translate(host: str, error: Exception) -> FleetError:
    words = str(error) or type(error).__name__
    lower = words.lower()
    if "password" in lower or "unauthorized name" in lower or "rakp4" in lower:
        return AuthenticationFailed(
            f"{host}: IPMI: the BMC refused the login ({words}). Check username and password; not tried again, so as not to "
            "lock the account",
            address=host,
        )
    if "insufficient resources" in lower:
        return SessionLimit(f"{host}: IPMI: the BMC has no session left ({words})", address=host)
    if words in ("None", "IpmiException"):  # pyghmi has no words for a port that nobody listens on
        return Unreachable(f"{host}: IPMI: no answer", address=host)
    if "timeout" in lower or "no longer connected" in lower or "disconnected" in lower:
        return TimedOut(f"{host}: IPMI: no answer", address=host)
    if "privilege" in lower or "role" in lower:
        return PermissionDenied(f"{host}: IPMI: {words}", address=host)
    return BadResponse(f"{host}: IPMI: {words}", address=host)


# -- the device document ------------------------------------------------------------------------------------------------------


def replay_ipmi(recording: Recording, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> Device:
    """The device document of a capture of IPMI: as it was when it was recorded, but for ``stats``.

    :raises FleetError: as :func:`collect_ipmi`.
    """
    options = BmcOptions(str(recording.facts.get("address") or "the capture"), system=system)
    driver = IpmiDriver(options, _Moment(), recording=recording)
    device = _collected(driver, recording.sections(sections))
    return dataclasses.replace(
        device, collected_at=recording.collected_at, stats=None, attempts=recording.attempts("ipmi")
    )


class _Moment:
    """The time while a capture is read: none passes."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> str:
        return ""

    def sleep(self, seconds: float) -> None:
        """Nobody is waited for."""


def _over(session: ReplayedSession) -> Any:
    """pyghmi's Command over a recording. Its constructor would log in."""
    connection = pyghmi_command.Command.__new__(pyghmi_command.Command)
    unknown = ("onlogon", "_sdrcachedir", "_sdr", "_oem", "_netchannel", "_ipv6support", "certverify")
    vars(connection).update(dict.fromkeys(unknown), bmc="the capture", _oemknown=False, kwargs={})
    connection.ipmi_session = session
    return connection


def collect_ipmi(
    options: BmcOptions, clock: Clock, sections: Optional[Iterable[str]] = None, record: Optional[Record] = None
) -> Device:
    """What IPMI knows of a machine: identity from the FRU, the BMC, its LAN port, sensors and the last log entries.

    Parts that fail are recorded in the coverage; sections that IPMI has no words for are ``absent``.

    :param record: takes down what is said, also when it ends with an error.
    :raises FleetError: not even the power state can be read.
    """
    return _collected(IpmiDriver(options, clock, record), sections)


def _collected(driver: IpmiDriver, sections: Optional[Iterable[str]]) -> Device:
    clock = driver.clock
    asked = frozenset(SECTIONS if sections is None else sections)
    begin = clock.monotonic()
    coverage = {
        name: Coverage(Verdict.ABSENT, "IPMI does not have it") if name in asked else Coverage(Verdict.SKIPPED)
        for name in SECTIONS
    }

    def section(name: str, read: Callable[[], Any], empty: Any) -> Any:
        if name not in asked and name not in ("system", "power"):
            return empty
        if driver.is_late(begin, name):
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
        chassis = driver.raw(netfn=0, command=1)  # Get Chassis Status
        state = PowerState.ON if chassis and chassis[0] & 1 else PowerState.OFF
        coverage["power"] = Coverage()
        fru = section("system", lambda: _fru(driver), {}) if asked != {"power"} else {}
        controller = section("manager", lambda: _controller(driver), None)
        lan = section("network", lambda: driver.call(lambda bmc: bmc.get_net_configuration(gateway_macs=False)), {})
        sensors = section("sensors", lambda: _sensors(driver), ())
        units = section("power_supplies", lambda: _units(driver, sensors), _Units())
        fans = section("thermal", lambda: _fans(sensors or _sensors(driver)), ())
        boot = section("boot", lambda: _boot(driver), None)
        log = section("log", lambda: tuple(driver.log(_LOG_TAIL)), ())
    finally:
        driver.close()
    if "network" in asked and coverage["network"].verdict is Verdict.COLLECTED:
        coverage["network"] = Coverage(Verdict.ABSENT, "IPMI knows the BMC's port only")
    for name, found in (("power_supplies", units.power_supplies), ("thermal", fans), ("boot", boot)):
        if name in asked and not found and coverage[name].verdict is Verdict.COLLECTED:
            coverage[name] = Coverage(Verdict.ABSENT, "the BMC does not have it")
    fru = {**units.system, **(fru if isinstance(fru, Mapping) else {})}
    identity = _identity(fru)
    maker = _MAKERS.get(int((controller.metadata if controller else {}).get("manufacturer_id", 0)))
    identity["vendor"] = identity["vendor"] or maker
    faults = [
        words for (byte, bit), words in _CHASSIS_FAULTS.items() if len(chassis) > byte and chassis[byte] >> bit & 1
    ]
    return Device(
        **identity,
        status=Status(Health="Critical" if faults else "OK"),
        metadata={"chassis_faults": ", ".join(faults)} if faults else {},
        power_supplies=units.power_supplies,
        backplanes=units.backplanes,
        fans=fans,
        boot=boot,
        source=Source.OOB,
        collected_at=clock.now(),
        collector=Collector(name="ipmi", version=__version__),
        stats=Stats(logins=1, seconds=round(clock.monotonic() - begin, 3)),
        power_state=state.value,
        mainboard=_board(fru),
        bmc=_bmc(controller, lan if isinstance(lan, Mapping) else {}),
        sensors=sensors,
        log=log,
        coverage=coverage,
    )


def _text(value: Any) -> Optional[str]:
    clean = str(value).strip().strip("\x00") if value is not None else ""
    return clean or None


def _moment(timecode: Any) -> Optional[str]:
    """A time of the SEL in UTC; before 0x20000000 it is seconds since the BMC's start (IPMI 2.0 section 37)."""
    if not isinstance(timecode, int) or not 0x20000000 <= timecode < 0xFFFFFFFF:
        return None
    return datetime.fromtimestamp(timecode, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identity(fru: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vendor": _text(fru.get("Manufacturer")) or _text(fru.get("Board manufacturer")),
        "model": _text(fru.get("Product name")) or _text(fru.get("Board product name")),
        "serial": clean_serial(_text(fru.get("Serial Number")))
        or clean_serial(_text(fru.get("Chassis serial number"))),
        "asset_tag": clean_serial(_text(fru.get("Asset Number"))),
        "uuid": (_text(fru.get("UUID")) or "").lower() or None,
        "chassis": _text(fru.get("Chassis type")),
    }


def _board(fru: Mapping[str, Any]) -> Optional[Mainboard]:
    serial = clean_serial(_text(fru.get("Board serial number")))
    if serial is None and _text(fru.get("Board product name")) is None:
        return None
    return Mainboard(
        vendor=_text(fru.get("Board manufacturer")),
        model=_text(fru.get("Board product name")),
        serial=serial,
        part_number=_text(fru.get("Board model")),
    )


def _fru(driver: IpmiDriver) -> dict[str, Any]:
    """FRU 0 and the GUID of the system."""
    return {**_fru_area(driver, 0), **_guid(driver)}


def _guid(driver: IpmiDriver) -> dict[str, Any]:
    guid = bytes(driver.raw(netfn=6, command=0x37))  # Get System GUID
    return {"UUID": _uuid(guid)} if len(guid) == 16 and any(guid) else {}


def _fru_area(driver: IpmiDriver, number: int) -> dict[str, Any]:
    """One FRU (IPMI 2.0 section 34), read in small pieces: pyghmi asks for more at once than some BMCs can send."""
    size = driver.raw(netfn=0x0A, command=0x10, data=[number])
    total = min(size[0] | size[1] << 8, _FRU_LIMIT) if len(size) > 1 else 0
    data = bytearray()
    while len(data) < total:
        count = min(_FRU_PIECE, total - len(data))
        piece = driver.raw(netfn=0x0A, command=0x11, data=[number, len(data) & 0xFF, len(data) >> 8, count])
        if len(piece) < 2 or not piece[0]:
            break
        data += bytes(piece[1 : 1 + piece[0]])
    return dict(driver.call(lambda _bmc: pyghmi_fru.FRU(rawdata=data)).info or {}) if data else {}


@dataclass(frozen=True)
class _Units:
    """What the further FRUs describe; ``system`` are fields of FRU 0 that another FRU of the board or the chassis holds."""

    power_supplies: tuple[PowerSupply, ...] = ()
    backplanes: tuple[Backplane, ...] = ()
    system: Mapping[str, Any] = field(default_factory=dict)


def _units(driver: IpmiDriver, sensors: tuple[Sensor, ...]) -> _Units:
    """Every FRU that the sensor records name, by what it is; power supplies without a FRU from their presence sensors."""
    locators = driver.call(lambda bmc: _loaded(bmc).fru)
    supplies: list[PowerSupply] = []
    backplanes: list[Backplane] = []
    system: dict[str, Any] = {}
    for locator in itertools.islice(locators.values(), _FRU_COUNT):
        number, name = getattr(locator, "fru_number", 0), _text(getattr(locator, "fru_name", None)) or ""
        if not number:
            continue
        try:
            found = _fru_area(driver, number)
        except (TimedOut, Unreachable):
            raise
        except FleetError:  # an empty bay has a record and no data
            continue
        if _POWER_SUPPLY_NAME.search(name) and found:
            supplies.append(PowerSupply(id=name, part_number=_unit(found)[1], **_unit(found)[0]))
        elif _BACKPLANE_NAME.search(name) and found:
            backplanes.append(Backplane(id=name, **_unit(found)[0]))
        elif _SYSTEM_NAME.search(name):
            system = {**found, **system}
    if not supplies:
        present = [item for item in sensors if item.kind == "Power Supply" and _is_present(item.status)]
        supplies = [PowerSupply(id=item.id, description=item.name, status=item.status) for item in present]
    return _Units(tuple(supplies), tuple(backplanes), system)


def _is_present(status: Optional[Status]) -> bool:
    return "Present" in ((status.State if status else None) or "").split(", ")


def _unit(found: Mapping[str, Any]) -> tuple[dict[str, Any], Optional[str]]:
    """Component fields and the part number of a replaceable unit: from its product area, else from its board area."""
    fields = {
        "vendor": _text(found.get("Manufacturer")) or _text(found.get("Board manufacturer")),
        "model": _text(found.get("Product name")) or _text(found.get("Board product name")),
        "serial": clean_serial(_text(found.get("Serial Number")))
        or clean_serial(_text(found.get("Board serial number"))),
    }
    return fields, _text(found.get("Model")) or _text(found.get("Board model"))


def _boot(driver: IpmiDriver) -> Optional[Boot]:
    """The pending boot override (Get System Boot Options)."""
    found = driver.call(lambda bmc: bmc.get_bootdev())
    target = _text(found.get("bootdev")) if isinstance(found, Mapping) else None
    if target is None:
        return None
    if target == "default":
        return Boot(override_enabled="Disabled", override_target="None")
    return Boot(
        override_enabled="Continuous" if found.get("persistent") else "Once",
        override_target=target,
        mode="UEFI" if found.get("uefimode") else None,
    )


def _fans(sensors: tuple[Sensor, ...]) -> tuple[Fan, ...]:
    return tuple(
        Fan(id=item.id, name=item.name, reading=item.reading, reading_units=item.units, status=item.status)
        for item in sensors
        if item.kind == "Fan" and (item.reading is not None or item.units == "RPM")
    )


def _loaded(bmc: Any) -> Any:
    """pyghmi's sensor data repository, read once per connection."""
    bmc.init_sdr()
    return bmc._sdr


def _uuid(data: bytes) -> str:
    """BMCs send the GUID as SMBIOS has it, as IPMI says (section 20.8: last byte first), or as written: the one that is a valid UUID."""
    readings = [uuid.UUID(bytes_le=data), uuid.UUID(bytes=data[::-1]), uuid.UUID(bytes=data)]
    valid = [found for found in readings if found.variant == uuid.RFC_4122 and found.version in range(1, 6)]
    return str((valid or readings)[0])


def _controller(driver: IpmiDriver) -> Bmc:
    """Get Device ID (IPMI 2.0 section 20.1): manufacturer, product and firmware revision of the BMC."""
    data = driver.raw(netfn=6, command=1)
    if len(data) < 11:
        raise BadResponse("IPMI: the answer to Get Device ID is too short")
    manufacturer = data[6] | data[7] << 8 | (data[8] & 0x0F) << 16
    return Bmc(
        id=str(data[0]),
        firmware=Firmware(installed=f"{data[2] & 0x7F}.{data[3]:02x}"),
        metadata={"manufacturer_id": str(manufacturer), "product_id": str(data[9] | data[10] << 8)},
    )


def _bmc(controller: Optional[Bmc], lan: Mapping[str, Any]) -> Optional[Bmc]:
    mac = clean_mac(_text(lan.get("mac_address")))
    address = (_text(lan.get("ipv4_address")) or "").split("/", maxsplit=1)[0]
    nic = None
    if mac:
        nic = Nic(nic_ports=(NicPort(macaddress=mac, ip_addresses=(address,) if address.strip("0.") else ()),))
    if controller is None:
        return Bmc(nic=nic) if nic else None
    return Bmc(id=controller.id, firmware=controller.firmware, metadata=controller.metadata, nic=nic)


def _readings(driver: IpmiDriver) -> Iterable[Any]:
    """Each sensor by itself: one that can't be read costs nothing but its reading."""
    repository = driver.call(_loaded)
    for number in list(repository.get_sensor_numbers()):
        entry = repository.sensors[number]
        try:
            data = driver.raw(netfn=4, command=0x2D, rslun=entry.sensor_lun, data=(entry.sensor_number,))
            yield driver.call(lambda bmc: entry.decode_sensor_reading(bmc, data))  # noqa: B023 (called at once)
        except (TimedOut, Unreachable):
            raise
        except FleetError:
            continue


def _status(health: Any, states: Any) -> Optional[Status]:
    words = ", ".join(str(item) for item in states if item) if isinstance(states, (list, tuple)) else ""
    status = Status(Health=_HEALTH.get(health) if isinstance(health, int) else None, State=_text(words[:200]))
    return None if status == Status() else status


def _sensors(driver: IpmiDriver) -> tuple[Sensor, ...]:
    out = []
    for item in _readings(driver):
        value = getattr(item, "value", None)
        health = getattr(item, "health", None)
        out.append(
            Sensor(
                id=_text(getattr(item, "name", None)),
                name=_text(getattr(item, "name", None)),
                kind=_text(getattr(item, "type", None)),
                reading=float(value) if isinstance(value, (int, float)) else None,
                units=_text(getattr(item, "units", None)),
                status=_status(health, getattr(item, "states", None)),
            )
        )
    return tuple(out)


def _event(item: Mapping[str, Any]) -> Optional[str]:
    """What happened to what, in words: `Power Supply: Power supply failure (deasserted)`."""
    words = [_text(item.get("component_type")), _text(item.get("event"))]
    message = ": ".join(word for word in words if word)
    return f"{message} (deasserted)" if message and item.get("deassertion") else message or None
