# SPDX-License-Identifier: BSD-2-Clause

"""The tools of a source: runs commands, reads files, and keeps book of what came of it. No failure leaves it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ...document.model import Coverage, Device, Verdict
from ...document.outputs import decoded
from ...errors import FleetError, MissingDependency, NotFound, ParseError, PermissionDenied, TimedOut
from ...ports import CommandResult, CommandRunner, FileReader

MAX_FILE = 4 * 1024 * 1024
_SHORT = 160


@dataclass(frozen=True)
class Options:
    """Options of a collection.

    :param full: with SMART attributes, all BIOS settings, all PCI devices, and EFI variables.
    :param timeout: seconds for one run of a tool.
    :param deadline: seconds for everything; a source that has not ended by then has the verdict ``timeout``.
    :param updates: ask vendors' update tools, too. They fetch catalogues, which takes minutes and writes to the disk.
    """

    full: bool = False
    timeout: float = 30.0
    deadline: float = 180.0
    updates: bool = False


_DENIED = re.compile(
    r"permission denied|operation not permitted|must be root|need to be root|requires? root|as root|not privileged"
    r"|access denied"
    r"|superuser|sudo|insufficient privilege",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"no such (file|device)|could not open device at|not found"
    r"|no (controller|adapter|device|drive|disk|nvme|gpu|pool)s?\b"
    r"|couldn't communicate with the nvidia driver|driver not loaded|failed to connect to devlink"
    r"|not supported|unsupported|no data available|is not installed|is not present|controllers found: 0\b",
    re.IGNORECASE,
)
_VERDICTS: Mapping[type[FleetError], Verdict] = {
    MissingDependency: Verdict.ABSENT,
    NotFound: Verdict.ABSENT,
    PermissionDenied: Verdict.DENIED,
    TimedOut: Verdict.TIMEOUT,
}
# When nothing was collected: the verdict that helps most, first.
_ORDER = (Verdict.DENIED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.SKIPPED, Verdict.ABSENT)


class Probe:
    """One source's view of the machine. ``pieces`` are the parts of the device document that it found, ``no_drives``
    names, serial numbers and WWNs of what tools take for drives of the machine, and is none.

    :param outputs: command lines of which a folder has outputs: nobody may have listed what they were asked about.
    """

    def __init__(
        self,
        runner: CommandRunner,
        files: FileReader,
        options: Options,
        outputs: Collection[tuple[str, ...]] = (),
    ) -> None:
        self._runner = runner
        self._files = files
        self.options = options
        self._outputs = outputs
        self.pieces: list[Device] = []
        self.no_drives: set[str] = set()
        self.commands = 0
        self.bytes = 0
        self._problems: list[tuple[Verdict, str]] = []
        self._parts: dict[str, Coverage] = {}
        self._answered = False

    # -- what came of it

    def add(self, piece: Device) -> None:
        self._answered = True
        if piece != Device():
            self.pieces.append(piece)

    def answered(self) -> None:
        """The source was read, although there is nothing for the document in it."""
        self._answered = True

    def problem(self, verdict: Verdict, reason: str, part: Optional[str] = None) -> None:
        """Note what went wrong; ``part`` is the one of which the document knows nothing, or less, because of it."""
        self._problems.append((verdict, reason))
        if part is not None and verdict is not Verdict.ABSENT:
            self._parts.setdefault(part, Coverage(verdict, reason[:_SHORT]))

    @property
    def timed_out(self) -> bool:
        """Something that was asked did not answer in time."""
        return any(verdict is Verdict.TIMEOUT for verdict, _reason in self._problems)

    def coverage(self) -> Coverage:
        """``collected`` if anything was, with what went wrong beside it, and with which part; else the most helpful of
        the verdicts."""
        if self._answered:
            reasons = list(dict.fromkeys(reason for verdict, reason in self._problems if verdict is not Verdict.ABSENT))
            return Coverage(Verdict.COLLECTED, _joined(reasons), self._parts)
        for verdict in _ORDER:
            reasons = [reason for found, reason in self._problems if found is verdict]
            if reasons:
                return Coverage(verdict, _joined(list(dict.fromkeys(reasons))))
        return Coverage(Verdict.ABSENT, "nothing of the kind in this machine")

    # -- tools

    def tool(self, argv: Sequence[str], parse: Callable[..., Device], *args: Any, **kwargs: Any) -> bool:
        """Run a tool, parse its output, keep the piece. Output that can be used counts, whatever the exit code.

        Parameters as of :meth:`ask`.
        """
        piece = self.ask(argv, parse, *args, **kwargs)
        if piece is not None:
            self.add(piece)
        return piece is not None

    def outputs(self, *begin: str) -> list[tuple[str, ...]]:
        """Command lines that begin so, of which a folder of outputs has one. None on a machine, and of its capture."""
        return [argv for argv in self._outputs if argv[: len(begin)] == begin]

    def ask(
        self,
        argv: Sequence[str],
        parse: Callable[..., Any],
        *args: Any,
        part: Optional[str] = None,
        optional: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run a tool as :meth:`tool` does, and return the result; None if there is none.

        :param part: what this tool is asked about, where it is asked for each part, by its name in the document.
        :param optional: that it fails is no problem, and what it printed then is nothing.
        """
        result = self._run(argv, part)
        if result is None or (optional and result.rc != 0):
            return None
        try:
            found = parse(result.stdout, *args, **kwargs)
            if result.rc and not result.stdout.strip():  # it failed and said nothing, which some take for an answer
                raise ParseError(f"{_shown(argv)} ended with {result.rc}", field=argv[0])
        except ParseError as error:
            verdict, reason = _verdict(result, error)
            self.problem(verdict, f"{part}: {reason}" if part else reason, part)
            return None
        if result.rc is None:
            stopped = f"{_shown(argv)} was stopped after {self.options.timeout:g} s; what it had printed was used"
            self.problem(Verdict.TIMEOUT, stopped, part)
        elif result.rc != 0 and argv[0] != "smartctl":  # whose exit code is about the drive, and in the document
            self.problem(
                Verdict.FAILED, f"{_shown(argv)} ended with {result.rc}{_because(result)}; its output was used"
            )
        return found

    def _run(self, argv: Sequence[str], part: Optional[str]) -> Optional[CommandResult]:
        """The tool's result; None if it is not installed, can't be started, or printed nothing in its time."""
        try:
            result = self._runner.run(argv, self.options.timeout)
        except FleetError as error:
            self._note(error, part)
            return None
        self.commands += 1
        self.bytes += len(result.stdout)
        if result.rc is None and not result.stdout.strip():
            self.problem(Verdict.TIMEOUT, f"{_shown(argv)} was stopped after {self.options.timeout:g} s", part)
            return None
        return result

    # -- files

    def bytes_of(self, path: str, limit: int = MAX_FILE) -> Optional[bytes]:
        """A file's content; None if it is not there or cannot be read, which is noted unless it is simply not there."""
        found: Optional[bytes] = self._read(self._files.read, path, limit)
        return found

    def text(self, path: str) -> Optional[str]:
        """A file's content as trimmed text; None also if it is empty. Failures of single attributes are not noted."""
        content = decoded(self.attribute(path) or b"").strip().strip("\x00").strip()
        self.bytes += len(content)
        return content or None

    def attribute(self, path: str) -> Optional[bytes]:
        """The bytes of the file that :meth:`text` reads."""
        found: Optional[bytes] = self._read(self._files.read, path, MAX_FILE, optional=True)
        return found

    def names(self, path: str, *, optional: bool = False) -> Sequence[str]:
        """The names in a folder; nothing if it is not there or cannot be read, which is noted unless it is
        ``optional``."""
        return self._read(self._files.names, path, optional=optional) or ()

    def link(self, path: str) -> Optional[str]:
        found: Optional[str] = self._read(self._files.link, path, optional=True)
        return found

    def has(self, folder: str, name: str) -> bool:
        return name in self.names(folder, optional=True)

    def _read(self, read: Callable[..., Any], *args: Any, optional: bool = False) -> Any:
        """What ``read`` returns, counted; None if it fails, which is noted. Neither if it is ``optional``."""
        try:
            found = read(*args)
        except FleetError as error:
            if not optional:
                self._note(error)
            return None
        self.bytes += 0 if optional else len(found)
        return found

    def _note(self, error: FleetError, part: Optional[str] = None) -> None:
        verdicts = (verdict for kind, verdict in _VERDICTS.items() if isinstance(error, kind))
        self.problem(next(verdicts, Verdict.FAILED), error.message, part)


def _verdict(result: CommandResult, error: ParseError) -> tuple[Verdict, str]:
    """Why a tool's output could not be used."""
    said = f"{result.stderr[:4000]}\n{result.stdout[:1000]}"
    reason = f"{error.message}{_because(result) if result.stderr.strip() else ''}"
    if result.rc is None:
        return Verdict.TIMEOUT, reason
    if _DENIED.search(f"{error.message}\n{said}"):
        return Verdict.DENIED, reason
    # Our own words ("no controller in the output") count only for a tool that ended well and had nothing to tell: of
    # one that crashed, or said something else, nobody knows.
    nothing = result.rc == 0 and not result.stdout.strip()
    absent = error.details.get("absent", bool(_ABSENT.search(f"{error.message}\n{said}" if nothing else said)))
    return (Verdict.ABSENT if absent else Verdict.FAILED), reason


def _because(result: CommandResult) -> str:
    line = next((item.strip() for item in result.stderr.splitlines() if item.strip()), "")
    return f" ({line[:_SHORT]})" if line else ""


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv)[:_SHORT]


def _joined(reasons: list[str]) -> Optional[str]:
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    return ("; ".join(reasons[:3]) + more)[:600] if reasons else None
