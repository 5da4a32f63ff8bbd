# SPDX-License-Identifier: BSD-2-Clause

"""The sensor data repository of a BMC over a session: sensors, and which FRU devices there are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Optional

from ..document.parts import Fan, PowerSupply, Sensor, Status
from ..errors import FleetError, TimedOut, Unreachable
from .session import Session
from .values import HEALTH, text_or_none

_FRU_COUNT = 32


def read_sensors(session: Session) -> tuple[Sensor, ...]:
    """Read every sensor; one that can't be read is left out.

    :raises FleetError: as of :meth:`Session.call`.
    """
    out = []
    for item in _readings(session):
        value = getattr(item, "value", None)
        health = getattr(item, "health", None)
        out.append(
            Sensor(
                id=text_or_none(getattr(item, "name", None)),
                name=text_or_none(getattr(item, "name", None)),
                kind=text_or_none(getattr(item, "type", None)),
                reading=float(value) if isinstance(value, (int, float)) else None,
                units=text_or_none(getattr(item, "units", None)),
                status=_status(health, getattr(item, "states", None)),
            )
        )
    return tuple(out)


def read_locators(session: Session) -> list[tuple[int, str]]:
    """Read number and name of every FRU device but the machine's own."""
    locators = session.call(lambda bmc: _loaded(bmc).fru)
    found = [
        (getattr(locator, "fru_number", 0), text_or_none(getattr(locator, "fru_name", None)) or "")
        for locator in itertools.islice(locators.values(), _FRU_COUNT)
    ]
    return [(number, name) for number, name in found if number]


def fans_of(sensors: Iterable[Sensor]) -> tuple[Fan, ...]:
    """Pick the fans among the sensors."""
    return tuple(
        Fan(id=item.id, name=item.name, reading=item.reading, reading_units=item.units, status=item.status)
        for item in sensors
        if item.kind == "Fan" and (item.reading is not None or item.units == "RPM")
    )


def supplies_of(sensors: Iterable[Sensor]) -> tuple[PowerSupply, ...]:
    """Pick the power supplies that are there, by their presence sensors."""
    return tuple(
        PowerSupply(id=item.id, description=item.name, status=item.status)
        for item in sensors
        if item.kind == "Power Supply" and "Present" in ((item.status.State if item.status else None) or "").split(", ")
    )


def _loaded(bmc: Any) -> Any:
    """pyghmi's sensor data repository, read once per connection."""
    bmc.init_sdr()
    return bmc._sdr


def _readings(session: Session) -> Iterable[Any]:
    """Each sensor by itself: one that can't be read costs nothing but its reading."""
    repository = session.call(_loaded)
    for number in list(repository.get_sensor_numbers()):
        entry = repository.sensors[number]
        try:
            data = session.raw(netfn=4, command=0x2D, rslun=entry.sensor_lun, data=(entry.sensor_number,))
            yield session.call(lambda bmc: entry.decode_sensor_reading(bmc, data))  # noqa: B023 (called at once)
        except (TimedOut, Unreachable):
            raise
        except FleetError:
            continue


def _status(health: Any, states: Any) -> Optional[Status]:
    words = ", ".join(str(item) for item in states if item) if isinstance(states, (list, tuple)) else ""
    status = Status(Health=HEALTH.get(health) if isinstance(health, int) else None, State=text_or_none(words[:200]))
    return None if status == Status() else status
