# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every parser, whatever it reads: a document that JSON can carry, or ParseError.

Without its last line of defence (``__wrapped__``).

``FLEET_FUZZ=N`` gives N examples per parser and kind of input (default 40).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import time
from pathlib import Path

import fleetcore.inband.parse
import fleetcore.ipmi
import pytest
from fleetcore.document.model import Device, device_from_dict, to_dict
from fleetcore.errors import ParseError
from fleetcore.ipmi import answers as openipmi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FLEET_FUZZ", "40"))
GOLDEN = Path(__file__).resolve().parents[2] / "unit/plugins/module_utils/fleetcore/inband/parse/golden"
RAWS = [path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*/*/raw"))]
SIXTEEN_MIB = 16 << 20


def _parsers():
    found = {}
    for package in (fleetcore.inband.parse, fleetcore.ipmi):
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            for name, function in vars(module).items():
                if name.startswith("parse_") and function.__module__ == module.__name__:
                    found[f"{info.name}.{name}"] = function
    return found


PARSERS = _parsers()
BINARY = [name for name in PARSERS if name.startswith(("fru.", "values.", "smbios."))]
TEXTUAL = [name for name in PARSERS if name not in BINARY]
PRINTED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def check(function, raw):
    try:
        found = getattr(function, "__wrapped__", function)(raw)
    except ParseError as error:
        json.dumps(error.to_dict())
        return
    if isinstance(found, Device):
        document = to_dict(found)
        json.dumps(document, allow_nan=False).encode("utf-8")
        assert device_from_dict(document) == found


def test_there_is_a_parser_for_every_tool():
    tools = {name.split(".")[0] for name in PARSERS}
    assert len(tools) >= 32
    assert len(PARSERS) >= 39


KEYS = sorted({word for raw in RAWS for word in raw.replace('"', " ").replace(":", " ").split() if 2 < len(word) < 30})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(KEYS),
    st.sampled_from(["0000:3b:00.0", "/dev/sda", "5 TB", "1e999", "0x1", "252:0", "-1", "\ud800", "9" * 400]),
)


def _vocabulary():
    """Keys and shapes of JSON documents in the golden cases, so that examples reach deep."""
    keys = set()

    def walk(value):
        if isinstance(value, dict):
            for key, item in value.items():
                keys.add(key)
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for raw in RAWS:
        try:
            walk(json.loads(raw[raw.index("{") :]))
        except ValueError:
            continue
    known = [
        "SystemConfiguration",
        "Components",
        "Attributes",
        "FQDD",
        "blockdevices",
        "kname",
        "children",
        "class",
        "id",
        "businfo",
    ]
    return sorted(keys | set(known))


JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(_vocabulary()) | st.text(max_size=8), inner, max_size=6),
    ),
    max_leaves=30,
)


@pytest.mark.parametrize("name", TEXTUAL)
def test_any_text(name):
    @PRINTED
    @given(st.text(max_size=300))
    def run(raw):
        check(PARSERS[name], raw)

    run()


@pytest.mark.parametrize("name", TEXTUAL)
def test_any_json(name):
    @PRINTED
    @given(JSON)
    def run(value):
        check(PARSERS[name], json.dumps(value))

    run()


def _damaged(raw, dice):
    kind = dice.randrange(5)
    place = dice.randrange(max(1, len(raw)))
    if kind == 0:
        return raw[:place]
    if kind == 1:
        return raw[:place] + chr(dice.choice([0, 10, 34, 58, 92, 0xFFFD, 0x1F600])) + raw[place + 1 :]
    if kind == 2:
        other = dice.randrange(max(1, len(raw)))
        return raw[:place] + raw[other:]
    if kind == 3:
        return raw[:place] + raw[place : place + 200] * 50 + raw[place:]
    swapped = dice.choice(['"x"', "-1", "1e400", "null", "[]", "{}", '"' + "9" * 300 + '"', "NaN"])
    digits = [index for index, letter in enumerate(raw) if letter.isdigit()]
    at = dice.choice(digits) if digits else 0
    return raw[:at] + swapped + raw[at + 1 :]


@pytest.mark.parametrize("name", TEXTUAL)
def test_damaged_output(name):
    dice = random.Random(name)
    for _round in range(EXAMPLES):
        check(PARSERS[name], _damaged(dice.choice(RAWS), dice))


@pytest.mark.parametrize("name", BINARY)
def test_any_bytes(name):
    @PRINTED
    @given(st.binary(max_size=400))
    def run(raw):
        check(PARSERS[name], raw)
        check(PARSERS[name], b"_SM3_" + raw)

    run()


def test_any_bmc():
    """Whatever it answers, the questions come to an end."""
    kinds = (
        st.sampled_from([b"", b"\xc1", b"\xc3"]) | st.binary(max_size=24) | st.binary(max_size=24).map(b"\0".__add__)
    )

    @PRINTED
    @given(st.binary(min_size=11, max_size=15), st.lists(kinds, min_size=1, max_size=30), st.randoms())
    def run(identity, answers, dice):
        said = {}

        def answer(request):
            # A BMC that says the same each time, and does not always say that it is none.
            known = b"\0" + identity if request == b"\x06\x01" else dice.choice(answers)
            return said.setdefault(request, known)

        device, _problems = openipmi.conduct(answer)
        assert len(said) < 20_000
        written = "".join(f"{openipmi.line(request, found)}\n" for request, found in said.items())
        assert openipmi.parse_openipmi(written) == device

    run()


def _garbage():
    noise = random.Random(1).randbytes(SIXTEEN_MIB // 16).decode("latin-1")
    yield "noise", noise * 16
    yield "one line", "a" * SIXTEEN_MIB
    yield "brackets", "[" * SIXTEEN_MIB
    yield "braces", '{"a":' * (SIXTEEN_MIB // 5)
    yield "colons", ":" * SIXTEEN_MIB
    yield "short lines", "Key: value\n" * (SIXTEEN_MIB // 11)
    yield "empty lines", "\n" * (SIXTEEN_MIB // 8)
    yield "tags", "<a>" * (SIXTEEN_MIB // 48)


@pytest.mark.parametrize(("kind", "raw"), [pytest.param(kind, raw, id=kind) for kind, raw in _garbage()])
def test_sixteen_mebibytes_of_garbage(kind, raw):
    """In seconds, not minutes: no expression that backtracks, no recursion."""
    for name, function in PARSERS.items():
        begin = time.process_time()
        check(function, raw.encode("latin-1", "replace") if name in BINARY else raw)
        assert time.process_time() - begin < 10, f"{name} took too long on {kind}"


def test_many_controllers_in_one_subsystem():
    """In a time that grows with their number, not with its square."""
    controllers = [{"Controller": f"nvme{index}", "SerialNumber": f"EX{index}"} for index in range(20_000)]
    raw = json.dumps({"Devices": [{"Subsystems": [{"Controllers": controllers, "Namespaces": [{"PhysicalSize": 1}]}]}]})
    begin = time.process_time()
    assert len(PARSERS["nvme.parse_nvme_list"](raw).drives) == 20_000
    assert time.process_time() - begin < 10


@pytest.mark.parametrize("name", TEXTUAL)
def test_larger_than_any_output(name):
    with pytest.raises(ParseError):
        PARSERS[name]("x" * (64 * 1024 * 1024 + 1))


@pytest.mark.parametrize("raw", [None, 7, ["x"]])
def test_not_text(raw):
    for function in PARSERS.values():
        with pytest.raises(ParseError):
            function(raw)
