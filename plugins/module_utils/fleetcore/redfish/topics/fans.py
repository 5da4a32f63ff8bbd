# SPDX-License-Identifier: BSD-2-Clause

"""Fans: those of ThermalSubsystem, and those inside of the deprecated Thermal of chassis that have none."""

from __future__ import annotations

from ...document.parts import Fan
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, first_word, id_of, number
from .common import both, component, status


def read(tree: Tree) -> tuple[Fan, ...]:
    out = []
    for path, body in both(tree, "fan", ("thermal", "Fans"), "ThermalSubsystem"):
        rpm = number(first(body, "SpeedPercent.SpeedRPM", "ReadingRPM"))
        percent = number(at(body, "SpeedPercent.Reading"))
        reading = number(body.get("Reading"))
        units = word(body.get("ReadingUnits"))
        if reading is None:
            reading, units = (rpm, "RPM") if rpm is not None else (percent, "Percent" if percent is not None else None)
        out.append(
            Fan(
                **component(tree, path, body),
                name=first_word(body, "Name", "FanName"),
                reading=reading,
                reading_units=units,
            )
        )
    return tuple(out)


def rotational(tree: Tree) -> tuple[Fan, ...]:
    """Fans of which there is nothing but a sensor."""
    return tuple(
        Fan(
            id=id_of(path, body),
            name=word(body.get("Name")),
            reading=number(body.get("Reading")),
            reading_units=word(body.get("ReadingUnits")) or "RPM",
            status=status(body),
        )
        for path, body in tree.of("sensor")
        if body.get("ReadingType") == "Rotational"
    )


TOPIC = Topic(
    "fans",
    read,
    otherwise=("sensors", rotational),
    rules={
        "chassis": (
            Follow(("ThermalSubsystem",), "thermal_subsystem", many=False),
            Follow(("Thermal",), "thermal", many=False, unless="fan", newer="ThermalSubsystem"),
        ),
        "thermal_subsystem": (Follow(("Fans",), "fan"),),
    },
)
