# SPDX-License-Identifier: BSD-2-Clause

"""Sensors: their readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.parts import Sensor
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import id_of, number
from .common import is_absent, status


def read(tree: Tree) -> tuple[Sensor, ...]:
    """Sensor resources; and temperatures and voltages inside of the deprecated Thermal and Power, where no sensor is
    one."""
    out = [
        _sensor(path, body, body.get("ReadingType"), body.get("Reading"), body.get("ReadingUnits"))
        for path, body in tree.of("sensor")
        if not is_absent(body)
    ]
    kinds = {item.kind for item in out}
    if "Temperature" not in kinds:
        for path, body in tree.inside("thermal", "Temperatures"):
            out.append(_sensor(path, body, "Temperature", body.get("ReadingCelsius"), "Cel"))
    if "Voltage" not in kinds:
        for path, body in tree.inside("power", "Voltages"):
            out.append(_sensor(path, body, "Voltage", body.get("ReadingVolts"), "V"))
    return tuple(item for item in out if item.reading is not None or item.status is not None)


def _sensor(path: str, body: Mapping[str, Any], kind: Any, reading: Any, units: Any) -> Sensor:
    return Sensor(
        id=id_of(path, body),
        name=word(body.get("Name")),
        kind=word(kind),
        reading=number(reading),
        units=word(units),
        status=status(body),
    )


TOPIC = Topic(
    "sensors",
    read,
    rules={
        "chassis": (
            Follow(("Thermal",), "thermal", many=False, unless="sensor", having=("ReadingType", "Temperature")),
            Follow(
                ("Power",),
                "power",
                many=False,
                unless="sensor",
                having=("ReadingType", "Voltage"),
                without="PowerSubsystem",
            ),
            Follow(("Sensors",), "sensor"),
        )
    },
)
