# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""IPMI over LAN with pyghmi: chassis power, and what FRU, SDR, SEL, the controller and its LAN settings say about the machine."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Callable, Optional

from .. import __version__
from ..document.model import Collector, Coverage, Device, Source, Stats, Verdict
from ..document.parts import Bmc, Boot, Fan, LogEntry, Nic, NicPort, PowerSupply, Sensor, Status
from ..document.sections import SECTIONS
from ..document.values import clean_mac
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    ParseError,
    PermissionDenied,
    SessionLimit,
    TimedOut,
    TransientError,
    Unreachable,
    Unsupported,
)
from ..ipmi.capture import RecordingSession, ReplayedSession, record_late, record_login
from ..ipmi.fru import Fru, conducted, device_of, parse_fru, read_fru
from ..ipmi.values import parse_device_id
from ..ports import BMC_ACTIONS, Clock, PowerAction, PowerState
from ..redfish.capture import Record, Recording
from .expected import Expected, check_machine
from .options import BmcOptions

try:
    from pyghmi import exceptions as pyghmi_exceptions
    from pyghmi.ipmi import command as pyghmi_command
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
_FRU_COUNT = 32
_HEALTH = {0: "OK", 1: "Warning", 2: "Critical"}
# Get Chassis Status (IPMI 2.0, table 28-3): what is wrong, by byte and bit.
_CHASSIS_FAULTS = {
    (0, 1): "power overload",
    (0, 3): "power fault",
    (0, 4): "power control fault",
    (2, 0): "chassis intrusion",
    (2, 2): "drive fault",
    (2, 3): "cooling fault",
}


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
            fru, guid = Fru(), None
            unknown = (BadResponse, Busy, PermissionDenied, Unsupported)
            with contextlib.suppress(*unknown):
                fru = _fru(self, 0) or fru
            with contextlib.suppress(*unknown):
                guid = _guid(self)
            check_machine(self.host, expected, [fru.serial, fru.chassis_serial, fru.board_serial], guid)
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
        fru, guid = (
            section("system", lambda: (_fru(driver, 0), _guid(driver)), (None, None))
            if asked != {"power"}
            else (None, None)
        )
        controller = section("manager", lambda: _controller(driver), None)
        lan = section("network", lambda: driver.call(lambda bmc: bmc.get_net_configuration(gateway_macs=False)), {})
        sensors = section("sensors", lambda: _sensors(driver), ())
        units = section("power_supplies", lambda: _units(driver), [])
        fans = section("thermal", lambda: _fans(sensors or _sensors(driver)), ())
        boot = section("boot", lambda: _boot(driver), None)
        log = section("log", lambda: tuple(driver.log(_LOG_TAIL)), ())
    finally:
        driver.close()
    if "network" in asked and coverage["network"].verdict is Verdict.COLLECTED:
        coverage["network"] = Coverage(Verdict.ABSENT, "IPMI knows the BMC's port only")
    machine = device_of([(0, "", fru or Fru()), *units])
    supplies = machine.power_supplies or _present(sensors)
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
        metadata={"chassis_faults": ", ".join(faults)} if faults else {},
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


def _text(value: Any) -> Optional[str]:
    clean = str(value).strip().strip("\x00") if value is not None else ""
    return clean or None


def _moment(timecode: Any) -> Optional[str]:
    """A time of the SEL in UTC; before 0x20000000 it is seconds since the BMC's start (IPMI 2.0 section 37)."""
    if not isinstance(timecode, int) or not 0x20000000 <= timecode < 0xFFFFFFFF:
        return None
    return datetime.fromtimestamp(timecode, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _guid(driver: IpmiDriver) -> Optional[str]:
    guid = bytes(driver.raw(netfn=6, command=0x37))  # Get System GUID
    return _uuid(guid) if len(guid) == 16 and any(guid) else None


def _fru(driver: IpmiDriver, number: int) -> Optional[Fru]:
    """One FRU device (IPMI 2.0, section 34); None if nothing is in it."""
    data = conducted(
        read_fru(number),
        lambda request: bytes([0, *driver.raw(netfn=request[0], command=request[1], data=list(request[2:]))]),
    )
    return parse_fru(data) if data else None


def _units(driver: IpmiDriver) -> list[tuple[int, str, Fru]]:
    """Number, name and content of every further FRU that the sensor records name."""
    locators = driver.call(lambda bmc: _loaded(bmc).fru)
    units = []
    for locator in itertools.islice(locators.values(), _FRU_COUNT):
        number, name = getattr(locator, "fru_number", 0), _text(getattr(locator, "fru_name", None)) or ""
        if not number:
            continue
        try:
            found = _fru(driver, number)
        except (TimedOut, Unreachable):
            raise
        except FleetError:  # an empty bay has a record and no data
            continue
        if found is not None:
            units.append((number, name, found))
    return units


def _present(sensors: tuple[Sensor, ...]) -> tuple[PowerSupply, ...]:
    """Power supplies without a FRU, from their presence sensors."""
    return tuple(
        PowerSupply(id=item.id, description=item.name, status=item.status)
        for item in sensors
        if item.kind == "Power Supply" and "Present" in ((item.status.State if item.status else None) or "").split(", ")
    )


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
    """Get Device ID: manufacturer, product and firmware revision of the BMC."""
    try:
        return parse_device_id(bytes(driver.raw(netfn=6, command=1)))
    except ParseError as error:
        raise BadResponse(error.message) from None


def _bmc(controller: Optional[Bmc], lan: Mapping[str, Any]) -> Optional[Bmc]:
    mac = clean_mac(_text(lan.get("mac_address")))
    address = (_text(lan.get("ipv4_address")) or "").split("/", maxsplit=1)[0]
    nic = None
    if mac:
        nic = Nic(nic_ports=(NicPort(macaddress=mac, ip_addresses=(address,) if address.strip("0.") else ()),))
    if controller is None:
        return Bmc(nic=nic) if nic else None
    return dataclasses.replace(controller, nic=nic)


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
