#!/usr/bin/env python3
# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the Redfish walker and interpreter: a mutated tree gives a document or a FleetError, soon, and no traceback.

    export PYTHONPATH=src:plugins/module_utils
    nice python benchmarks/fuzz_walker.py --seconds 300 [--seed N] [CAPTURE.tar.gz ...]

Starts from the built-in trees of fleetlab and from captures of real machines. A finding is printed with the seed and
round that make it again (``--seed S --first R --rounds 1``).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fleetcore.document.model import Verdict, device_from_dict, to_dict
from fleetcore.errors import FleetError
from fleetcore.ports import HttpResponse
from fleetcore.redfish import capture
from fleetcore.redfish.answers import outcome_of
from fleetcore.redfish.interpret import interpret
from fleetcore.redfish.walker import Walker
from fleetcore.redfish.wants import Outcome, Want

from fleetlab.expand import expand, parse_expand
from fleetlab.trees import BUILTIN

SLOW = 20.0
"""Seconds that one round may take, on a busy machine."""
REQUESTS = 12_000

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 1e308, -0.0, float("nan"), float("inf")),
    *("", " ", "0", "N/A", "\x00", "\ud800", "é" * 50, "x" * 200_000, "../" * 50, "-1", "1e999"),
    *([], {}, [[]], [{}], [None], [None, 1, "a"], {"": {}}),
)
LINKS: tuple[Any, ...] = (
    7,
    None,
    "",
    "//[",
    "http://",
    "?",
    "#",
    "/redfish/v1/" + "a/" * 900,
    "a b",
    "\n",
    "/redfish/v1/\ud800",
)


def nasty(dice: random.Random, paths: list[str]) -> Any:
    """A value that does not belong where it will be put."""
    kind = dice.randrange(8)
    if kind == 0:
        return {"@odata.id": dice.choice(LINKS)}
    if kind == 1:
        return {"@odata.id": dice.choice(paths)}
    if kind == 2:
        return [{"@odata.id": dice.choice(paths)} for _ in range(dice.randrange(40))]
    if kind == 3:
        return dice.choice([dice.choice(paths), nested(50), nested(500)])
    return dice.choice(VALUES)


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"Members": value}
    return value


def mutate(dice: random.Random, value: Any, paths: list[str], rate: float) -> Any:
    """A copy of JSON data in which some values are others."""
    if dice.random() < rate:
        return nasty(dice, paths)
    if isinstance(value, dict):
        out = {name: mutate(dice, item, paths, rate) for name, item in value.items() if dice.random() >= rate / 2}
        if out and dice.random() < rate:
            out[dice.choice(list(out))] = nasty(dice, paths)
        return out
    if isinstance(value, list):
        out_list = [mutate(dice, item, paths, rate) for item in value]
        return out_list * 3 if dice.random() < rate else out_list
    return value


def damage(dice: random.Random, body: bytes) -> bytes:
    """Bytes that are no JSON, or hardly."""
    at = dice.randrange(len(body) + 1)
    links = b",".join(b'{"@odata.id":"/redfish/v1/m/' + str(number).encode() + b'"}' for number in range(100_000))
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: body[:at],
        lambda: b"[" * 10_000 + b"]" * 10_000,
        lambda: b'{"Members":' * 10_000 + b"1" + b"}" * 10_000,
        lambda: body[:at] + b"\xff\xfe\xc0\x00" + body[at:],
        lambda: body.replace(b'"Id"', b'"Name"', 1).replace(b"{", b'{"Id":NaN,"Id":Infinity,', 1),
        lambda: b'{"Members":[' + links + b"]}",
        lambda: b'{"Members":[],"Members@odata.nextLink":"/redfish/v1/p?' + str(at).encode() + b'"}',
        lambda: dice.choice(
            [b"", b"null", b"[]", b'"text"', b"1" * 10_000, b"<html>", b"\xef\xbb\xbf{}", b'{"error":{"code":"x"}}']
        ),
    )
    return dice.choice(choices)()


