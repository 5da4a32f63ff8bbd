# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device documents and where components are: on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fleetd.server.devices.model import ComponentFilter, FoundComponent, Publication
from fleetd.server.machines.model import DeviceSummary, Machine

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def drive(serial: str, slot: str, **values: Any) -> FoundComponent:
    return FoundComponent("drives", f"drives:serial={serial}", slot, serial, "V", "M", **values)


def publish(
    store: Any,
    machine: str,
    seconds: int,
    *parts: FoundComponent,
    source: str = "oob",
    document: dict[str, Any] | None = None,
    changed: bool = True,
) -> None:
    if store.machines.get(machine) is None:
        store.machines.create(Machine(machine, NOW, NOW))
    kept = document or {"at": seconds}
    changes = ({"op": "changed"},) if changed else ()
    store.devices.publish(
        machine, source, at(seconds), lambda _present: Publication(kept, changes, DeviceSummary(), parts)
    )


def stays(store: Any, **where: Any) -> list[tuple[str, str, int, int, bool]]:
    return [
        (
            item.machine,
            item.component.slot,
            round((item.first_seen - NOW).total_seconds()),
            round((item.last_seen - NOW).total_seconds()),
            item.current,
        )
        for item in store.devices.components(ComponentFilter(**where))
    ]


def test_a_part_is_followed_from_slot_to_slot_and_machine_to_machine(store: Any) -> None:
    publish(store, "a", 0, drive("D1", "3"), drive("D2", "4"))
    publish(store, "a", 10, drive("D1", "3"), drive("D2", "4"))
    publish(store, "a", 20, drive("D1", "2"), drive("D2", "4"))
    publish(store, "a", 30, drive("D2", "4"))
    publish(store, "b", 40, drive("d1", "5"))
    expected = [("a", "3", 0, 10, False), ("a", "2", 20, 20, False), ("b", "5", 40, 40, True)]
    assert stays(store, serial="D1") == stays(store, serial="d-1") == expected
    assert stays(store, serial="D1", current=True) == expected[2:]
    assert stays(store, serial="D2") == [("a", "4", 0, 30, True)]
    assert stays(store, serial="none") == []


def test_what_was_only_kept_is_there_but_was_not_seen(store: Any) -> None:
    publish(store, "a", 0, drive("D1", "1"))
    publish(store, "a", 10, drive("D1", "1", seen=False))
    assert stays(store, machine="a") == [("a", "1", 0, 0, True)]
    publish(store, "a", 20, drive("D1", "1"))
    assert stays(store, machine="a") == [("a", "1", 0, 20, True)]


def test_a_part_that_comes_back_begins_another_stay(store: Any) -> None:
    for seconds, parts in ((0, [drive("D1", "1")]), (10, []), (20, [drive("D1", "1")])):
        publish(store, "a", seconds, *parts)
    assert stays(store, serial="D1") == [("a", "1", 0, 0, False), ("a", "1", 20, 20, True)]


def test_sources_see_for_themselves(store: Any) -> None:
    publish(store, "a", 0, drive("D1", "1"))
    publish(store, "a", 10, drive("D1", ""), source="inband")
    publish(store, "a", 20, source="inband")
    found = store.devices.components(ComponentFilter("D1"))
    assert [(item.source, item.current) for item in found] == [("oob", True), ("inband", False)]


def test_filters_and_pages(store: Any) -> None:
    cpu = FoundComponent("cpus", "cpus:slot=1", "1", None, None, "X")
    publish(store, "a", 0, drive("D1", "1"), drive("D2", "2"), cpu)
    publish(store, "b", 1, drive("D3", "1"), cpu)
    everything = store.devices.components(ComponentFilter())
    assert [item.id for item in everything] == sorted(item.id for item in everything)
    assert [item.component for item in everything if item.machine == "a"] == [drive("D1", "1"), drive("D2", "2"), cpu]
    assert stays(store, kind="cpus") == [("a", "1", 0, 0, True), ("b", "1", 1, 1, True)]
    assert len(stays(store, machine="a", model="M")) == 2
    first = store.devices.components(ComponentFilter(), limit=2)
    rest = store.devices.components(ComponentFilter(), after=first[-1].id)
    assert [*first, *rest] == everything


def test_many_components_at_once(store: Any) -> None:
    many = [drive(f"D{number}", str(number)) for number in range(1200)]
    publish(store, "a", 0, *many)
    publish(store, "a", 1, *many)
    publish(store, "a", 2)
    assert set(stays(store, machine="a")) == {("a", str(number), 0, 1, False) for number in range(1200)}


def test_documents_as_they_were(store: Any) -> None:
    publish(store, "a", 0, document={"v": "ü 1"})
    publish(store, "a", 10, document={"v": 2}, source="inband")
    publish(store, "a", 20, document={"v": 3})
    publish(store, "a", 30, document={"v": 4}, changed=False)
    assert store.devices.documents_at("a", at(-1)) == {}
    assert store.devices.documents_at("a", at(0)) == {"oob": {"v": "ü 1"}}
    assert store.devices.documents_at("a", at(19)) == {"oob": {"v": "ü 1"}, "inband": {"v": 2}}
    assert store.devices.documents_at("a", at(99)) == {"oob": {"v": 3}, "inband": {"v": 2}}
    assert store.devices.documents("a")["oob"] == {"v": 4}
    assert store.devices.documents_at("none", at(99)) == {}


def test_deleting_a_machine_takes_its_stays(store: Any) -> None:
    publish(store, "a", 0, drive("D1", "1"))
    publish(store, "b", 1, drive("D1", "1"))
    store.machines.delete("a")
    assert stays(store, serial="D1") == [("b", "1", 1, 1, True)]
    publish(store, "a", 2)
    assert store.devices.documents_at("a", at(1)) == {}
