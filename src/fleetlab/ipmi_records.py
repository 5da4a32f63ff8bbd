# SPDX-License-Identifier: BSD-2-Clause
"""Contents of a virtual BMC that speaks IPMI: its FRU inventory and its sensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

MC = 0x20


@dataclass(frozen=True)
class Fru:
    """The FRU inventory of the machine; each field 2 to 63 ASCII characters or empty."""

    manufacturer: str = "Fleetlab"
    product: str = "Virtual Server V1"
    part_number: str = "FL-V1"
    version: str = "A1"
    serial: str = "FLV1000001"
    asset_tag: str = ""
    board_product: str = "Virtual Board B1"
    board_serial: str = "FLB1000001"
    chassis_serial: str = "FLC1000001"

    def encode(self) -> bytes:
        """Return the FRU information storage: header, chassis, board and product area.

        Format: Platform Management FRU v1.0.
        """
        english = 25
        # Minutes since 1996, little endian: zero means unspecified.
        board_time = b"\0\0\0"
        areas = [
            _area(bytes([0x17]), [self.part_number, self.chassis_serial]),
            _area(
                bytes([english]) + board_time,
                [self.manufacturer, self.board_product, self.board_serial, self.part_number, ""],
            ),
            _area(
                bytes([english]),
                [
                    self.manufacturer,
                    self.product,
                    self.part_number,
                    self.version,
                    self.serial,
                    self.asset_tag,
                    "",
                ],
            ),
        ]
        offsets, position = [], 8
        for area in areas:
            offsets.append(position // 8)
            position += len(area)
        return _checked(bytes([1, 0, *offsets, 0, 0])) + b"".join(areas)


def _checked(data: bytes) -> bytes:
    """Append the byte that makes the sum zero."""
    return data + bytes([-sum(data) & 0xFF])


def _area(head: bytes, fields: Iterable[str]) -> bytes:
    body = head
    for text in fields:
        data = text.encode("ascii")
        if len(data) == 1 or len(data) > 63:
            raise ValueError(f"a FRU field has no or 2 to 63 characters: {text!r}")
        body += bytes([0xC0 | len(data)]) + data
    body += b"\xc1"
    blocks = -(-(2 + len(body) + 1) // 8)
    return _checked(bytes([1, blocks]) + body.ljust(blocks * 8 - 3, b"\0"))


@dataclass(frozen=True)
class Sensor:
    """A threshold sensor: `value` in the unit of its kind; `warning` and `critical` are upper thresholds."""

    name: str
    kind: Literal["temperature", "fan", "voltage", "power"]
    value: float
    warning: float
    critical: float

    # Sensor type (IPMI 2.0 table 42-3), base unit (table 43-15), factor of a raw step, its decimal exponent, entity.
    _KINDS = {
        "temperature": (0x01, 1, 1, 0, 0x07),
        "fan": (0x04, 18, 100, 0, 0x1D),
        "voltage": (0x02, 4, 1, -1, 0x0A),
        "power": (0x0B, 6, 5, 0, 0x0A),
    }

    def _raw(self, value: float) -> int:
        _, _, factor, exponent, _ = self._KINDS[self.kind]
        raw = round(value / (factor * 10.0**exponent))
        if not 0 <= raw <= 255:
            raise ValueError(f"sensor {self.name}: {value} does not fit")
        return raw

    def sdr(self, number: int) -> bytes:
        """Return the full sensor record (IPMI 2.0, 43.1), with `number` as the sensor's and the record's."""
        kind, unit, factor, exponent, entity = self._KINDS[self.kind]
        name = self.name.encode("ascii")[:16]
        body = bytes([MC, 0, number, entity, number, 0x7F, 0x68, kind, 0x01])
        body += bytes([0x80, 0x02, 0x80, 0x02, 0x18, 0x18])  # upper non-critical and critical: events, readable
        body += bytes([0, unit, 0, 0, factor, 0, 0, 0, 0, (exponent & 0xF) << 4, 0x01])
        body += bytes([self._raw(self.value), 0xFF, 0, 0xFF, 0])
        body += bytes([0, self._raw(self.critical), self._raw(self.warning), 0, 0, 0, 1, 1, 0, 0, 0])
        body += bytes([0xC0 | len(name)]) + name
        return number.to_bytes(2, "little") + bytes([0x51, 0x01, len(body)]) + body

    def commands(self, number: int) -> list[str]:
        """Return the simulator's commands that make this sensor."""
        kind = self._KINDS[self.kind][0]
        where = f"{MC:#x} 0 {number}"
        thresholds = f"0 {self._raw(self.critical)} {self._raw(self.warning)} 0 0 0"
        none = "0" * 15
        return [
            f"sensor_add {where} {kind:#x} 0x01",
            f"sensor_set_value {where} {self._raw(self.value)} 0",
            f"sensor_set_threshold {where} settable 011000 {thresholds}",
            f"sensor_set_event_support {where} enable scanning per-state {none} {none} {none} {none}",
            f"main_sdr_add {MC:#x} {octets(self.sdr(number))}",
        ]


SENSORS = (
    Sensor("CPU0 Temp", "temperature", 41, 85, 95),
    Sensor("Inlet Temp", "temperature", 22, 38, 42),
    Sensor("FAN1", "fan", 5400, 20000, 24000),
    Sensor("FAN2", "fan", 5300, 20000, 24000),
    Sensor("P12V", "voltage", 12.1, 12.9, 13.2),
    Sensor("PSU0 Input", "power", 185, 750, 800),
)


def octets(data: bytes) -> str:
    return " ".join(f"{byte:#04x}" for byte in data)