class Service:
    """Answers the walker's wants from a mutated tree; expands, or pretends to, or fails, as its dice say."""

    def __init__(self, dice: random.Random, tree: Mapping[str, bytes]) -> None:
        self.dice = dice
        self.paths = list(tree)
        self.tree = dict(tree)
        self.rate = dice.choice([0.0005, 0.003, 0.02, 0.1])
        self.broken = dice.choice([0.0, 0.0, 0.01, 0.1])
        self.expands = dice.choice([0, 0, 1, 2])
        self.cache: dict[str, bytes] = {}
        self.root()

    def root(self) -> None:
        root = json.loads(self.tree["/redfish/v1"])
        root["ProtocolFeaturesSupported"] = {
            "ExpandQuery": {"NoLinks": True, "ExpandAll": True, "Levels": True, "MaxLevels": self.expands or 1}
        }
        if self.dice.random() < 0.9:
            self.cache["/redfish/v1"] = json.dumps(root).encode()

    def raw(self, path: str) -> bytes | None:
        if path not in self.cache:
            body = self.tree.get(path)
            if body is None:
                return (
                    None
                    if self.dice.random() < 0.7
                    else b'{"Id": "made up", "Members": [{"@odata.id": "%s/x"}]}' % path.encode()
                )
            try:
                changed = mutate(self.dice, json.loads(body), self.paths, self.rate)
                body = json.dumps(changed).encode("utf-8", "surrogatepass")
            except (ValueError, RecursionError):
                pass
            self.cache[path] = damage(self.dice, body) if self.dice.random() < self.broken / 4 else body
        return self.cache[path]

    def read(self, path: str) -> dict[str, Any] | None:
        body = self.raw(path.rstrip("/"))
        try:
            found = json.loads(body or b"")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def answer(self, want: Want) -> Outcome:
        if self.dice.random() < self.broken / 4:
            return Outcome(
                self.dice.choice([Verdict.FAILED, Verdict.DENIED, Verdict.TIMEOUT, Verdict.ABSENT]),
                reason="chance",
                status=self.dice.choice([None, 400, 401, 403, 404, 500, 501, 503]),
            )
        body = self.raw(want.path)
        if body is None:
            return Outcome(Verdict.ABSENT, status=404)
        if want.expanded and self.expands:
            resource = self.read(want.path)
            feature = {"NoLinks": True, "ExpandAll": True, "Levels": True, "MaxLevels": self.expands}
            try:
                if resource is not None:
                    expansion = parse_expand(want.url.partition("$expand=")[2], feature)
                    body = json.dumps(expand(resource, expansion, self.read)).encode("utf-8", "surrogatepass")
            except Exception:  # noqa: BLE001  (the farm's expansion is not what is tested here)
                pass
        return outcome_of(HttpResponse(200, {}, body))


def attempt(dice: random.Random, tree: Mapping[str, bytes]) -> None:
    """One round.

    :raises AssertionError: a promise was broken. Any other exception is a finding, too.
    """
    service = Service(dice, tree)
    names = [
        path.rsplit("/", 1)[1] for path in tree if path.startswith("/redfish/v1/Systems/") and path.count("/") == 4
    ]
    walker = Walker(system=dice.choice([*names, None]) if names else None)
    begin, count = time.monotonic(), 0
    while not walker.done:
        wants = walker.wants()
        dice.shuffle(wants)
        for want in wants:
            count += 1
            walker.took(want, service.answer(want))
        assert count < REQUESTS, f"{count} requests"
        assert time.monotonic() - begin < SLOW, "the walk takes too long"
    if walker.problem is not None:
        if not isinstance(walker.problem, FleetError):
            raise walker.problem
        return
    device = interpret(walker.tree, walker.coverage())
    unread = [item.reason for item in device.coverage.values() if "could not be read" in (item.reason or "")]
    assert not unread, unread
    document = to_dict(device)
    json.dumps(document, allow_nan=False).encode()
    json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    again = device_from_dict(document)
    assert again == device, [
        (item.name, getattr(again, item.name), getattr(device, item.name))
        for item in dataclasses.fields(device)
        if getattr(again, item.name) != getattr(device, item.name)
    ]
    assert time.monotonic() - begin < SLOW, "reading the tree takes too long"


def sources(captures: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Trees to start from, by name."""
    found = {}
    for name in ("server", "multinode"):
        bodies = {path.rstrip("/"): json.dumps(body).encode() for path, body in BUILTIN[name]().items()}
        found[name] = bodies
    for path in captures:
        found[path] = {
            name: body
            for name, body in capture.read(path).bodies.items()
            if "/JsonSchemas/" not in name and "/Registries/" not in name
        }
    return found


def run(
    trees: Mapping[str, Mapping[str, bytes]], seed: int, seconds: float, first: int = 0, rounds: int = 10**9
) -> tuple[int, int]:
    """Rounds done and findings, which are printed."""
    end, done, findings = time.monotonic() + seconds, 0, 0
    names = list(trees)
    for number in range(first, first + rounds):
        if time.monotonic() >= end:
            break
        dice = random.Random(f"{seed}/{number}")
        name = dice.choice(names)
        done += 1
        try:
            attempt(dice, trees[name])
        except Exception:  # noqa: BLE001
            findings += 1
            print(f"--- seed {seed} round {number} tree {name}", file=sys.stderr)
            traceback.print_exc(limit=-4)
    return done, findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="*")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=10**9)
    given = parser.parse_args()
    done, findings = run(sources(given.captures), given.seed, given.seconds, given.first, given.rounds)
    print(f"{done} rounds, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
