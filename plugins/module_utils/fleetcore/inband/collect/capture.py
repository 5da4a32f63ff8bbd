# SPDX-License-Identifier: BSD-2-Clause

"""Capture and replay: everything that a collection asked of the machine, in memory; :mod:`archive` keeps it in a file.

Passwords of BIOS and BMC profiles are taken out before anything is written or parsed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar, Union

from ...errors import FleetError, MissingDependency, NotFound
from ...ports import CommandResult, CommandRunner, FileReader

T = TypeVar("T")
Outcome = Union[T, FleetError]

_HIDDEN = r'[^"]*(?:password|passphrase|sha256|md5|salt|encryptionkey|communityname|secret)[^"]*'
_REDACTED = (
    (re.compile(rf'("Name"\s*:\s*"{_HIDDEN}"\s*,\s*"Value"\s*:\s*")[^"]*(?=")', re.IGNORECASE), r"\1"),
    (re.compile(rf'(<Attribute\s+Name="{_HIDDEN}"\s*>)[^<]*(?=<)', re.IGNORECASE), r"\1"),
    (re.compile(r"^(SNMP Community String\s*:).*$", re.MULTILINE), r"\1 -"),
)


def redacted(text: str) -> str:
    """Output of a tool without the passwords, hashes and communities that configuration profiles and ``lan print``
    hold."""
    for secret, shown in _REDACTED:
        text = secret.sub(shown, text)
    return text


@dataclass
class Capture:
    """All that was asked and answered. Keys are command lines and paths; a value may be the error that was raised.

    Of a folder of outputs: ``named`` are the files that a command's output is from, ``unused`` those that nobody knows.
    """

    commands: dict[tuple[str, ...], Outcome[CommandResult]] = field(default_factory=dict)
    files: dict[str, Outcome[bytes]] = field(default_factory=dict)
    folders: dict[str, Outcome[Sequence[str]]] = field(default_factory=dict)
    links: dict[str, Outcome[str]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    named: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)


class Recorder:
    """Both ports over live ones: what was asked before is answered from memory, so that capture and document agree."""

    def __init__(self, runner: CommandRunner, files: FileReader) -> None:
        self._runner = runner
        self._files = files
        self.capture = Capture()

    def run(self, argv: Sequence[str], timeout: float) -> CommandResult:
        def ask() -> CommandResult:
            result = self._runner.run(argv, timeout)
            return CommandResult(tuple(argv), result.rc, redacted(result.stdout), redacted(result.stderr))

        return self._once(self.capture.commands, tuple(argv), ask)

    def read(self, path: str, limit: int) -> bytes:
        return self._once(self.capture.files, path, lambda: self._files.read(path, limit))

    def names(self, path: str) -> Sequence[str]:
        return self._once(self.capture.folders, path, lambda: self._files.names(path))

    def link(self, path: str) -> str:
        return self._once(self.capture.links, path, lambda: self._files.link(path))

    def _once(self, memory: dict[Any, Any], key: Any, ask: Callable[[], T]) -> T:
        if key not in memory:
            try:
                answer: Any = ask()
            except FleetError as error:
                answer = error
            memory.setdefault(key, answer)  # of two that asked at once, both get what the first was told
        known: T = _answer(memory[key])
        return known


_MAX_LINKS = 16


class Replay:
    """Both ports from a capture. What is not in it is not installed, and not there."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._asked: set[tuple[str, ...]] = set()

    def unused(self) -> list[str]:
        """Files of a folder that nobody knew, or asked for."""
        unasked = [name for argv, names in self.capture.named.items() if argv not in self._asked for name in names]
        return sorted([*self.capture.unused, *unasked])

    def run(self, argv: Sequence[str], timeout: float) -> CommandResult:  # noqa: ARG002  (it takes no time)
        self._asked.add(tuple(argv))
        missing = MissingDependency(f"{argv[0]} is not in the capture", tool=argv[0])
        return _answer(self.capture.commands.get(tuple(argv), missing))

    def read(self, path: str, limit: int) -> bytes:
        return self._found(self.capture.files, path)[:limit]

    def names(self, path: str) -> Sequence[str]:
        return self._found(self.capture.folders, path)

    def _found(self, memory: Mapping[str, Outcome[T]], path: str) -> T:
        """The record of this path; in a copy of ``/sys`` also what its links lead to."""
        place = path
        for _step in range(_MAX_LINKS):
            if place in memory:
                break
            place = self._behind(place)
        return _answer(memory.get(place, _absent(path)))

    def _behind(self, path: str) -> str:
        """The path with the first link in it replaced by its target; as it is if there is none."""
        for place in range(1, len(path) + 1):
            if path[place : place + 1] in ("/", ""):
                target = self.capture.links.get(path[:place])
                if isinstance(target, str):
                    return posixpath.normpath(posixpath.join(posixpath.dirname(path[:place]), target)) + path[place:]
        return path

    def link(self, path: str) -> str:
        return _answer(self.capture.links.get(path, _absent(path)))


def _absent(path: str) -> NotFound:
    return NotFound(f"{path}: not in the capture", path=path)


def _answer(outcome: Outcome[T]) -> T:
    if isinstance(outcome, FleetError):
        raise outcome
    return outcome
