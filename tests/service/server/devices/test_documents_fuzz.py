# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever documents of one machine follow each other: each is taken or refused with its place, and all can be read.

``FLEET_FUZZ=N`` draws about five times as many documents (default 300), in sequences of at most eight.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import os
import typing
from typing import Any

import httpx
import pytest
from fleetcore.document.model import Device, Verdict, hints_of, optional
from fleetcore.document.sections import KINDS, LISTS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleetd.server.devices import service

MOST = 8
FUZZED = settings(
    max_examples=max(1, 5 * int(os.environ.get("FLEET_FUZZ", "60")) // (MOST // 2)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)

# Few values, so that they meet; and what breaks programs.
TEXTS = st.sampled_from(
    [
        *("A1", "DIMM A1", "P1_DIMMA1", "A2", "1", "0", "", " ", "S0000001", "s-0000001", "S0000002", "N/A"),
        *("0000:1a:00.0", "0000:1a:00.1", "aa:bb:cc:00:00:01", "AA-BB-CC-00-00-02", "169.254.3.1", "10.0.0.7"),
        *("1.0", "1.00", "v2.07 2.8", "ok", "unknown", "collected", "smartctl", "storage", "serial=S0000001"),
        *("9" * 5000, "a9" * 600, "\x00", "a\x00", "\u0000b", "²", "\u0661", "ß", "\u2028", "e\u0301", "\U0001f5a5"),
        *("2026-03-01T11:00:00Z", "2026-03-01T13:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"),
        *("44454c4c-3500-1031-8051-b4c04f564433", "4c4c4544-0035-3110-8051-b4c04f564433", "\ud800"),
    ]
)
NUMBERS: tuple[Any, ...] = (0, 1, -1, 1024, 1 << 34, 2**63 - 1, 2**63, 10**400, 0.5, 1e308, float("nan"), True)
JSON = st.recursive(
    st.none() | TEXTS | st.sampled_from(NUMBERS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
DEEP = json.loads("[" * 300 + "]" * 300)
TOOLS = ["smartctl", "smbios", "storage", "memory", "network", "processors", "system", "power_supplies", "lshw"]


def valid(number: Any) -> bool:
    return not isinstance(number, bool) and abs(number) < 2**63


NUMBER = st.sampled_from([number for number in NUMBERS if valid(number)])


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    hint, _may_miss = optional(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is not None:
        return st.dictionaries(TEXTS, values(arguments[1]), max_size=2)
    if dataclasses.is_dataclass(hint):
        return st.deferred(lambda: record(typing.cast(type, hint)))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from([item.value for item in hint])
    plain = {str: TEXTS, bool: st.booleans(), int: NUMBER.filter(lambda found: found == int(found)).map(int)}
    return {**plain, float: NUMBER}.get(hint, JSON)


@st.composite
def record(draw: st.DrawFn, cls: type) -> dict[str, Any]:
    """An object with some of its fields."""
    hints = hints_of(cls)
    names = draw(st.lists(st.sampled_from(sorted(hints)), max_size=5, unique=True))
    known = [name for name in ("serial", "slot", "id", "bus_info", "storage_controller") if name in hints]
    if known:
        names.append(draw(st.sampled_from(known)))
    return {name: draw(values(hints[name])) for name in names}


COVERAGE = st.dictionaries(
    st.sampled_from(TOOLS),
    st.builds(lambda verdict: {"verdict": verdict}, st.sampled_from([item.value for item in Verdict])),
    max_size=5,
)
PROVENANCE = st.dictionaries(
    st.sampled_from([*LISTS, "drives.slot", "device"]),
    st.lists(st.sampled_from(TOOLS), min_size=1, max_size=2).map(",".join),
    max_size=4,
)


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """Some fields of a document."""
    hints = hints_of(Device)
    names = draw(st.lists(st.sampled_from([*KINDS, "uuid", "hostname", "collected_at"]), min_size=1, max_size=4))
    about = {"coverage": draw(COVERAGE), "provenance": draw(PROVENANCE)}
    return {**{name: draw(values(hints[name])) for name in names}, **about}


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Documents of one machine by source: each is an earlier one with changes, likely and unlikely ones."""
    said: list[tuple[str, dict[str, Any]]] = [("oob", {})]
    for _ in range(draw(st.integers(1, MOST))):
        source = draw(st.sampled_from(["oob", "inband"]))
        document = copy.deepcopy(draw(st.sampled_from(said))[1])
        for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
            change(draw, document)
        said.append((source, document))
    return said[1:]


def say_more(draw: st.DrawFn, document: dict[str, Any]) -> None:
    document.update(draw(fields()))


def parts_of(document: dict[str, Any]) -> list[list[Any]]:
    return [found for found in document.values() if isinstance(found, list) and found]


def lose_or_double_a_part(draw: st.DrawFn, document: dict[str, Any]) -> None:
    for parts in parts_of(document)[:2]:
        if draw(st.booleans()):
            parts.pop()
        else:
            parts.append(copy.deepcopy(parts[0]))


def swap_values(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """What part B was called, part A is now: in other slots, behind another controller, with another serial number."""
    for parts in parts_of(document):
        objects = [part for part in parts if isinstance(part, dict)]
        if len(objects) > 1:
            name = draw(st.sampled_from(["serial", "slot", "id", "bus_info", "storage_controller", "nic_ports"]))
            first, second = objects[:2]
            moved = [(part, other[name]) for part, other in ((first, second), (second, first)) if name in other]
            for part, value in moved:
                part[name] = value


def fail(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Some tools fail this time, and what they would have said is missing."""
    document["coverage"] = draw(COVERAGE)
    for parts in parts_of(document)[:1]:
        parts.clear()


def break_it(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Something of a type that the field does not have."""
    name = draw(st.sampled_from([*KINDS, "coverage", "provenance", "collected_at", "no_such_field"]))
    junk = draw(JSON | st.just(DEEP) | st.sampled_from(NUMBERS))
    parts = document.get(name)
    if isinstance(parts, list) and parts and isinstance(parts[0], dict):
        parts[0][draw(st.sampled_from(["smart_attributes", "metadata", "serial", "firmware", "nic_ports"]))] = junk
    else:
        document[name] = junk


# Mostly what is valid: a document that is refused leads nowhere.
CHANGES = [say_more, say_more, say_more, lose_or_double_a_part, swap_values, swap_values, fail, fail, break_it]


@pytest.mark.fuzz
@pytest.mark.timeout(7200)  # as `nox -s fuzz` has it
def test_documents_in_any_order(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "DEFECTS", ())  # without the last line of defence
    client: httpx.Client = api.client("admin")
    client.post("/api/v1/machines", json={"id": "other"})
    taken = 0

    def ask(method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return client.request(method, path, **options)
        except Exception as error:  # the test client hands a crash on
            raise AssertionError(f"{method} {path}: {type(error).__name__}: {error}") from error

    @FUZZED
    @given(sequences())
    def run(documents: list[tuple[str, dict[str, Any]]]) -> None:
        nonlocal taken
        ask("POST", "/api/v1/machines", json={"id": "m1"})
        for number, (source, document) in enumerate(documents):
            machine = "other" if number == 1 else "m1"
            path = f"/api/v1/machines/{machine}/device/{source}"
            answer = ask("PUT", path, content=json.dumps(document), headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 422), (answer.status_code, answer.text[:300], document)
            if answer.status_code == 422:
                assert answer.json()["error"]["details"]["field"].startswith(("device", "body")), answer.text
            else:
                taken += 1
        base = "/api/v1/machines/m1"
        for path in (
            *(base, f"{base}/device", f"{base}/device/oob", f"{base}/device/inband", f"{base}/bios"),
            *(f"{base}/device/findings", f"{base}/device/history", f"{base}/device?at=2026-03-01T11:30:00Z"),
            *(f"{base}/device/diff?from=2026-03-01T11:30:00Z", "/api/v1/components?machine=m1"),
        ):
            answer = ask("GET", path)
            assert answer.status_code in (200, 404), (path, answer.text[:300])
        ask("DELETE", base)

    run()
    assert taken > FUZZED.max_examples  # most are documents, and not only refused
