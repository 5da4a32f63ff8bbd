# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""40 sequences of 8 events: what the server whose wire this is made of them, recorded, and what ours makes of them.

``recorded/sequences.json`` has the events, which are drawn by chance, and of each description what differs from the one
before. Sequences in which ours differs on purpose are not among them: they are in ``test_process.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fleetd.server.legacy import wire
from fleetd.server.legacy.event import MonitorEvent, parse
from fleetd.server.legacy.process import process
from fleetd.server.machines.model import Description, Machine
from fleetd.server.machines.service import MachineView

SEQUENCES: list[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "recorded" / "sequences.json").read_text(encoding="utf-8")
)


def ours(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The descriptions after each event, as they are sent; the author of annotations and ``id`` are ours."""
    said = Description()
    supplied = steps[0].get("supplied")
    if supplied:
        dimensions = {name: tuple(values) for name, values in supplied["SuppliedDimensions"].items()}
        said = replace(said, ssh_user_ip=supplied["SSHUserIP"], supplied_dimensions=dimensions)
    for step in steps:
        now = datetime.fromisoformat(step["at"])
        event = parse(MonitorEvent, json.dumps(step["event"]).encode())
        said = process(said, event, now)
        view = MachineView(Machine(event.host.name, now, now, description=said), None)
        found = wire.description(view)
        assert found["Annotation"].pop("User") in ("fleetd", "")
        assert found["Dimensions"].pop("id") == [event.host.name]
        yield json.loads(json.dumps(found))


@pytest.mark.parametrize("number", range(len(SEQUENCES)))
def test_a_sequence_of_events(number: int) -> None:
    expected: dict[str, Any] = {"Temperature": None}
    steps = SEQUENCES[number]
    for place, (step, found) in enumerate(zip(steps, ours(steps), strict=True)):
        expected |= step["then"]
        assert found == expected, f"event {place}: {step['event']}"


def test_there_are_sequences_of_each_kind() -> None:
    events = [step["event"] for steps in SEQUENCES for step in steps]
    assert (len(SEQUENCES), len(events)) == (40, 320)
    kinds = ("android", "chromeos", "ios", "pyocd", "standalone")
    assert all(sum(kind in event for event in events) >= 20 for kind in kinds)
    assert sum(not any(kind in event for kind in kinds) for event in events) >= 20
