# SPDX-License-Identifier: BSD-2-Clause

"""Fans: those of ThermalSubsystem, and those inside of the deprecated Thermal of chassis that have none."""

from __future__ import annotations

from ...document.parts import Fan
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, number
from .common import both, component, is_absent


def read(tree: Tree) -> tuple[Fan, ...]:
    out = []
    for path, body in both(tree, "fan", ("thermal", "Fans"), "ThermalSubsystem"):
        if is_absent(body):
            continue
        rpm = number(first(body, "SpeedPercent.SpeedRPM", "ReadingRPM"))
        percent = number(at(body, "SpeedPercent.Reading"))
        reading = number(body.get("Reading"))
        units = word(body.get("ReadingUnits"))
        if reading is None:
            reading, units = (rpm, "RPM") if rpm is not None else (percent, "Percent" if percent is not None else None)
        out.append(
            Fan(
                **component(tree, path, body),
                name=word(first(body, "Name", "FanName")),
                reading=reading,
                reading_units=units,
            )
        )
    return tuple(out)


TOPIC = Topic(
    "fans",
    read,
    rules={
        "chassis": (
            Follow(("ThermalSubsystem",), "thermal_subsystem", many=False),
            Follow(("Thermal",), "thermal", many=False, unless="fan", newer="ThermalSubsystem"),
        ),
        "thermal_subsystem": (Follow(("Fans",), "fan"),),
    },
)
